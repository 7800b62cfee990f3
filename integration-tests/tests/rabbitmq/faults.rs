//! The broker dies. That it comes back in the middle of consumption is in the conformance suite.

use anyhow::Result;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, ConnectionProperties};
use test_brokers::RabbitMq;

use crate::channel::{Rabbit, bare, soon};
use crate::proxy::Proxy;

/// The broker would answer too soon: its answers are held until it is dead.
#[tokio::test]
async fn confirms_that_wait_when_the_broker_is_killed_get_lapins_own_error() -> Result<()> {
    let server = RabbitMq::start().await?;
    let proxy = Proxy::start(server.url()).await?;
    let rabbit = Rabbit::connect(proxy.url(), ConnectionProperties::default()).await?;
    let queue = rabbit.queue().await?;
    proxy.hold();
    let untraced = bare(&rabbit.channel, "", queue.as_str(), BasicProperties::default()).await?;
    let mut traced = Vec::new();
    for _ in 0..3 {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        traced.push(rabbit.producer().publish("".into(), queue.clone(), options, b"7", properties).await?);
    }
    assert_eq!(rabbit.capture.open_spans().len(), 3);
    server.kill().await?;

    let expected = soon(untraced).await?.expect_err("the broker is dead");
    for confirm in traced {
        let error = soon(confirm).await?.expect_err("the broker is dead");
        assert_eq!(error.to_string(), expected.to_string());
    }
    let line = format!("publish {queue}  shop  PRODUCER  ✗ io_error\n");
    rabbit.capture.assert_trace(&line.repeat(3));
    let sent = rabbit.capture.metric("messaging.client.sent.messages");
    assert_eq!((sent.value(), sent.attribute("error.type")), (3.0, Some(&"io_error".into())));

    rabbit.capture.clear();
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let error = rabbit.producer().publish("".into(), queue.clone(), options, b"7", properties).await;
    let bare = bare(&rabbit.channel, "", queue.as_str(), BasicProperties::default()).await;
    let (error, bare) = (error.expect_err("nobody is there"), bare.expect_err("nobody is there"));
    assert_eq!(error.to_string(), bare.to_string());
    assert!(rabbit.capture.span(&format!("publish {queue}")).is_error());
    rabbit.capture.assert_no_open_spans();
    Ok(())
}
