//! `cargo xtask demo`: orders travel through a real RabbitMQ, a job queue, Kafka and a real Redis, and the terminal shows their traces.
//!
//! Services of one process, each with a tracer provider of its own, as if they were several programs: `shop` publishes orders,
//! `warehouse` processes them and tries again what failed, `dead-letters` gets what failed too often, `billing` and `shipping` get what
//! was packed, `notifier` what was shipped. A file for each hop, `service.rs` for what all share, `brokers.rs` for what they go through
//! (`queues.rs`, `cluster.rs`, `database.rs`). What it shows: `picture.rs`.
//!
//! A further hop is a file with two types: what the service before holds to send (`Parcels`), and the worker that receives
//! (`Shipping`). Here it gets a service, is opened before the one that sends to it, and each order that comes so far one report more.

// A command line program talks to its user.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod billing;
mod brokers;
mod cluster;
mod database;
mod dead_letters;
mod failure;
mod notifier;
mod picture;
mod queues;
mod service;
mod shipping;
mod shop;
mod warehouse;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use arguments::{Arguments, Parsed};
use billing::{Billing, Jobs};
use brokers::Brokers;
use dead_letters::DeadLetters;
use notifier::{Notifier, Shipments};
use service::Service;
use shipping::{Parcels, Shipping};
use shop::Shop;
use tokio::{select, sync::mpsc, task::JoinSet, time::timeout};
use traced_envelope::testing::Capture;
use warehouse::Warehouse;

/// What is ordered, and how many hops report that they are done with it: the spans of all of them have ended then.
const ORDERS: [(&str, usize); 3] = [("coffee", 5), ("tea", 5), ("saffron", 2)];
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
    let brokers = Brokers::start().await?;
    let capture = Capture::new();
    let services = Services::new(&capture)?;
    timeout(LIMIT, trade(&brokers, &services))
        .await
        .with_context(|| format!("the orders were not done within {} s", LIMIT.as_secs()))??;

    for service in services.all() {
        service.export();
    }
    picture::show(&capture.forest(), arguments.svg.as_deref())
}

struct Services {
    shop: Service,
    warehouse: Service,
    billing: Service,
    shipping: Service,
    notifier: Service,
    dead_letters: Service,
}

impl Services {
    fn new(capture: &Capture) -> anyhow::Result<Self> {
        let service = |name| Service::new(name, capture);
        Ok(Self {
            shop: service("shop")?,
            warehouse: service("warehouse")?,
            billing: service("billing")?,
            shipping: service("shipping")?,
            notifier: service("notifier")?,
            dead_letters: service("dead-letters")?,
        })
    }

    fn all(&self) -> [&Service; 6] {
        [&self.shop, &self.warehouse, &self.billing, &self.shipping, &self.notifier, &self.dead_letters]
    }
}

/// Publishes the orders one by one, each when the one before is done.
async fn trade(brokers: &Brokers, services: &Services) -> anyhow::Result<()> {
    let Brokers { rabbitmq, redis, cluster, database } = brokers;
    let (done, mut finished) = mpsc::channel(ORDERS.iter().map(|(_, reports)| reports).sum());
    // Consumers first, the last one first: a message that nobody waits for yet would wait in its queue, and the picture would show that.
    let dead_letters = DeadLetters::open(rabbitmq.url(), &services.dead_letters, done.clone()).await?;
    let notifier = Notifier::open(redis.url(), &services.notifier, done.clone()).await?;
    let shipments = Shipments::open(redis.url(), &services.shipping).await?;
    let shipping = Shipping::open(cluster, &services.shipping, shipments, done.clone()).await?;
    let billing = Billing::open(database, &services.billing, done.clone());
    let jobs = Jobs::open(database, &services.warehouse);
    let parcels = Parcels::open(cluster, &services.warehouse)?;
    let warehouse = Warehouse::open(rabbitmq.url(), &services.warehouse, jobs, parcels, done).await?;
    let shop = Shop::open(rabbitmq.url(), &services.shop).await?;
    // Dropped at the end, it ends them.
    let mut workers = JoinSet::new();
    workers.spawn(dead_letters.run());
    workers.spawn(notifier.run());
    workers.spawn(shipping.run());
    workers.spawn(billing.run());
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
