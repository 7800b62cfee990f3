use super::{
    super::{timeline::Timeline, words::short},
    Drawing, HEADER, MARGIN, ROW, WIDTH, escape,
};

const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;fill:#1f2328}\
.page{fill:#ffffff}.stripe{fill:#f6f8fa}.title{font-weight:bold;font-size:14px}.quiet,.tick{fill:#656d76}\
.tick{font-size:10px}.grid{stroke:#d8dee4}.tree,.hop{stroke:#8c959f;fill:none}.wait{fill-opacity:.28}\
.error{fill:#cf222e}.failed{stroke:#cf222e;stroke-width:2}.link{stroke:#57606a;fill:none;stroke-dasharray:4 3;stroke-width:1.3}\
.head{fill:#57606a}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.stripe{fill:#151b23}.quiet,.tick{fill:#9198a1}\
.grid{stroke:#30363d}.tree,.hop{stroke:#6e7681}.error{fill:#ff7b72}.failed{stroke:#ff7b72}.link{stroke:#a8b1bb}.head{fill:#a8b1bb}}";

/// What stands around the rows.
impl Drawing<'_> {
    pub(super) fn open(&mut self, timelines: &[Timeline<'_>], height: f64) {
        let id = self.id.clone();
        let facts =
            |line: &Timeline<'_>| format!("trace {}: {}, {}", line.trace_id, short(line.duration), line.counts());
        let facts: Vec<_> = timelines.iter().map(facts).collect();
        let title = match timelines.len() {
            1 => "Waterfall of one trace".to_owned(),
            count => format!("Waterfall of {count} traces"),
        };
        self.line(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" aria-labelledby=\"title-{id} desc-{id}\">"
        ));
        self.line(format_args!("<title id=\"title-{id}\">{title}</title>"));
        self.line(format_args!("<desc id=\"desc-{id}\">{}</desc>", escape(&facts.join("; "))));
        self.line(format_args!("<style>{STYLE}</style>"));
        self.line(format_args!(
            "<defs><marker id=\"arrow-{id}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker></defs>"
        ));
        self.line(format_args!("<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>"));
    }

    /// What the trace is, and its scale of time down all its rows.
    pub(super) fn header(&mut self, timeline: &Timeline<'_>, top: f64) {
        self.text(MARGIN, top + 8.0, " class=\"title\"", &format!("trace {}", timeline.trace_id));
        let facts = format!("{} · {}", short(timeline.duration), timeline.counts());
        self.text(WIDTH - MARGIN, top + 8.0, " class=\"quiet\" text-anchor=\"end\"", &facts);
        let bottom = top + HEADER + timeline.rows.len() as f64 * ROW;
        for (quarter, anchor) in (0..).zip(["start", "middle", "middle", "middle", "end"]) {
            let fraction = f64::from(quarter) / 4.0;
            let x = self.columns.x(fraction);
            let tick = if quarter == 0 { "0".to_owned() } else { short(timeline.duration.mul_f64(fraction)) };
            self.text(x, top + HEADER - 12.0, &format!(" class=\"tick\" text-anchor=\"{anchor}\""), &tick);
            let y = top + HEADER - 3.0;
            self.line(format_args!("<path class=\"grid\" d=\"M{x:.1} {y}V{bottom}\"/>"));
        }
    }
}
