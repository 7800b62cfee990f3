use std::{env, fmt, io::IsTerminal};

use super::{
    forest::Forest,
    outline::one_line,
    span::CapturedSpan,
    svg,
    timeline::{Row, Timeline, short, truncated},
};

/// When to colour a [`Waterfall`] in the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// When standard output is a terminal that has colours, and `NO_COLOR` is not set. The default.
    #[default]
    Auto,
    /// Always: with ANSI escape sequences.
    Always,
    /// Never.
    Never,
}

/// A picture of traces: a line for each span, where it stands in the tree, and when it ran.
///
/// `Display` writes it for terminals, [`to_svg`](Self::to_svg) as an SVG document. Every trace has its own header and
/// its own scale of time. A consumer's line shows how long its message waited in the broker (`░`).
///
/// ```
/// use opentelemetry::trace::Tracer;
/// use traced_envelope::testing::{Capture, Colour};
///
/// let capture = Capture::new();
/// capture.tracer("shop").in_span("checkout", |_| ());
///
/// let forest = capture.forest();
/// let picture = forest.waterfall().width(80).colour(Colour::Never).to_string();
/// assert!(picture.starts_with("trace "));
/// assert!(picture.contains("1 service, 0 broker hops, 0 broken\nshop  checkout  "));
/// ```
pub struct Waterfall<'a> {
    forest: &'a Forest,
    width: usize,
    colour: Colour,
    note: Box<Note<'a>>,
}

type Note<'a> = dyn Fn(&CapturedSpan) -> Option<String> + 'a;

impl<'a> Waterfall<'a> {
    /// Draws a forest, 100 columns wide.
    #[must_use]
    pub fn new(forest: &'a Forest) -> Self {
        Self {
            forest,
            width: 100,
            colour: Colour::Auto,
            note: Box::new(|_| None),
        }
    }

    /// Sets the width of the text in columns: 100 by default, at least 60.
    #[must_use]
    pub fn width(mut self, width: usize) -> Self {
        self.width = width.max(60);
        self
    }

    /// Sets when the text is coloured: [`Colour::Auto`] by default.
    #[must_use]
    pub fn colour(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    /// Adds what only the caller knows about a span to its notes, before the others. Nothing by default.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # capture.tracer("shop").in_span("publish orders", |_| ());
    /// let forest = capture.forest();
    /// let confirmed = |span: &traced_envelope::testing::CapturedSpan| {
    ///     span.name().starts_with("publish").then(|| "confirmed".to_owned())
    /// };
    /// assert!(forest.waterfall().note(confirmed).to_string().contains("confirmed"));
    /// ```
    #[must_use]
    pub fn note(mut self, note: impl Fn(&CapturedSpan) -> Option<String> + 'a) -> Self {
        self.note = Box::new(note);
        self
    }

    /// Draws the same picture as a self-contained SVG document, readable on light and on dark.
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::document(&self.timelines(), &self.services())
    }

    fn timelines(&self) -> Vec<Timeline<'a>> {
        let mut timelines = Timeline::all(self.forest);
        for row in timelines.iter_mut().flat_map(|timeline| &mut timeline.rows) {
            if let Some(note) = (self.note)(row.span) {
                row.notes.insert(0, one_line(&note));
            }
        }
        timelines
    }

    /// All services, by their first span: their place is their colour.
    fn services(&self) -> Vec<&'a str> {
        let mut services = Vec::new();
        for span in self.forest.spans() {
            if !services.contains(&span.service()) {
                services.push(span.service());
            }
        }
        services
    }

    fn is_coloured(&self) -> bool {
        match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                // https://no-color.org: set and not empty.
                let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
                !refused && !dumb && std::io::stdout().is_terminal()
            }
        }
    }
}

impl fmt::Debug for Waterfall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            forest,
            width,
            colour,
            note: _,
        } = self;
        f.debug_struct("Waterfall")
            .field("forest", forest)
            .field("width", width)
            .field("colour", colour)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Waterfall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timelines = self.timelines();
        if timelines.is_empty() {
            return f.write_str("no spans\n");
        }
        let layout = Layout::new(&timelines, self.width);
        let paint = Paint {
            on: self.is_coloured(),
            services: self.services(),
        };
        for (index, timeline) in timelines.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let title = format!("trace {}", timeline.trace_id);
            let facts = format!("{}   {}", short(timeline.duration), timeline.counts());
            let gap = self
                .width
                .saturating_sub(title.chars().count() + facts.chars().count())
                .max(2);
            writeln!(f, "{}{:gap$}{facts}", paint.bold(&title), "")?;
            for row in &timeline.rows {
                layout.write_row(row, &paint, f)?;
            }
        }
        Ok(())
    }
}

/// Widths of the columns, the same for all traces of a picture.
struct Layout {
    service: usize,
    label: usize,
    bar: usize,
    duration: usize,
    notes: usize,
}

