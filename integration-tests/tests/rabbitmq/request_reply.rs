//! Questions and answers over direct reply-to.

use std::pin::pin;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::{Either, select};
use lapin::BasicProperties;
use lapin::options::{BasicAckOptions, BasicPublishOptions};
use lapin::types::ShortString;
use traced_rabbitmq::{TracedConsumer, TracedProducer, TracedRequester};

use crate::channel::{Rabbit, attribute, next, soon};

async fn requester(rabbit: &Rabbit) -> Result<TracedRequester> {
    Ok(TracedRequester::with_settings(rabbit.another_channel().await?, &rabbit.shop()).await?)
}

/// Takes a question and answers it through the traced producer.
async fn answer(rabbit: &Rabbit, consumer: &mut TracedConsumer) -> Result<()> {
    let producer = &TracedProducer::with_settings(rabbit.channel.clone(), &rabbit.warehouse());
    let answering = next(consumer).await?.process(async move |request| {
        let confirm = producer.reply(&request, b"9.90", BasicProperties::default()).await?;
        soon(confirm.context("the question names where to")?).await??;
        ensure!(request.ack(BasicAckOptions::default()).await?);
        Ok(())
    });
    answering.await
}

#[tokio::test]
async fn question_and_answer_are_one_trace_and_the_answers_destination_is_anonymous() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let (mut requester, mut responder) = (requester(&rabbit).await?, rabbit.consumer(&queue).await?);
    let question = BasicProperties::default().with_correlation_id("price-of-42".into());
    let asking = requester.request("".into(), queue.clone(), b"item 42", question);
    let (reply, answered) = soon(async { tokio::join!(asking, answer(&rabbit, &mut responder)) }).await?;
    answered?;
    let price = reply?.context("a reply")?.process(async |reply| anyhow::Ok(reply.data)).await?;
    assert_eq!(price, b"9.90");
    rabbit.capture.assert_trace(&format!(
        "publish {queue}            shop       PRODUCER
           process {queue}          warehouse  CONSUMER  → publish {queue}  {{messaging.message.conversation_id=price-of-42}}
             publish                warehouse  PRODUCER  {{messaging.destination.anonymous=true, messaging.message.conversation_id=price-of-42}}
               process              shop       CONSUMER  → publish  {{messaging.destination.anonymous=true, messaging.message.conversation_id=price-of-42}}"
    ));
    rabbit.capture.assert_no_open_spans();
    for span in rabbit.capture.spans().iter().filter(|span| !span.name().contains(' ')) {
        let name = attribute(span, "messaging.destination.name").unwrap_or_default();
        assert!(name.starts_with("amq.rabbitmq.reply-to"), "{name}");
    }
    for metric in rabbit.capture.metrics() {
        let made_up = metric.attributes().iter().any(|attribute| attribute.value.to_string().contains("reply-to"));
        assert!(!made_up, "{metric:?}");
    }
    Ok(())
}

/// Conversation ids are what backends search by: those of two requesters once were both 1, 2, 3.
#[tokio::test]
async fn a_question_without_an_id_gets_one_that_no_other_has() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let mut responder = rabbit.consumer(&queue).await?;
    let mut ids = Vec::new();
    for mut requester in [requester(&rabbit).await?, requester(&rabbit).await?] {
        for _ in 0..2 {
            let asking = requester.request("".into(), queue.clone(), b"item 42", BasicProperties::default());
            let (reply, answered) = soon(async { tokio::join!(asking, answer(&rabbit, &mut responder)) }).await?;
            answered?;
            ids.push(reply?.context("a reply")?.into_inner().properties.correlation_id().clone().context("an id")?);
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "{ids:?}");
    Ok(())
}

/// The first question is given up; its answer comes when the second is asked.
#[tokio::test]
async fn the_answer_to_an_abandoned_question_is_passed_over() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let (mut requester, mut responder) = (requester(&rabbit).await?, rabbit.consumer(&queue).await?);
    let bare = async |consumer: &mut TracedConsumer| {
        let delivery = next(consumer).await?;
        let properties = delivery.get_ref().properties.clone();
        let to = properties.reply_to().clone().context("reply_to")?;
        let id = properties.correlation_id().clone().context("correlation id")?;
        anyhow::Ok((to, id))
    };
    {
        let asking = requester.request("".into(), queue.clone(), b"first", BasicProperties::default());
        let question = bare(&mut responder);
        let (to, id) = match select(pin!(asking), pin!(question)).await {
            Either::Left(_) => anyhow::bail!("nobody has answered"),
            Either::Right((question, _)) => question?,
        };
        reply(&rabbit, &to, &id, b"stale").await?;
    }
    let asking = requester.request("".into(), queue.clone(), b"second", BasicProperties::default());
    let answering = async {
        let (to, id) = bare(&mut responder).await?;
        reply(&rabbit, &to, &id, b"fresh").await
    };
    let (answer, answered) = soon(async { tokio::join!(asking, answering) }).await?;
    answered?;
    assert_eq!(answer?.context("a reply")?.get_ref().data, b"fresh");
    rabbit.capture.assert_no_open_spans();
    Ok(())
}

async fn reply(rabbit: &Rabbit, to: &ShortString, id: &ShortString, payload: &[u8]) -> Result<()> {
    let properties = BasicProperties::default().with_correlation_id(id.clone());
    let options = BasicPublishOptions::default();
    soon(rabbit.channel.basic_publish("".into(), to.clone(), options, payload, properties).await?).await??;
    Ok(())
}

#[tokio::test]
async fn a_message_that_asks_for_no_reply_gets_none() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, BasicProperties::default()).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let delivery = next(&mut consumer).await?;
    let reply = rabbit.producer().reply(delivery.get_ref(), b"9.90", BasicProperties::default()).await?;
    assert!(reply.is_none());
    assert!(rabbit.capture.spans().is_empty());
    Ok(())
}

/// Direct reply-to knows no acknowledgements: one would close the channel.
#[tokio::test]
async fn a_reply_is_settled_by_nobody() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    let (mut requester, mut responder) = (requester(&rabbit).await?, rabbit.consumer(&queue).await?);
    for _ in 0..2 {
        let asking = requester.request("".into(), queue.clone(), b"item 42", BasicProperties::default());
        let (reply, answered) = soon(async { tokio::join!(asking, answer(&rabbit, &mut responder)) }).await?;
        answered?;
        reply?.context("a reply")?.process_and_settle(async |_| anyhow::Ok(())).await?;
    }
    Ok(())
}
