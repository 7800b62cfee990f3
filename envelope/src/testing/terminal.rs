//! The picture as text.

use std::fmt;

use super::{
    outline::one_line,
    timeline::{Row, Timeline},
    words::{short, truncated},
};

/// Widths of the columns, the same for all traces of a picture.
pub(super) struct Layout {
    service: usize,
    label: usize,
    bar: usize,
    duration: usize,
    notes: usize,
}

impl Layout {
    pub(super) fn new(timelines: &[Timeline<'_>], width: usize) -> Self {
        let widest = |cell: &dyn Fn(&Row<'_>) -> String| {
            let cells = timelines.iter().flat_map(|timeline| &timeline.rows).map(|row| cell(row).chars().count());
            cells.max().unwrap_or_default()
        };
        let service = widest(&|row| one_line(row.span.service())).min(width / 6);
        let label = widest(&label).min(width / 3);
        let duration = widest(&|row| short(row.span.duration()));
        let notes = widest(&|row| row.notes.join(", ")).min(width / 4);
        let gaps = if notes == 0 { 6 } else { 8 };
        let bar = width.saturating_sub(service + label + duration + notes + gaps).max(10);
        // Narrow terminals, long names: a bar still says something, a note can be cut.
        let notes = width.saturating_sub(service + label + bar + duration + gaps).min(notes);
        Self { service, label, bar, duration, notes }
    }

    pub(super) fn write_row(&self, row: &Row<'_>, paint: &Paint<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, label, bar, duration, notes } = *self;
        let name = self.fitted_label(row);
        let pad = label.saturating_sub(name.chars().count());
        let name = if row.span.is_error() { paint.error(&name) } else { name };
        let line = format!(
            "{}  {name}{:pad$}  {}  {:>duration$}  {}",
            paint.service(
                row.span.service(),
                &format!("{:service$}", truncated(&one_line(row.span.service()), service))
            ),
            "",
            bar_text(row, bar, paint),
            short(row.span.duration()),
            truncated(&row.notes.join(", "), notes),
        );
        writeln!(f, "{}", line.trim_end())?;
        for (_, text) in &row.links {
            let indent = row.prefix.chars().count().min(label / 2);
            let text = truncated(&format!("⇢ {text}"), label + bar + duration + notes + 4 - indent);
            writeln!(f, "{:service$}  {:indent$}{}", "", "", paint.dim(&text))?;
        }
        Ok(())
    }

    /// Deep trees would leave no room for names: then the branches are cut, at their left.
    fn fitted_label(&self, row: &Row<'_>) -> String {
        let room = self.label / 2;
        let prefix = row.prefix.chars().count();
        let prefix = if prefix > room && label(row).chars().count() > self.label {
            ['…'].into_iter().chain(row.prefix.chars().skip(prefix - room + 1)).collect()
        } else {
            row.prefix.clone()
        };
        let mark = if row.span.is_error() { "  ✗" } else { "" };
        let room = self.label.saturating_sub(prefix.chars().count() + mark.chars().count());
        format!("{prefix}{}{mark}", truncated(&one_line(row.span.name()), room))
    }
}

fn label(row: &Row<'_>) -> String {
    format!("{}{}{}", row.prefix, one_line(row.span.name()), if row.span.is_error() { "  ✗" } else { "" })
}

fn bar_text(row: &Row<'_>, width: usize, paint: &Paint<'_>) -> String {
    // Fractions of at most a few hundred columns.
    let cell = |fraction: f64| (fraction * width as f64).round() as usize;
    let start = cell(row.start).min(width.saturating_sub(1));
    let end = cell(row.end).clamp(start + 1, width.max(start + 1));
    let sent = row.sent.map_or(start, |(sent, _)| cell(sent).min(start));
    let is_thin = (row.end - row.start) * (width as f64) < 0.5;
    let span = if is_thin { "▏".to_owned() } else { "█".repeat(end - start) };
    let span = if row.span.is_error() { paint.error(&span) } else { paint.service(row.span.service(), &span) };
    let before = format!("{}{}", "·".repeat(sent), "░".repeat(start - sent));
    let after = "·".repeat(width.saturating_sub(if is_thin { start + 1 } else { end }));
    format!("{}{span}{}", paint.dim(&before), paint.dim(&after))
}

pub(super) struct Paint<'a> {
    pub(super) on: bool,
    pub(super) services: Vec<&'a str>,
}

impl Paint<'_> {
    // Red is for errors.
    const SERVICES: [&'static str; 8] = ["34", "33", "32", "35", "36", "94", "92", "95"];

    fn paint(&self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn service(&self, service: &str, text: &str) -> String {
        let place = self.services.iter().position(|known| *known == service).unwrap_or_default();
        self.paint(Self::SERVICES.get(place % Self::SERVICES.len()).copied().unwrap_or_default(), text)
    }

    fn error(&self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }
}
