//! Kafka, as a real client meets it.

use std::{fs, net::TcpStream, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{CommitMode, Consumer as _, StreamConsumer},
    producer::{FutureProducer, FutureRecord},
};
use test_brokers::{Environment, KAFKA, Kafka, Way};
use tokio::time::timeout;

use crate::only;

const LIMIT: Duration = Duration::from_secs(60);
const GROUP: &str = "readers";

fn client(broker: &Kafka) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", broker.bootstrap_servers());
    client
}

async fn send(broker: &Kafka, topic: &str, payload: &str) -> Result<()> {
    let producer: FutureProducer = client(broker).set("message.timeout.ms", "30000").create()?;
    let record = FutureRecord::<(), _>::to(topic).payload(payload);
    producer.send(record, LIMIT).await.map_err(|(error, _)| error)?;
    Ok(())
}

/// The next message for the group, which then is done with it.
async fn receive(broker: &Kafka, topic: &str) -> Result<String> {
    let consumer: StreamConsumer = client(broker)
        .set("group.id", GROUP)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&[topic])?;
    let message = timeout(LIMIT, consumer.recv()).await.context("no message came")??;
    let payload = message.payload_view::<str>().context("no payload")??.to_owned();
    consumer.commit_message(&message, CommitMode::Sync)?;
    Ok(payload)
}

fn refuses(broker: &Kafka) -> bool {
    TcpStream::connect(broker.bootstrap_servers()).is_err()
}

async fn live_through_a_stop_and_a_crash(environment: Environment) -> Result<()> {
    let broker = Kafka::start_in(environment).await?;
    println!("{}", broker.describe());
    let servers = broker.bootstrap_servers().to_owned();
    // It was never created: that it is there is a setting of the broker.
    let topic = "orders";
    for payload in ["before the stop", "before the crash", "before the restart", "last"] {
        send(&broker, topic, payload).await?;
    }

    ensure!(receive(&broker, topic).await? == "before the stop");
    broker.stop().await?;
    ensure!(refuses(&broker), "it answers although it is stopped");
    broker.start_again().await?;

    // Neither the messages nor what the group is done with got lost.
    ensure!(receive(&broker, topic).await? == "before the crash");
    broker.kill().await?;
    ensure!(refuses(&broker), "it answers although it is killed");
    broker.start_again().await?;

    ensure!(receive(&broker, topic).await? == "before the restart");
    broker.restart().await?;
    ensure!(receive(&broker, topic).await? == "last");
    ensure!(broker.bootstrap_servers() == servers, "the address changed");
    Ok(())
}

#[tokio::test]
async fn a_container_keeps_its_address_and_its_data_through_stop_kill_and_restart() -> Result<()> {
    only(Way::Docker, &KAFKA, live_through_a_stop_and_a_crash).await
}

#[tokio::test]
async fn a_local_process_keeps_its_address_and_its_data_through_stop_kill_and_restart() -> Result<()> {
    only(Way::Local, &KAFKA, live_through_a_stop_and_a_crash).await
}

/// Of a local process: what `describe` says is its id.
fn process(broker: &Kafka) -> Result<u32> {
    let (_, rest) = broker.describe().split_once(", process ").context("no process")?;
    Ok(rest.split(' ').next().unwrap_or_default().parse()?)
}

#[tokio::test]
async fn a_local_process_is_gone_with_its_directory_once_it_is_dropped() -> Result<()> {
    only(Way::Local, &KAFKA, async |environment| {
        let broker = Kafka::start_in(environment).await?;
        let process = Path::new("/proc").join(process(&broker)?.to_string());
        let directory = fs::read_link(process.join("cwd"))?;
        ensure!(
            directory.join("data/meta.properties").exists(),
            "its data is elsewhere than in {}",
            directory.display()
        );
        drop(broker);
        ensure!(!process.exists() && !directory.exists(), "{} stays", directory.display());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_shared_broker_is_one_and_can_be_given_by_its_address_but_not_stopped() -> Result<()> {
    let (mine, yours) = (Kafka::shared().await?, Kafka::shared().await?);
    println!("{}", mine.describe());
    ensure!(mine.bootstrap_servers() == yours.bootstrap_servers(), "two brokers");

    // The first one does not answer: a client asks the second, and so does the look at the address.
    let servers = format!("127.0.0.1:1,{}", mine.bootstrap_servers());
    let environment = Environment::of_process().without(Way::VARIABLE).with(KAFKA.url_variable, &servers);
    let given = Kafka::start_in(environment).await?;
    let topic = format!("shared-{}", std::process::id());
    send(&given, &topic, "hello").await?;
    ensure!(given.describe().ends_with(&servers), "{}", given.describe());
    let error = given.restart().await.expect_err("it is not ours").to_string();
    ensure!(error.contains("TRACED_KAFKA_URL") && !error.contains('\n'), "{error}");
    drop(given);
    send(&mine, &topic, "still there").await
}

#[tokio::test]
async fn an_address_where_no_kafka_answers_is_named_in_one_line() -> Result<()> {
    let environment = Environment::default().with(KAFKA.url_variable, "127.0.0.1:1,[::1]:1");
    let error = Kafka::start_in(environment).await.expect_err("nothing is there").to_string();
    ensure!(error == "no Kafka answers at 127.0.0.1:1,[::1]:1, which TRACED_KAFKA_URL names", "{error}");
    let malformed = Environment::default().with(KAFKA.url_variable, "kafka://there");
    let error = Kafka::start_in(malformed).await.expect_err("malformed").to_string();
    ensure!(error == "TRACED_KAFKA_URL is malformed: it takes host:port[,host:port]", "{error}");
    Ok(())
}
