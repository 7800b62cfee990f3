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
//! `platform demo` runs them all, and shows three orders' traces; `platform load` counts and measures: `demo.rs`, `load.rs`.
//!
//! `platform serve order-service` runs one of them, a process each: a file for each service, beginning with `serve()`. Where they find
//! each other: `settings.rs`. What they have in common: `service.rs`; how they go on when a broker was away: `reconnect.rs`.
//!
//! An order of coffee goes well. Tea is out of stock at the first attempt, and its first payment fails. Saffron cannot be paid for: after
//! three attempts its order is a dead letter, and refunded.

// A command line program talks to its user.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod analytics;
mod arguments;
mod demo;
mod failure;
mod forward;
mod gateway;
mod http_client;
mod inventory;
mod jobs;
mod load;
mod notifier;
mod order;
mod orders;
mod rabbitmq;
mod reconnect;
mod scene;
mod service;
mod settings;
mod shutdown;
mod stock;
mod tables;
mod users;

use std::process::ExitCode;

use anyhow::bail;
use arguments::Command;
use examples::runner::interrupted;
use tokio::select;

#[tokio::main]
async fn main() -> ExitCode {
    let (program, result) = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("platform: {error}; `--help` lists what there is");
            return ExitCode::from(2);
        }
        Ok(Command::Serve(service)) => (format!("platform: {service}"), service::serve(&service).await),
        Ok(Command::Demo(demo)) => ("demo".to_owned(), or_interrupted("demo", demo::run(&demo)).await),
        Ok(Command::Load(load)) => ("load".to_owned(), or_interrupted("load", load::run(&load)).await),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Ctrl-C drops the run, and with it the services, which are asked to end.
async fn or_interrupted(program: &str, run: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut run = Box::pin(run);
    select! {
        result = &mut run => return result,
        interrupted = interrupted() => interrupted?,
    }
    eprintln!("{program}: ending the services");
    drop(run);
    bail!("interrupted")
}
