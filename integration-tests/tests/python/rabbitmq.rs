//! pika.

mod ours;

use anyhow::{Context as _, Result};
use lapin::message::Delivery;
use opentelemetry::trace::{FutureExt as _, SpanKind};
use ours::{Ours, headers};
use serde_json::json;

use crate::context::{
    BAGGAGE, BAGGAGE_OF_PYTHON, REQUESTS_BAGGAGE, SIGNS, TRACESTATE, VALUE, assert_child, assert_continues, baggage,
    request, text, traceparent,
};
use crate::{environment, partner};

#[tokio::test]
async fn python_publishes_and_our_consumer_continues_the_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (queue, next) = (ours.queue().await?, ours.queue().await?);
    let arguments = [queue.as_str(), TRACESTATE, "user", VALUE, "signs", SIGNS];
    let reports = partner::run(python, ours.url(), "rabbitmq/publisher.py", &arguments).await?;

    let (came, seen) = ours
        .next(&queue)
        .await?
        .process(async |delivery: Delivery| {
            let came = headers(delivery.properties.headers().as_ref())?;
            ours.publish(&next).await?;
            anyhow::Ok((came, baggage()))
        })
        .await?;

    let publish = reports.span(&format!("{queue} send"))?;
    assert_eq!(publish["kind"], "PRODUCER");
    assert!(reports.is_below(publish, "checkout"));
    assert_eq!(publish["flags"], 3, "Python says that its trace ids are random");
    let (trace_id, span_id) = (text(publish, "trace_id"), text(publish, "span_id"));
    assert_continues(&ours.span(&SpanKind::Consumer)?, publish);

    // What Python wrote, the reason of what is read.
    assert_eq!(came["traceparent"], format!("00-{trace_id}-{span_id}-03"));
    assert_eq!(came["tracestate"], TRACESTATE);
    assert_eq!(came["baggage"], BAGGAGE_OF_PYTHON);
    let expected = [("signs", SIGNS), ("user", VALUE)];
    assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());

    // The next hop has both flags, the tracestate, and the baggage as every language reads it.
    let sent = ours.waiting(&next).await?;
    let publish = ours.span(&SpanKind::Producer)?;
    assert_eq!(publish.parent_id(), Some(ours.span(&SpanKind::Consumer)?.span_id()));
    assert_eq!(sent["traceparent"], format!("00-{trace_id}-{}-03", publish.span_id()));
    assert_eq!(sent["tracestate"], TRACESTATE);
    assert_eq!(sent["baggage"], BAGGAGE);
    Ok(())
}

#[tokio::test]
async fn we_publish_and_a_python_consumer_continues_the_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    for flags in [1, 3] {
        ours.capture.clear();
        let queue = ours.queue().await?;
        ours.publish(&queue).with_context(request(flags)?).await?;
        let reports = partner::run(python, ours.url(), "rabbitmq/consumer.py", &[queue.as_str()]).await?;

        let publish = ours.span(&SpanKind::Producer)?;
        let receive = reports.span(&format!("{queue} receive"))?;
        assert_child(receive, "CONSUMER", &publish);
        assert_eq!(receive["flags"], flags, "as the request had them");
        assert_eq!(reports.span("handle")?["parent_id"], receive["span_id"]);

        let message = reports.message()?;
        assert_eq!(message["body"], "from Rust");
        assert_eq!(message["baggage"], json!({ "user": VALUE, "plain": "1" }));
        assert_eq!(
            message["headers"],
            json!([
                ["baggage", "str", REQUESTS_BAGGAGE],
                ["traceparent", "str", traceparent(&publish, flags)],
                ["tracestate", "str", TRACESTATE],
            ])
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_chain_from_rust_through_python_to_rust_is_one_trace() -> Result<()> {
    let Some(python) = environment::interpreter().await? else { return Ok(()) };
    let ours = Ours::connect().await?;
    let (queue, next) = (ours.queue().await?, ours.queue().await?);
    ours.publish(&queue).with_context(request(1)?).await?;
    let reports = partner::run(python, ours.url(), "rabbitmq/consumer.py", &[queue.as_str(), next.as_str()]).await?;
    let (came, seen) = ours
        .next(&next)
        .await?
        .process(async |delivery: Delivery| anyhow::Ok((headers(delivery.properties.headers().as_ref())?, baggage())))
        .await?;

    let receive = reports.span(&format!("{queue} receive"))?;
    let send = reports.span(&format!("{next} send"))?;
    assert_child(receive, "CONSUMER", &ours.span(&SpanKind::Producer)?);
    assert_eq!(reports.span("handle")?["parent_id"], receive["span_id"]);
    assert!(reports.is_below(send, "handle"));
    assert_continues(&ours.span(&SpanKind::Consumer)?, send);
    ours.capture.assert_one_trace();

    // Python had the value whole, and wrote its spaces as `+` and its plus as `%2B`.
    assert_eq!(reports.message()?["baggage"]["user"], VALUE);
    assert_eq!(seen.get("user").context("no baggage")?, VALUE);
    assert_eq!(came.keys().collect::<Vec<_>>(), ["baggage", "traceparent", "tracestate"], "each one once");
    Ok(())
}
