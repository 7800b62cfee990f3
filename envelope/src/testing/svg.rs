use std::{collections::HashMap, fmt::Write};

use opentelemetry::{SpanId, TraceId};

use super::{
    outline::one_line,
    span::kind_name,
    timeline::{Row, Timeline, short, truncated},
};

// Everything is measured in pixels. No monospace font in use is wider than `CHAR` at this size.
const FONT: f64 = 12.0;
const CHAR: f64 = 7.3;
const ROW: f64 = 26.0;
const BAR: f64 = 12.0;
const MARGIN: f64 = 24.0;
const GAP: f64 = 20.0;
const INDENT: f64 = 16.0;
const WIDTH: f64 = 1280.0;
/// Title, facts and scale of a trace.
const HEADER: f64 = 66.0;
/// Deeper rows are drawn as deep as this: names need room.
const DEEPEST: usize = 16;

/// Colours that keep their distance from each other, and from black and white: one set serves light and dark. Red is
/// for errors.
const SERVICES: [&str; 8] = ["#3b7dd8", "#d98324", "#2f9e6e", "#9467c9", "#1b9aaa", "#c2548f", "#8a8f2a", "#a0714f"];

const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace;fill:#1f2328}\
.page{fill:#ffffff}.stripe{fill:#f6f8fa}.title{font-weight:bold;font-size:14px}.quiet,.tick{fill:#656d76}\
.tick{font-size:10px}.grid{stroke:#d8dee4}.tree,.hop{stroke:#8c959f;fill:none}.wait{fill-opacity:.28}\
.error{fill:#cf222e}.failed{stroke:#cf222e;stroke-width:2}.link{stroke:#57606a;fill:none;stroke-dasharray:4 3;stroke-width:1.3}\
.head{fill:#57606a}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.stripe{fill:#151b23}.quiet,.tick{fill:#9198a1}\
.grid{stroke:#30363d}.tree,.hop{stroke:#6e7681}.error{fill:#ff7b72}.failed{stroke:#ff7b72}.link{stroke:#a8b1bb}.head{fill:#a8b1bb}}";

/// Draws timelines as one document.
pub(super) fn document(timelines: &[Timeline<'_>], services: &[&str]) -> String {
    let columns = Columns::new(timelines);
    let rows: usize = timelines.iter().map(|timeline| timeline.rows.len()).sum();
    let sections = timelines.len() as f64;
    let height = 2.0 * MARGIN + sections * HEADER + rows as f64 * ROW + (sections - 1.0).max(0.0) * GAP;
    let mut drawing = Drawing { svg: String::new(), columns, services, places: HashMap::new() };
    drawing.open(timelines, height.max(2.0 * MARGIN + ROW));
    if timelines.is_empty() {
        drawing.text(MARGIN, MARGIN + ROW / 2.0, "quiet", "no spans");
    }
    let mut top = MARGIN;
    for timeline in timelines {
        drawing.header(timeline, top);
        top += HEADER;
        for row in &timeline.rows {
            drawing.places.insert(key(row), Place { y: top + ROW / 2.0, start: row.start, end: row.end });
            top += ROW;
        }
        top += GAP;
    }
    let all = || timelines.iter().flat_map(|timeline| &timeline.rows);
    all().enumerate().for_each(|(index, row)| drawing.row(index, row));
    // Above the bars, whichever they cross.
    all().for_each(|row| drawing.links(row));
    drawing.svg.push_str("</svg>\n");
    drawing.svg
}

fn key(row: &Row<'_>) -> (TraceId, SpanId) {
    (row.span.trace_id(), row.span.span_id())
}

/// Left edges of the columns; of the durations, the right one.
struct Columns {
    service: f64,
    label: f64,
    chart: f64,
    chart_end: f64,
    duration_end: f64,
    notes: f64,
    note_chars: usize,
}

impl Columns {
    fn new(timelines: &[Timeline<'_>]) -> Self {
        let rows = || timelines.iter().flat_map(|timeline| &timeline.rows);
        let widest = |cell: &dyn Fn(&Row<'_>) -> usize| rows().map(cell).max().unwrap_or_default();
        let service_chars = widest(&|row| row.span.service().chars().count()).min(16) as f64;
        let label = rows().map(|row| indent(row) + name_chars(row) as f64 * CHAR).fold(0.0, f64::max).min(330.0);
        let note_chars = widest(&|row| notes(row).chars().count()).min(40);
        let label_start = MARGIN + 14.0 + service_chars * CHAR + GAP;
        let notes = WIDTH - MARGIN - note_chars as f64 * CHAR;
        let duration_end = notes - GAP * 0.6;
        let chart_end = duration_end - 9.0 * CHAR;
        Self {
            service: MARGIN,
            label: label_start,
            chart: label_start + label + GAP,
            chart_end,
            duration_end,
            notes,
            note_chars,
        }
    }

    fn x(&self, fraction: f64) -> f64 {
        self.chart + fraction * (self.chart_end - self.chart)
    }
}

fn indent(row: &Row<'_>) -> f64 {
    row.depth.min(DEEPEST) as f64 * INDENT
}

fn name_chars(row: &Row<'_>) -> usize {
    one_line(row.span.name()).chars().count() + if row.span.is_error() { 2 } else { 0 }
}

fn notes(row: &Row<'_>) -> String {
    let links = row.links.iter().map(|(_, text)| format!("⇢ {text}"));
    row.notes.iter().cloned().chain(links).collect::<Vec<_>>().join(", ")
}

/// Where the bar of a span is, for what leads to it.
#[derive(Clone, Copy)]
struct Place {
    y: f64,
    start: f64,
    end: f64,
}

struct Drawing<'a> {
    svg: String,
    columns: Columns,
    services: &'a [&'a str],
    places: HashMap<(TraceId, SpanId), Place>,
}

impl Drawing<'_> {
    // Writing to a string cannot fail.
    fn line(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.svg, "{element}");
    }

    fn open(&mut self, timelines: &[Timeline<'_>], height: f64) {
        // Several drawings can stand in one page, and ids are the page's.
        let id = timelines.first().map_or("empty".to_owned(), |timeline| timeline.trace_id.to_string());
        let facts: Vec<_> = timelines
            .iter()
            .map(|timeline| format!("trace {}: {}, {}", timeline.trace_id, short(timeline.duration), timeline.counts()))
            .collect();
        let title = if timelines.len() == 1 {
            "Waterfall of one trace".to_owned()
        } else {
            format!("Waterfall of {} traces", timelines.len())
        };
        self.line(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title-{id} desc-{id}\">"
        ));
        self.line(format_args!(
            "<title id=\"title-{id}\">{title}</title>\n<desc id=\"desc-{id}\">{}</desc>",
            escape(&facts.join("; "))
        ));
        self.line(format_args!("<style>{STYLE}</style>"));
        self.line(format_args!(
            "<defs><marker id=\"arrow-{id}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker></defs>"
        ));
        self.line(format_args!("<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>"));
    }
}
