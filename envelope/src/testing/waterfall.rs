use std::{env, fmt, io::IsTerminal};

use super::{
    forest::Forest,
    outline::one_line,
    span::CapturedSpan,
    svg,
    terminal::{Layout, Paint},
    timeline::Timeline,
    words::short,
};

/// When to colour a [`Waterfall`] in the terminal.
///
/// ```
/// # use opentelemetry::trace::Tracer;
/// use traced_envelope::testing::{Capture, Colour};
///
/// # let capture = Capture::new();
/// # capture.tracer("shop").in_span("checkout", |_| ());
/// let forest = capture.forest();
/// let picture = forest.waterfall().colour(Colour::Never); // for a file
/// assert!(!picture.to_string().contains('\x1b'));
/// ```
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
/// `Display` writes it for terminals, [`to_svg`](Self::to_svg) as an SVG document. Every trace has
/// its own header and its own scale of time. A consumer's line shows how long its message waited in
/// the broker (`░`).
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
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::{Capture, Forest, Waterfall};
    /// # let capture = Capture::new();
    /// # capture.tracer("shop").in_span("checkout", |_| ());
    /// let forest = Forest::new(capture.spans()); // or spans from elsewhere
    /// assert!(Waterfall::new(&forest).to_string().contains("checkout"));
    /// ```
    #[must_use]
    pub fn new(forest: &'a Forest) -> Self {
        Self { forest, width: 100, colour: Colour::Auto, note: Box::new(|_| None) }
    }

    /// Sets the width of the text in columns: 100 by default, at least 60.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # capture.tracer("shop").in_span("a span whose name is longer than there is room for", |_| ());
    /// # use traced_envelope::testing::Colour;
    /// let forest = capture.forest();
    /// let picture = forest.waterfall().width(60).colour(Colour::Never).to_string();
    /// assert!(picture.lines().skip(1).all(|line| line.chars().count() <= 60));
    /// ```
    #[must_use]
    pub fn width(mut self, width: usize) -> Self {
        self.width = width.max(60);
        self
    }

    /// Sets when the text is coloured: [`Colour::Auto`] by default.
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::{Capture, Colour};
    /// # let capture = Capture::new();
    /// # capture.tracer("shop").in_span("checkout", |_| ());
    /// let forest = capture.forest();
    /// let picture = forest.waterfall().colour(Colour::Always); // for a build's log, which is no terminal
    /// assert!(picture.to_string().contains("\x1b["));
    /// ```
    #[must_use]
    pub fn colour(mut self, colour: Colour) -> Self {
        self.colour = colour;
        self
    }

    /// Adds what only the caller knows about a span to its notes, before the others. Nothing by
    /// default.
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
    ///
    /// ```
    /// # use opentelemetry::trace::Tracer;
    /// # use traced_envelope::testing::Capture;
    /// # let capture = Capture::new();
    /// # capture.tracer("shop").in_span("checkout", |_| ());
    /// let forest = capture.forest();
    /// let picture = forest.waterfall().note(|_| Some("slow".to_owned())).to_svg();
    /// assert!(picture.starts_with("<svg xmlns=") && picture.contains("slow"));
    /// ```
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
        let Self { forest, width, colour, note: _ } = self;
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
        let paint = Paint { on: self.is_coloured(), services: self.services() };
        for (index, timeline) in timelines.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let title = format!("trace {}", timeline.trace_id);
            let facts = format!("{}   {}", short(timeline.duration), timeline.counts());
            let gap = self.width.saturating_sub(title.chars().count() + facts.chars().count()).max(2);
            writeln!(f, "{}{:gap$}{facts}", paint.bold(&title), "")?;
            for row in &timeline.rows {
                layout.write_row(row, &paint, f)?;
            }
        }
        Ok(())
    }
}
