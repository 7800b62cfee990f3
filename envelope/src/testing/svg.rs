mod columns;

use std::{
    collections::HashMap,
    fmt::{self, Write},
};

use opentelemetry::{SpanId, TraceId};

use columns::{Columns, indent};

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
const HEADER: f64 = 56.0;
/// Deeper rows are drawn as deep as this: names need room.
const DEEPEST: usize = 16;

/// Colours that keep their distance from each other, and from black and white: one set serves light and dark. Red is
/// for errors.
const SERVICES: [&str; 8] = [
    "#3b7dd8", "#d98324", "#2f9e6e", "#9467c9", "#1b9aaa", "#c2548f", "#8a8f2a", "#a0714f",
];

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
    let height =
        2.0 * MARGIN + sections * HEADER + rows as f64 * ROW + (sections - 1.0).max(0.0) * GAP;
    let id = timelines
        .first()
        .map_or("empty".to_owned(), |timeline| timeline.trace_id.to_string());
    let mut drawing = Drawing {
        svg: String::new(),
        id,
        columns,
        services,
        places: HashMap::new(),
    };
    drawing.open(timelines, height.max(2.0 * MARGIN + ROW));
    if timelines.is_empty() {
        drawing.text(MARGIN, MARGIN + ROW / 2.0, " class=\"quiet\"", "no spans");
    }
    let mut top = MARGIN;
    for timeline in timelines {
        let rows_top = top + HEADER;
        for (index, row) in timeline.rows.iter().enumerate() {
            let y = rows_top + (index as f64 + 0.5) * ROW;
            drawing.stripe(index, y);
            drawing.places.insert(
                key(row),
                Place {
                    y,
                    start: row.start,
                    end: row.end,
                },
            );
        }
        // Behind the bars, above the stripes.
        drawing.header(timeline, top);
        top = rows_top + timeline.rows.len() as f64 * ROW + GAP;
    }
    let all = || timelines.iter().flat_map(|timeline| &timeline.rows);
    all().for_each(|row| drawing.row(row));
    // Above the bars, whichever they cross.
    all().for_each(|row| drawing.links(row));
    drawing.svg.push_str("</svg>\n");
    drawing.svg
}

fn key(row: &Row<'_>) -> (TraceId, SpanId) {
    (row.span.trace_id(), row.span.span_id())
}

/// The notes, and the links as long as they fit a line: arrows show where they lead.
fn notes(row: &Row<'_>) -> String {
    let links = match row.links.as_slice() {
        [] => None,
        [(_, text)] => Some(format!("⇢ {text}")),
        links => Some(format!("⇢ links {} spans", links.len())),
    };
    row.notes
        .iter()
        .cloned()
        .chain(links)
        .collect::<Vec<_>>()
        .join(", ")
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
    /// Several drawings can stand in one page, and element ids are the page's.
    id: String,
    columns: Columns,
    services: &'a [&'a str],
    places: HashMap<(TraceId, SpanId), Place>,
}

