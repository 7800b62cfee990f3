//! `cargo xtask demo`: orders travel through a real RabbitMQ, and the terminal shows their traces.
//!
//! Three services of one process, each with a tracer provider of its own, as if they were three programs: `shop` publishes orders,
//! `warehouse` processes them and tries again what failed, `dead-letters` gets what failed too often. A file for each, and
//! `service.rs` for what they share. What it shows: `picture.rs`.

// A command line program talks to its user.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod dead_letters;
mod failure;
mod picture;
mod queues;
mod service;
mod shop;
mod warehouse;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use arguments::{Arguments, Parsed};
use dead_letters::DeadLetters;
use service::Service;
use shop::Shop;
use test_brokers::RabbitMq;
use tokio::{select, sync::mpsc, task::JoinSet, time::timeout};
use traced_envelope::testing::Capture;
use warehouse::Warehouse;

/// What is ordered, and how many services report that they are done with it: the spans of all of them have ended then.
const ORDERS: [(&str, usize); 3] = [("coffee", 1), ("tea", 1), ("saffron", 2)];
const LIMIT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Parsed::Run(arguments)) => arguments,
        Ok(Parsed::Help) => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("demo: {error}; `--help` lists what there is");
            return ExitCode::from(2);
        }
    };
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    println!("demo: waiting for RabbitMQ");
    let broker = RabbitMq::start().await?;
    println!("demo: {}", broker.describe());

    let capture = Capture::new();
    let services = ["shop", "warehouse", "dead-letters"].map(|name| Service::new(name, &capture));
    let [shop, warehouse, dead_letters] = services;
    let (shop, warehouse, dead_letters) = (shop?, warehouse?, dead_letters?);

    timeout(LIMIT, trade(broker.url(), &shop, &warehouse, &dead_letters))
        .await
        .with_context(|| format!("the orders were not done within {} s", LIMIT.as_secs()))??;

    for service in [&shop, &warehouse, &dead_letters] {
        service.export();
    }
    picture::show(&capture.forest(), arguments.svg.as_deref())
}

/// Publishes the orders one by one, each when the one before is done.
async fn trade(url: &str, shop: &Service, warehouse: &Service, dead_letters: &Service) -> anyhow::Result<()> {
    let (done, mut finished) = mpsc::channel(ORDERS.len());
    // Consumers first: a message that nobody waits for yet would wait in its queue, and the picture would show that.
    let dead_letters = DeadLetters::open(url, dead_letters, done.clone()).await?;
    let warehouse = Warehouse::open(url, warehouse, done).await?;
    let shop = Shop::open(url, shop).await?;
    // Dropped at the end, it ends them.
    let mut workers = JoinSet::new();
    workers.spawn(dead_letters.run());
    workers.spawn(warehouse.run());

    for (item, reports) in ORDERS {
        println!("demo: shop publishes an order of {item}");
        shop.post_order(item).await?;
        for _ in 0..reports {
            select! {
                Some(report) = finished.recv() => println!("demo: {report}"),
                Some(ended) = workers.join_next() => {
                    ended??;
                    bail!("a worker has ended");
                }
            }
        }
    }
    Ok(())
}
