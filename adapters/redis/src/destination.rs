//! Redis' destinations: the conventions have no page for them, so the general rules hold.

use traced_envelope::{Destination, is_anonymous};

/// A channel as it was subscribed to or published to by its name.
pub(crate) fn of_channel(channel: &str) -> Destination {
    Destination::new(channel).anonymous(is_anonymous(channel))
}

/// A channel that came through a pattern, which is its template: "low cardinality destination name that the destination belongs to".
pub(crate) fn of_pattern(channel: &str, pattern: &str) -> Destination {
    Destination::new(channel).template(pattern)
}