impl Drawing<'_> {
    fn line(&mut self, element: fmt::Arguments<'_>) {
        // Infallible: it is a string.
        let _ = writeln!(self.svg, "{element}");
    }

    fn text(&mut self, x: f64, y: f64, attributes: &str, text: &str) {
        // Digits and capitals are centred a third of the font's size above the base line.
        self.line(format_args!(
            "<text x=\"{x:.1}\" y=\"{:.1}\"{attributes}>{}</text>",
            y + FONT / 3.0,
            escape(text)
        ));
    }

    fn open(&mut self, timelines: &[Timeline<'_>], height: f64) {
        let id = self.id.clone();
        let facts = |line: &Timeline<'_>| {
            format!(
                "trace {}: {}, {}",
                line.trace_id,
                short(line.duration),
                line.counts()
            )
        };
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
        self.line(format_args!(
            "<desc id=\"desc-{id}\">{}</desc>",
            escape(&facts.join("; "))
        ));
        self.line(format_args!("<style>{STYLE}</style>"));
        self.line(format_args!(
            "<defs><marker id=\"arrow-{id}\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
             orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker></defs>"
        ));
        self.line(format_args!(
            "<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>"
        ));
    }

    /// What the trace is, and its scale of time down all its rows.
    fn header(&mut self, timeline: &Timeline<'_>, top: f64) {
        self.text(
            MARGIN,
            top + 8.0,
            " class=\"title\"",
            &format!("trace {}", timeline.trace_id),
        );
        let facts = format!("{} · {}", short(timeline.duration), timeline.counts());
        self.text(
            WIDTH - MARGIN,
            top + 8.0,
            " class=\"quiet\" text-anchor=\"end\"",
            &facts,
        );
        let bottom = top + HEADER + timeline.rows.len() as f64 * ROW;
        for (quarter, anchor) in (0..).zip(["start", "middle", "middle", "middle", "end"]) {
            let fraction = f64::from(quarter) / 4.0;
            let x = self.columns.x(fraction);
            let tick = if quarter == 0 {
                "0".to_owned()
            } else {
                short(timeline.duration.mul_f64(fraction))
            };
            self.text(
                x,
                top + HEADER - 12.0,
                &format!(" class=\"tick\" text-anchor=\"{anchor}\""),
                &tick,
            );
            let y = top + HEADER - 3.0;
            self.line(format_args!(
                "<path class=\"grid\" d=\"M{x:.1} {y}V{bottom}\"/>"
            ));
        }
    }

    /// Leads the eye from a name to its bar.
    fn stripe(&mut self, index: usize, y: f64) {
        if index % 2 == 0 {
            let (x, top, width) = (MARGIN / 2.0, y - ROW / 2.0, WIDTH - MARGIN);
            self.line(format_args!(
                "<rect class=\"stripe\" x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{ROW}\" rx=\"4\"/>"
            ));
        }
    }

    fn row(&mut self, row: &Row<'_>) {
        let Some(&Place { y, .. }) = self.places.get(&key(row)) else {
            return;
        };
        let Columns {
            service,
            label,
            duration_end,
            notes: notes_start,
            note_chars,
            ..
        } = self.columns;
        let colour = self.colour(row.span.service());
        self.line(format_args!("<g><title>{}</title>", escape(&tooltip(row))));
        self.line(format_args!(
            "<circle cx=\"{}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>",
            service + 4.0
        ));
        self.text(
            service + 14.0,
            y,
            "",
            &truncated(&one_line(row.span.service()), 16),
        );
        self.branch(row, y);
        let room = ((self.columns.chart - GAP - label - indent(row)) / CHAR).max(4.0) as usize;
        let name = one_line(row.span.name());
        if row.span.is_error() {
            self.text(
                label + indent(row),
                y,
                " class=\"error\"",
                &format!("{} ✗", truncated(&name, room.saturating_sub(2))),
            );
        } else {
            self.text(label + indent(row), y, "", &truncated(&name, room));
        }
        self.bar(row, y, colour);
        self.text(
            duration_end,
            y,
            " text-anchor=\"end\"",
            &short(row.span.duration()),
        );
        let class = if row.span.is_error() {
            " class=\"error\""
        } else {
            " class=\"quiet\""
        };
        self.text(notes_start, y, class, &truncated(&notes(row), note_chars));
        self.svg.push_str("</g>\n");
    }

    /// From the parent's name down to this one.
    fn branch(&mut self, row: &Row<'_>, y: f64) {
        let parent = row
            .span
            .parent_id()
            .and_then(|parent| self.places.get(&(row.span.trace_id(), parent)));
        let Some(parent) = parent.filter(|parent| row.depth > 0 && parent.y < y) else {
            return;
        };
        let x = self.columns.label + indent(row) - INDENT + 4.0;
        let (top, width) = (parent.y + 8.0, INDENT - 7.0);
        self.line(format_args!(
            "<path class=\"tree\" d=\"M{x:.1} {top}V{y}h{width}\"/>"
        ));
    }

    /// When it ran, and before that, how long its message waited, from whom.
    fn bar(&mut self, row: &Row<'_>, y: f64, colour: &str) {
        let (start, end) = (self.columns.x(row.start), self.columns.x(row.end));
        let top = y - BAR / 2.0;
        if let Some((sent, sender)) = row.sent {
            let (x, width) = (self.columns.x(sent), start - self.columns.x(sent));
            if width > 0.0 {
                self.line(format_args!(
                    "<rect class=\"wait\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"
                ));
            }
            if let Some(&Place { y: from, .. }) =
                self.places.get(&(sender.trace_id(), sender.span_id()))
            {
                self.line(format_args!(
                    "<path class=\"hop\" d=\"M{x:.1} {:.1}V{:.1}\"/>",
                    from + BAR / 2.0,
                    y + BAR / 2.0
                ));
            }
        }
        // A span that took no time must be seen too.
        let width = (end - start).max(2.0);
        let failed = if row.span.is_error() {
            " class=\"failed\""
        } else {
            ""
        };
        self.line(format_args!(
            "<rect{failed} x=\"{start:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>"
        ));
    }

    /// From the end of each linked span to the start of this one.
    fn links(&mut self, row: &Row<'_>) {
        for (link, _) in &row.links {
            let (from, to) = (
                self.places.get(&(link.trace_id(), link.span_id())),
                self.places.get(&key(row)),
            );
            let (Some(&from), Some(&to)) = (from, to) else {
                continue;
            };
            let (x1, x2) = (self.columns.x(from.end), self.columns.x(to.start) - 2.0);
            let (y1, y2) = if from.y < to.y {
                (from.y + BAR / 2.0, to.y)
            } else {
                (from.y - BAR / 2.0, to.y)
            };
            // Down first, then in from the left: the arrow meets the bar where the span starts.
            let (bend, id) = ((y1 + y2) / 2.0, self.id.clone());
            self.line(format_args!(
                "<path class=\"link\" d=\"M{x1:.1} {y1:.1}C{x1:.1} {bend:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\" marker-end=\"url(#arrow-{id})\"/>",
                x2 - 26.0
            ));
        }
    }

    fn colour(&self, service: &str) -> &'static str {
        let place = self
            .services
            .iter()
            .position(|known| *known == service)
            .unwrap_or_default();
        SERVICES
            .get(place % SERVICES.len())
            .copied()
            .unwrap_or_default()
    }
}

/// What the pointer shows: all that had no room.
fn tooltip(row: &Row<'_>) -> String {
    let span = row.span;
    let links = row.links.iter().map(|(_, text)| format!("⇢ {text}"));
    let facts = [
        one_line(span.name()),
        one_line(span.service()),
        kind_name(&span.kind()).to_owned(),
        short(span.duration()),
    ];
    facts
        .into_iter()
        .chain(row.notes.iter().cloned())
        .chain(links)
        .collect::<Vec<_>>()
        .join(" · ")
}

/// Text as XML has it. What XML cannot have at all is left out already: texts are single lines here.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // The two characters beyond the control characters that XML forbids.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escape("<a b=\"c\">&'\u{ffff}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;'\u{fffd}"
        );
    }
}
