//! The order platform: seven services, which one trace connects.
//!
//! ```text
//!  POST /orders
//!       |
//!    gateway ---gRPC, HTTP---> user-service
//!       |
//!      HTTP
//!       v
//!  order-service ---> database of orders and jobs          (SQLite or PostgreSQL)
//!   |    |    ^
//!   |    |    '---- orders.dead ------------------------.  (RabbitMQ)
//!   |    |                                              |
//!   |    '--- job process_order ---> job-worker --------'  (apalis)
//!   |                                 |     ^
//!   |                                 '-----' job send_notification
//!   |                                 |
//!   |                                 '-- notifications ---> notifier      (Redis)
//!   |
//!   '-- order.created ---> inventory-worker -- stock ---> analytics-worker (RabbitMQ, Kafka)
//! ```
//!
//! `platform serve order-service` runs one of them, a process each: a file for each service, beginning with `serve()`. Where they find
//! each other: `settings.rs`. What they have in common: `service.rs`; how they go on when a broker was away: `reconnect.rs`.
//!
//! An order of coffee goes well. Tea is out of stock at the first attempt, and its first payment fails. Saffron cannot be paid for: after
//! three attempts its order is a dead letter, and refunded.

// A command line program talks to its user.
#![allow(clippy::print_stderr)]

mod analytics;
mod failure;
mod gateway;
mod http_client;
mod inventory;
mod jobs;
mod notifier;
mod order;
mod orders;
mod rabbitmq;
mod reconnect;
mod service;
mod settings;
mod shutdown;
mod stock;
mod tables;
mod users;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some("serve"), Some(service), None) = (arguments.next().as_deref(), arguments.next(), arguments.next()) else {
        eprintln!("platform: usage: platform serve SERVICE");
        return ExitCode::from(2);
    };
    match service::serve(&service).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("platform: {service}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
