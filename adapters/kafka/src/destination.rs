//! Kafka's destinations: topics.

use traced_envelope::{Destination, is_anonymous};

/// The topic; one whose name was made up, such as a reply topic, stays out of span names and metrics.
pub(crate) fn of_topic(topic: &str) -> Destination {
    Destination::new(topic).anonymous(is_anonymous(topic))
}
