//! Redis through `traced-redis`.

mod around;
mod pubsub;

pub use around::Around;
pub use pubsub::PubSubTransport;
