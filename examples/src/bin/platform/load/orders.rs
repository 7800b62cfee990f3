//! Sends the orders.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use examples::runner::{Accepted, Customer};
use tokio::task::JoinSet;
use traced_rabbitmq::opentelemetry::TraceId;

use crate::arguments::Load;

/// What the gateway answered.
pub(super) struct Sent {
    pub(super) accepted: Vec<Accepted>,
    /// How many requests failed, by their error.
    pub(super) refused: BTreeMap<String, usize>,
    pub(super) took: Duration,
}

impl Sent {
    pub(super) fn traces(&self) -> HashSet<TraceId> {
        self.accepted.iter().map(|order| order.trace_id).collect()
    }
}

/// So many at a time, until all are answered.
pub(super) async fn send(customer: &Customer, gateway: &str, arguments: &Load) -> anyhow::Result<Sent> {
    let bar = super::bar(arguments.orders, "answered")?;
    let start = Instant::now();
    let mut sent = Sent { accepted: Vec::new(), refused: BTreeMap::new(), took: Duration::ZERO };
    let (mut requests, mut numbers) = (JoinSet::new(), 0..arguments.orders);
    loop {
        while requests.len() < arguments.concurrency
            && let Some(number) = numbers.next()
        {
            let (customer, gateway) = (customer.clone(), gateway.to_owned());
            requests.spawn(async move { customer.order(&gateway, item(number), &[]).await });
        }
        let Some(answer) = requests.join_next().await else { break };
        match answer? {
            Ok(accepted) => sent.accepted.push(accepted),
            Err(error) => *sent.refused.entry(format!("{error:#}")).or_default() += 1,
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    sent.took = start.elapsed();
    Ok(sent)
}

/// Of twenty orders two need a second attempt, and one cannot be paid for.
fn item(number: usize) -> &'static str {
    match number % 20 {
        4 | 14 => "tea",
        19 => "saffron",
        _ => "coffee",
    }
}
