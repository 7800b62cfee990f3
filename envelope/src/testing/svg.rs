#![expect(clippy::suboptimal_flops, reason = "pixels: sums that can be read, not the last bit")]

mod columns;
mod frame;
mod shapes;

use std::{
    collections::HashMap,
    fmt::{self, Write},
};

use opentelemetry::{SpanId, TraceId};

use columns::{Columns, indent};

use super::{
    outline::one_line,
    span_list::kind_name,
    timeline::{Row, Timeline},
    words::{short, truncated},
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
const DEEPEST: usize = 12;

/// Colours that keep their distance from each other, and from black and white: one set serves light
/// and dark. Red is for errors.
const SERVICES: [&str; 8] = ["#3b7dd8", "#d98324", "#2f9e6e", "#9467c9", "#1b9aaa", "#c2548f", "#8a8f2a", "#a0714f"];

/// Draws timelines as one document.
pub(super) fn document(timelines: &[Timeline<'_>], services: &[&str]) -> String {
    let columns = Columns::new(timelines);
    let rows: usize = timelines.iter().map(|timeline| timeline.rows.len()).sum();
    let sections = timelines.len() as f64;
    let height = 2.0 * MARGIN + sections * HEADER + rows as f64 * ROW + (sections - 1.0).max(0.0) * GAP;
    let id = timelines.first().map_or("empty".to_owned(), |timeline| timeline.trace_id.to_string());
    let mut drawing = Drawing { svg: String::new(), id, columns, services, places: HashMap::new() };
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
            drawing.places.insert(key(row), Place { y, start: row.start, end: row.end });
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
        self.line(format_args!("<text x=\"{x:.1}\" y=\"{:.1}\"{attributes}>{}</text>", y + FONT / 3.0, escape(text)));
    }

    /// Leads the eye from a name to its bar.
    fn stripe(&mut self, index: usize, y: f64) {
        if index.is_multiple_of(2) {
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
        let Columns { service, label, duration_end, notes: notes_start, note_chars, .. } = self.columns;
        let colour = self.colour(row.span.service());
        self.line(format_args!("<g><title>{}</title>", escape(&tooltip(row))));
        self.line(format_args!("<circle cx=\"{}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>", service + 4.0));
        self.text(service + 14.0, y, "", &truncated(&one_line(row.span.service()), 16));
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
        self.text(duration_end, y, " text-anchor=\"end\"", &short(row.span.duration()));
        let class = if row.span.is_error() { " class=\"error\"" } else { " class=\"quiet\"" };
        self.text(notes_start, y, class, &truncated(&notes(row), note_chars));
        self.svg.push_str("</g>\n");
    }

    fn colour(&self, service: &str) -> &'static str {
        let place = self.services.iter().position(|known| *known == service).unwrap_or_default();
        SERVICES.get(place % SERVICES.len()).copied().unwrap_or_default()
    }
}

/// What the pointer shows: all that had no room.
fn tooltip(row: &Row<'_>) -> String {
    let span = row.span;
    let links = row.links.iter().map(|(_, text)| format!("⇢ {text}"));
    let facts =
        [one_line(span.name()), one_line(span.service()), kind_name(&span.kind()).to_owned(), short(span.duration())];
    facts.into_iter().chain(row.notes.iter().cloned()).chain(links).collect::<Vec<_>>().join(" · ")
}

/// Text as XML has it. What XML cannot have at all is left out already: texts are single lines
/// here.
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
        assert_eq!(escape("<a b=\"c\">&'\u{ffff}"), "&lt;a b=&quot;c&quot;&gt;&amp;'\u{fffd}");
    }
}
