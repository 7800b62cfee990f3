//! Runs the order platform of `src/bin/platform`: brokers, and the seven services as processes of that program. The demo, the load mode
//! and the end-to-end test have it in common.

mod brokers;
mod cluster;
mod customer;
mod http_client;
mod interrupt;
mod platform;
mod process;

pub use brokers::Brokers;
pub use customer::{Accepted, CARD, Customer};
pub use http_client::http_client;
pub use interrupt::interrupted;
pub use platform::{Platform, SERVICES};
