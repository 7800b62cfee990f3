//! `cargo bench -p benches --bench throughput`: messages per second through real brokers, by the bare client and traced, in pairs.
//!
//! Sent and received at the same time, with a window of unanswered messages, once by the bare client, once traced, and once by the bare
//! client with a header as long as ours. `-- kafka` and `-- rabbitmq` run one broker alone.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod apalis;
mod kafka;
mod rabbitmq;
mod redis;
mod rounds;

use benches::sdk::Sdk;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    Sdk::Sampled.install();
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |broker: &str| asked.is_empty() || asked.iter().any(|asked| asked == broker);
    if wanted("rabbitmq") {
        rabbitmq::compare().await?;
    }
    if wanted("kafka") {
        kafka::compare().await?;
    }
    if wanted("redis") {
        redis::compare().await?;
    }
    if wanted("apalis") {
        apalis::compare().await?;
    }
    Ok(())
}
