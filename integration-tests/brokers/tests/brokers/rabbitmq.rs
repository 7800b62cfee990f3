//! RabbitMQ.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use test_brokers::{Environment, RABBITMQ, RabbitMq, Way};

use crate::only;

/// `None` if it is refused, or the first bytes of what it says to a client's greeting.
fn greet(broker: &RabbitMq) -> Result<Option<Vec<u8>>> {
    let place = broker.url().rsplit_once('@').and_then(|(_, rest)| rest.split('/').next()).context("host:port")?;
    let Ok(mut stream) = TcpStream::connect(place) else {
        return Ok(None);
    };
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut answer = vec![0; 11];
    stream.read_exact(&mut answer)?;
    Ok(Some(answer))
}

fn assert_answers(broker: &RabbitMq) -> Result<()> {
    let answer = greet(broker)?.context("refused")?;
    // A method frame on channel 0, its size, and connection.start: class 10, method 10.
    ensure!(answer.starts_with(&[1, 0, 0]) && answer.ends_with(&[0, 10, 0, 10]), "{answer:?}");
    Ok(())
}

async fn live_through_a_stop_and_a_crash(environment: Environment) -> Result<()> {
    let broker = RabbitMq::start_in(environment).await?;
    println!("{}", broker.describe());
    let url = broker.url().to_owned();
    assert_answers(&broker)?;

    broker.stop().await?;
    ensure!(greet(&broker)?.is_none(), "it answers although it is stopped");
    broker.start_again().await?;
    assert_answers(&broker)?;

    broker.kill().await?;
    ensure!(greet(&broker)?.is_none(), "it answers although it is killed");
    broker.start_again().await?;
    assert_answers(&broker)?;

    broker.restart().await?;
    assert_answers(&broker)?;
    ensure!(broker.url() == url, "the address changed");
    Ok(())
}

#[tokio::test]
async fn a_container_keeps_its_address_through_stop_kill_and_restart() -> Result<()> {
    only(Way::Docker, &RABBITMQ, live_through_a_stop_and_a_crash).await
}

#[tokio::test]
async fn a_local_process_keeps_its_address_through_stop_kill_and_restart() -> Result<()> {
    only(Way::Local, &RABBITMQ, live_through_a_stop_and_a_crash).await
}

#[tokio::test]
async fn a_shared_broker_is_one_and_can_be_given_by_its_address_but_not_stopped() -> Result<()> {
    let (mine, yours) = (RabbitMq::shared().await?, RabbitMq::shared().await?);
    println!("{}", mine.describe());
    ensure!(mine.url() == yours.url(), "two brokers");

    let environment = Environment::of_process().without(Way::VARIABLE).with(RABBITMQ.url_variable, mine.url());
    let given = RabbitMq::start_in(environment).await?;
    assert_answers(&given)?;
    ensure!(!given.describe().contains("traced:"), "a password in {}", given.describe());
    let error = given.restart().await.expect_err("it is not ours").to_string();
    ensure!(error.contains("TRACED_RABBITMQ_URL") && !error.contains('\n'), "{error}");
    drop(given);
    assert_answers(&mine)
}

#[tokio::test]
async fn an_address_where_nothing_answers_is_named_in_one_line() -> Result<()> {
    let environment = Environment::default().with(RABBITMQ.url_variable, "amqp://me:secret@127.0.0.1:1/%2f");
    let error = RabbitMq::start_in(environment).await.expect_err("nothing is there").to_string();
    ensure!(error == "no RabbitMQ answers at 127.0.0.1:1, which TRACED_RABBITMQ_URL names", "{error}");
    Ok(())
}
