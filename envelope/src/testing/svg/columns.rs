use super::{
    super::{
        outline::one_line,
        timeline::{Row, Timeline},
    },
    CHAR, DEEPEST, GAP, INDENT, MARGIN, WIDTH, notes,
};

/// Left edges of the columns; of the durations, the right one.
pub(super) struct Columns {
    pub(super) service: f64,
    pub(super) label: f64,
    pub(super) chart: f64,
    chart_end: f64,
    pub(super) duration_end: f64,
    pub(super) notes: f64,
    pub(super) note_chars: usize,
}

impl Columns {
    pub(super) fn new(timelines: &[Timeline<'_>]) -> Self {
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

    pub(super) fn x(&self, fraction: f64) -> f64 {
        self.chart + fraction * (self.chart_end - self.chart)
    }
}

pub(super) fn indent(row: &Row<'_>) -> f64 {
    row.depth.min(DEEPEST) as f64 * INDENT
}

fn name_chars(row: &Row<'_>) -> usize {
    one_line(row.span.name()).chars().count() + if row.span.is_error() { 2 } else { 0 }
}
