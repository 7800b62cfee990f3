//! Telemetry on its way out: two services export over OTLP to a collector that is there, dead, or silent.

mod services;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lapin::message::Delivery;
use opentelemetry::{
    Context,
    trace::{FutureExt as _, SpanKind, TraceContextExt as _, Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use services::{Services, next, provider, shut_down};
use test_collector::{Answers, Collector, unreachable};
use traced_rabbitmq::Settings;

fn settings(provider: &SdkTracerProvider) -> Settings {
    Settings::default().tracer_provider(provider.clone())
}

/// A request to the shop, around what it publishes.
fn checkout(shop: &SdkTracerProvider) -> Context {
    let tracer = shop.tracer("checkout");
    Context::new().with_span(tracer.start_with_context("checkout", &Context::new()))
}

#[tokio::test]
async fn spans_of_two_services_arrive_with_their_parents_links_and_attributes() -> Result<()> {
    let collector = Collector::start()?;
    let (shop, warehouse) = (provider("shop", &collector.endpoint())?, provider("warehouse", &collector.endpoint())?);
    let services = Services::connect().await?;
    let mut consumer = services.consumer(&settings(&warehouse)).await?;

    let cx = checkout(&shop);
    services.publish(&settings(&shop), b"order").with_context(cx.clone()).await?;
    cx.span().end();
    next(&mut consumer)
        .await?
        .process_and_settle(async |_: Delivery| {
            let tracer = warehouse.tracer("stock");
            tracer.span_builder("reserve stock").with_kind(SpanKind::Internal).start(&tracer);
            Ok::<_, lapin::Error>(())
        })
        .await?;
    for provider in [shop, warehouse] {
        shut_down(&provider, services::LIMIT).await?;
    }

    let forest = collector.received().forest();
    let publish = format!("publish {}:order.created", services.exchange);
    let process = format!("process {}:order.created:{}", services.exchange, services.queue);
    forest.assert_trace(&format!(
        "
        checkout  shop  INTERNAL
          {publish}  shop  PRODUCER
            {process}  warehouse  CONSUMER  → {publish}
              reserve stock  warehouse  INTERNAL
        "
    ));
    assert_eq!(forest.assert_one_trace(), cx.span().span_context().trace_id());

    for (name, attributes) in [
        (publish, [("messaging.operation.type", "send"), ("messaging.operation.name", "publish")]),
        (process, [("messaging.operation.type", "process"), ("messaging.rabbitmq.message.delivery_tag", "1")]),
    ] {
        let span = forest.spans().iter().find(|span| span.name() == name).expect("it is in the forest");
        assert_eq!(span.scope().name(), "traced-rabbitmq");
        let routed = ("messaging.rabbitmq.destination.routing_key", "order.created");
        for (key, value) in attributes.into_iter().chain([("messaging.system", "rabbitmq"), routed]) {
            assert_eq!(span.attribute(key).map(ToString::to_string).as_deref(), Some(value), "{key} in {span:#?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_links_of_a_batch_arrive() -> Result<()> {
    let collector = Collector::start()?;
    let (shop, warehouse) = (provider("shop", &collector.endpoint())?, provider("warehouse", &collector.endpoint())?);
    let services = Services::connect().await?;
    let mut consumer = services.consumer(&settings(&warehouse)).await?;

    services.publish_batch(&settings(&shop), [b"1", b"2"]).with_context(checkout(&shop)).await?;
    for _ in 0..2 {
        next(&mut consumer).await?.process_and_settle(async |_| Ok::<_, lapin::Error>(())).await?;
    }
    for provider in [shop, warehouse] {
        shut_down(&provider, services::LIMIT).await?;
    }

    let [create, publish] = ["create", "publish"].map(|name| format!("{name} {}:order.created", services.exchange));
    let process = format!("process {}:order.created:{}", services.exchange, services.queue);
    // The create spans are the producers.
    collector.received().forest().assert_trace(&format!(
        "
        checkout  shop  INTERNAL
          {publish}  shop  CLIENT  → {create}, {create}
          {create}  shop  PRODUCER
            {process}  warehouse  CONSUMER  → {create}
          {create}  shop  PRODUCER
            {process}  warehouse  CONSUMER  → {create}
        "
    ));
    Ok(())
}

/// Enough to fill the queue of spans several times over.
const MESSAGES: u32 = 300;

/// Whether it answers or not, a collector is nothing that a message waits for.
async fn assert_no_effect_on_messages(endpoint: &str) -> Result<()> {
    let services = Services::connect().await?;
    let off = Settings::default().enabled(false);
    let bare = services.exchange(&off, &off, MESSAGES).await?;

    let services_with = Services::connect().await?;
    let (shop, warehouse) = (provider("shop", endpoint)?, provider("warehouse", endpoint)?);
    let traced = services_with.exchange(&settings(&shop), &settings(&warehouse), MESSAGES).await?;
    // An exporter would hold a message up for a minute; the rest is what a busy machine may add.
    ensure!(traced < bare * 4 + Duration::from_secs(5), "{MESSAGES} messages took {traced:?}, without spans {bare:?}");

    for provider in [&shop, &warehouse] {
        let start = Instant::now();
        // An error: spans were lost. The application goes on.
        shut_down(provider, Duration::from_secs(1)).await.ok();
        ensure!(start.elapsed() < Duration::from_secs(10), "shutting down took {:?}", start.elapsed());
    }
    // Providers that are no more: messages go on, too.
    services_with.exchange(&settings(&shop), &settings(&warehouse), 1).await?;
    ensure!(services_with.left_nothing().await?, "messages were left");
    Ok(())
}

#[tokio::test]
async fn a_collector_that_is_not_there_has_no_effect_on_messages() -> Result<()> {
    assert_no_effect_on_messages(&unreachable()?).await
}

#[tokio::test]
async fn a_collector_that_never_answers_has_no_effect_on_messages() -> Result<()> {
    let collector = Collector::answering(Answers::Never)?;
    assert_no_effect_on_messages(&collector.endpoint()).await?;
    ensure!(collector.received().requests() > 0, "the collector was not asked");
    Ok(())
}
