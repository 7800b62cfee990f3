use super::{super::timeline::Row, BAR, Drawing, INDENT, Place, columns::indent, key};

/// What stands beside and between the texts of the rows.
impl Drawing<'_> {
    /// From the parent's name down to this one.
    pub(super) fn branch(&mut self, row: &Row<'_>, y: f64) {
        let parent = row.span.parent_id().and_then(|parent| self.places.get(&(row.span.trace_id(), parent)));
        let Some(parent) = parent.filter(|parent| row.depth > 0 && parent.y < y) else {
            return;
        };
        let x = self.columns.label + indent(row) - INDENT + 4.0;
        let (top, width) = (parent.y + 8.0, INDENT - 7.0);
        self.line(format_args!("<path class=\"tree\" d=\"M{x:.1} {top}V{y}h{width}\"/>"));
    }

    /// When it ran, and before that, how long its message waited, from whom.
    pub(super) fn bar(&mut self, row: &Row<'_>, y: f64, colour: &str) {
        let (start, end) = (self.columns.x(row.start), self.columns.x(row.end));
        let top = y - BAR / 2.0;
        if let Some((sent, sender)) = row.sent {
            let (x, width) = (self.columns.x(sent), start - self.columns.x(sent));
            if width > 0.0 {
                self.line(format_args!(
                    "<rect class=\"wait\" x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"
                ));
            }
            if let Some(&Place { y: from, .. }) = self.places.get(&(sender.trace_id(), sender.span_id())) {
                self.line(format_args!(
                    "<path class=\"hop\" d=\"M{x:.1} {:.1}V{:.1}\"/>",
                    from + BAR / 2.0,
                    y + BAR / 2.0
                ));
            }
        }
        // A span that took no time must be seen too.
        let width = (end - start).max(2.0);
        let failed = if row.span.is_error() { " class=\"failed\"" } else { "" };
        self.line(format_args!(
            "<rect{failed} x=\"{start:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>"
        ));
    }

    /// From the end of each linked span to the start of this one.
    pub(super) fn links(&mut self, row: &Row<'_>) {
        for (link, _) in &row.links {
            let (from, to) = (self.places.get(&(link.trace_id(), link.span_id())), self.places.get(&key(row)));
            let (Some(&from), Some(&to)) = (from, to) else {
                continue;
            };
            let (x1, x2) = (self.columns.x(from.end), self.columns.x(to.start) - 2.0);
            let (y1, y2) = if from.y < to.y { (from.y + BAR / 2.0, to.y) } else { (from.y - BAR / 2.0, to.y) };
            // Down first, then in from the left: the arrow meets the bar where the span starts.
            let (bend, id) = ((y1 + y2) / 2.0, self.id.clone());
            self.line(format_args!(
                "<path class=\"link\" d=\"M{x1:.1} {y1:.1}C{x1:.1} {bend:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}\" marker-end=\"url(#arrow-{id})\"/>",
                x2 - 26.0
            ));
        }
    }
}
