//! `cargo xtask demo`: orders travel through a real RabbitMQ and on through Kafka, and the terminal shows their traces.
//!
//! Services of one process, each with a tracer provider of its own, as if they were several programs: `shop` publishes orders,
//! `warehouse` processes them and tries again what failed, `dead-letters` gets what failed too often, `shipping` gets what was packed.
//! A file for each hop, `service.rs` for what all share, `queues.rs` and `cluster.rs` for the brokers. What it shows: `picture.rs`.
//!
//! A further hop is a file with two types: what the service before holds to send (`Parcels`), and the worker that receives
//! (`Shipping`). Here it gets a service, is opened before the one that sends to it, and each order that comes so far one report more.

// A command line program talks to its user.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod cluster;
mod dead_letters;
mod failure;
mod picture;
mod queues;
mod service;
mod shipping;
mod shop;
mod warehouse;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use arguments::{Arguments, Parsed};
use cluster::Cluster;
use dead_letters::DeadLetters;
use service::Service;
use shipping::{Parcels, Shipping};
use shop::Shop;
use test_brokers::RabbitMq;
use tokio::{select, sync::mpsc, task::JoinSet, time::timeout};
use traced_envelope::testing::Capture;
use warehouse::Warehouse;

/// What is ordered, and how many hops report that they are done with it: the spans of all of them have ended then.
const ORDERS: [(&str, usize); 3] = [("coffee", 2), ("tea", 2), ("saffron", 2)];
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

    let cluster = Cluster::open()?;
    println!("demo: {}", cluster.describe());

    let capture = Capture::new();
    let services = Services::new(&capture)?;
    timeout(LIMIT, trade(broker.url(), &cluster, &services))
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
    shipping: Service,
    dead_letters: Service,
}

impl Services {
    fn new(capture: &Capture) -> anyhow::Result<Self> {
        let service = |name| Service::new(name, capture);
        Ok(Self {
            shop: service("shop")?,
            warehouse: service("warehouse")?,
            shipping: service("shipping")?,
            dead_letters: service("dead-letters")?,
        })
    }

    fn all(&self) -> [&Service; 4] {
        [&self.shop, &self.warehouse, &self.shipping, &self.dead_letters]
    }
}

/// Publishes the orders one by one, each when the one before is done.
async fn trade(url: &str, cluster: &Cluster, services: &Services) -> anyhow::Result<()> {
    let (done, mut finished) = mpsc::channel(ORDERS.len());
    // Consumers first, the last one first: a message that nobody waits for yet would wait in its queue, and the picture would show that.
    let dead_letters = DeadLetters::open(url, &services.dead_letters, done.clone()).await?;
    let shipping = Shipping::open(cluster, &services.shipping, done.clone()).await?;
    let parcels = Parcels::open(cluster, &services.warehouse)?;
    let warehouse = Warehouse::open(url, &services.warehouse, parcels, done).await?;
    let shop = Shop::open(url, &services.shop).await?;
    // Dropped at the end, it ends them.
    let mut workers = JoinSet::new();
    workers.spawn(dead_letters.run());
    workers.spawn(shipping.run());
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
