//! A test as users write it: their own publishing and consuming, a real broker, and the whole trace in one assertion.

use anyhow::Context as _;
use opentelemetry_sdk::trace::SdkTracer;
use test_brokers::RabbitMq;
use traced_envelope::testing::Capture;
use traced_rabbitmq::{
    TracedConsumer, TracedProducer,
    lapin::{BasicProperties, Channel, Connection, ConnectionProperties, options::*, types::FieldTable},
    opentelemetry::{Context, context::FutureExt as _, trace::TraceContextExt as _, trace::Tracer as _},
};

/// The application's code takes its producer: in production one with process-wide providers, here one with the capture's.
async fn checkout(producer: &TracedProducer, tracer: &SdkTracer) -> anyhow::Result<()> {
    let publish = async {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        producer.publish("".into(), "one-trace".into(), options, b"coffee", properties).await?.await
    };
    publish.with_context(Context::current_with_span(tracer.start("checkout"))).await?;
    Ok(())
}

async fn work(consumer: &mut TracedConsumer, tracer: &SdkTracer) -> anyhow::Result<()> {
    let delivery = consumer.next().await.context("the consumer was cancelled")??;
    delivery
        .process_and_settle(async |_| {
            tracer.in_span("reserve stock", |_| ());
            anyhow::Ok(())
        })
        .await
}

#[tokio::test]
async fn an_order_is_one_trace_from_the_shop_to_the_warehouse() -> anyhow::Result<()> {
    let broker = RabbitMq::shared().await?;
    let connection = Connection::connect(broker.url(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let capture = Capture::new();
    let mut consumer = TracedConsumer::with_settings(consumer(&channel).await?, &capture.settings("warehouse"));
    let producer = TracedProducer::with_settings(channel, &capture.settings("shop"));

    checkout(&producer, &capture.tracer("shop")).await?;
    work(&mut consumer, &capture.tracer("warehouse")).await?;

    // Run it once with an empty text: the failure prints the trace, ready to be pasted here.
    capture.assert_trace(
        "
        checkout                      shop       INTERNAL
        └─ publish one-trace          shop       PRODUCER  {messaging.system=rabbitmq}
           └─ process one-trace       warehouse  CONSUMER  → publish one-trace  {traced.message.attempt=1}
              └─ reserve stock        warehouse  INTERNAL
        ",
    );
    Ok(())
}

async fn consumer(channel: &Channel) -> anyhow::Result<traced_rabbitmq::lapin::Consumer> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("one-trace".into(), exclusive, FieldTable::default()).await?;
    let options = BasicConsumeOptions::default();
    Ok(channel.basic_consume("one-trace".into(), "".into(), options, FieldTable::default()).await?)
}