impl Layout {
    fn new(timelines: &[Timeline<'_>], width: usize) -> Self {
        let widest = |cell: &dyn Fn(&Row<'_>) -> String| {
            let cells = timelines
                .iter()
                .flat_map(|timeline| &timeline.rows)
                .map(|row| cell(row).chars().count());
            cells.max().unwrap_or_default()
        };
        let service = widest(&|row| one_line(row.span.service())).min(width / 6);
        let label = widest(&label).min(width / 3);
        let duration = widest(&|row| short(row.span.duration()));
        let notes = widest(&|row| row.notes.join(", ")).min(width / 4);
        let gaps = if notes == 0 { 6 } else { 8 };
        let bar = width
            .saturating_sub(service + label + duration + notes + gaps)
            .max(10);
        // Narrow terminals, long names: a bar still says something, a note can be cut.
        let notes = width
            .saturating_sub(service + label + bar + duration + gaps)
            .min(notes);
        Self {
            service,
            label,
            bar,
            duration,
            notes,
        }
    }

    fn write_row(
        &self,
        row: &Row<'_>,
        paint: &Paint<'_>,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let Self {
            service,
            label,
            bar,
            duration,
            notes,
        } = *self;
        let name = self.fitted_label(row);
        let pad = label.saturating_sub(name.chars().count());
        let name = if row.span.is_error() {
            paint.error(&name)
        } else {
            name
        };
        let line = format!(
            "{}  {name}{:pad$}  {}  {:>duration$}  {}",
            paint.service(
                row.span.service(),
                &format!(
                    "{:service$}",
                    truncated(&one_line(row.span.service()), service)
                )
            ),
            "",
            bar_text(row, bar, paint),
            short(row.span.duration()),
            truncated(&row.notes.join(", "), notes),
        );
        writeln!(f, "{}", line.trim_end())?;
        for (_, text) in &row.links {
            let indent = row.prefix.chars().count().min(label / 2);
            let text = truncated(
                &format!("⇢ {text}"),
                label + bar + duration + notes + 4 - indent,
            );
            writeln!(f, "{:service$}  {:indent$}{}", "", "", paint.dim(&text))?;
        }
        Ok(())
    }

    /// Deep trees would leave no room for names: then the branches are cut, at their left.
    fn fitted_label(&self, row: &Row<'_>) -> String {
        let room = self.label / 2;
        let prefix = row.prefix.chars().count();
        let prefix = if prefix > room && label(row).chars().count() > self.label {
            ['…']
                .into_iter()
                .chain(row.prefix.chars().skip(prefix - room + 1))
                .collect()
        } else {
            row.prefix.clone()
        };
        let mark = if row.span.is_error() { "  ✗" } else { "" };
        let room = self
            .label
            .saturating_sub(prefix.chars().count() + mark.chars().count());
        format!(
            "{prefix}{}{mark}",
            truncated(&one_line(row.span.name()), room)
        )
    }
}

fn label(row: &Row<'_>) -> String {
    format!(
        "{}{}{}",
        row.prefix,
        one_line(row.span.name()),
        if row.span.is_error() { "  ✗" } else { "" }
    )
}

fn bar_text(row: &Row<'_>, width: usize, paint: &Paint<'_>) -> String {
    // Fractions of at most a few hundred columns.
    let cell = |fraction: f64| (fraction * width as f64).round() as usize;
    let start = cell(row.start).min(width.saturating_sub(1));
    let end = cell(row.end).clamp(start + 1, width.max(start + 1));
    let sent = row.sent.map_or(start, |(sent, _)| cell(sent).min(start));
    let is_thin = (row.end - row.start) * (width as f64) < 0.5;
    let span = if is_thin {
        "▏".to_owned()
    } else {
        "█".repeat(end - start)
    };
    let span = if row.span.is_error() {
        paint.error(&span)
    } else {
        paint.service(row.span.service(), &span)
    };
    let before = format!("{}{}", "·".repeat(sent), "░".repeat(start - sent));
    let after = "·".repeat(width.saturating_sub(if is_thin { start + 1 } else { end }));
    format!("{}{span}{}", paint.dim(&before), paint.dim(&after))
}

struct Paint<'a> {
    on: bool,
    services: Vec<&'a str>,
}

impl Paint<'_> {
    // Red is for errors.
    const SERVICES: [&'static str; 8] = ["34", "33", "32", "35", "36", "94", "92", "95"];

    fn paint(&self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    fn service(&self, service: &str, text: &str) -> String {
        let place = self
            .services
            .iter()
            .position(|known| *known == service)
            .unwrap_or_default();
        self.paint(
            Self::SERVICES
                .get(place % Self::SERVICES.len())
                .copied()
                .unwrap_or_default(),
            text,
        )
    }

    fn error(&self, text: &str) -> String {
        self.paint("31", text)
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }
}
