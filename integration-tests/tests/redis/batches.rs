//! Many messages in one process span.

use anyhow::{Result, anyhow};
use traced_redis::Form;

use crate::server::{Server, attribute, next, unique};

#[tokio::test]
async fn a_batch_is_one_span_that_links_every_publisher() -> Result<()> {
    let server = Server::shared().await?;
    let channel = unique("orders");
    let mut consumer = server.consumer(&channel).await?;
    let mut producer = server.producer(Form::Binary).await?;
    producer.publish(&channel, b"1").await?;
    producer.publish_json(&channel, &2).await?;
    let messages = vec![next(&mut consumer).await?, next(&mut consumer).await?];
    let payloads = consumer.process_batch(messages, async |messages| {
        anyhow::Ok(messages.iter().map(|message| message.payload().to_vec()).collect::<Vec<_>>())
    });
    assert_eq!(payloads.await?, [b"1", b"2"]);
    let span = server.capture.span(&format!("process {channel}"));
    assert_eq!(span.links().len(), 2);
    assert_eq!(attribute(&span, "messaging.batch.message_count").as_deref(), Some("2"));
    assert!(span.links().iter().all(|link| link.attributes.is_empty()));
    Ok(())
}

#[tokio::test]
async fn what_differs_stands_on_the_links() -> Result<()> {
    let server = Server::shared().await?;
    let (first, second) = (unique("orders"), unique("returns"));
    let mut consumer = server.consumer(&first).await?;
    consumer.get_mut().subscribe(&second).await?;
    let mut producer = server.producer(Form::Binary).await?;
    producer.publish(&first, b"1").await?;
    producer.publish(&second, b"2").await?;
    let messages = vec![next(&mut consumer).await?, next(&mut consumer).await?];
    let failed = consumer.process_batch_blocking(messages, |messages| Err::<(), _>(anyhow!("{}", messages.len())));
    assert_eq!(failed.expect_err("the handler's").to_string(), "2");
    let span = server.capture.span("process");
    assert_eq!(attribute(&span, "messaging.destination.name"), None);
    let names: Vec<_> = span
        .links()
        .iter()
        .flat_map(|link| &link.attributes)
        .map(|own| (own.key.to_string(), own.value.to_string()))
        .collect();
    assert_eq!(names, [first, second].map(|name| ("messaging.destination.name".to_owned(), name)));
    assert!(span.is_error());
    Ok(())
}
