/// How a [`Collector`](crate::Collector) answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    /// Takes what it gets. The default.
    #[default]
    Takes,
    /// Refuses what it gets with this status, and keeps nothing: 503 asks the exporter to try again, 400 not to.
    Refuses(u16),
    /// Reads requests and never answers one: exporters wait for as long as they may.
    Never,
}
