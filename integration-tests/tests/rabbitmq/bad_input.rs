//! Headers as no publisher should write them: the message is processed, without a context, and counted by its reason.

use anyhow::Result;
use lapin::BasicProperties;
use lapin::options::BasicAckOptions;
use lapin::types::{AMQPValue, FieldArray};
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::{TraceContextExt as _, TraceState};
use traced_envelope::testing::CapturedSpan;

use crate::channel::{Rabbit, next, table, text, with_headers};

const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-11111111111111111111111111111111-b7ad6b7169203331-01";

/// The process span of a message with these properties, whose handler ran, and the baggage that the handler had.
async fn process(rabbit: &Rabbit, properties: BasicProperties) -> Result<(CapturedSpan, usize)> {
    let queue = rabbit.queue().await?;
    rabbit.capture.clear();
    rabbit.publish_bare(&queue, properties).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let baggage = next(&mut consumer).await?.process(async |delivery| {
        delivery.ack(BasicAckOptions::default()).await?;
        anyhow::Ok(Context::map_current(|current| current.baggage().len()))
    });
    let baggage = baggage.await?;
    rabbit.capture.assert_no_open_spans();
    let span = rabbit.capture.span(&format!("process {queue}"));
    assert!(!span.is_error());
    Ok((span, baggage))
}

/// Why the message was counted as one without a context, if it was.
fn reason(rabbit: &Rabbit, span: &CapturedSpan) -> Option<String> {
    let metric = rabbit.capture.metrics().into_iter().find(|metric| metric.name() == "traced.context.missing")?;
    assert_eq!(metric.value(), 1.0);
    assert_eq!(metric.attribute("messaging.destination.name"), span.attribute("messaging.destination.name"));
    metric.attribute("traced.context.reason").map(ToString::to_string)
}

fn strange() -> Vec<(&'static str, AMQPValue)> {
    vec![
        ("a long string that is not UTF-8", AMQPValue::LongString(vec![0xff, 0xfe].into())),
        ("a byte array that is not UTF-8", AMQPValue::ByteArray(vec![0x80; 55].into())),
        ("an integer", AMQPValue::LongLongInt(7)),
        ("a truth value", AMQPValue::Boolean(true)),
        ("a float", AMQPValue::Double(0.5)),
        ("a time", AMQPValue::Timestamp(1)),
        ("nothing", AMQPValue::Void),
        ("a table", AMQPValue::FieldTable(table([("traceparent", text(VALID))]))),
        ("an array", AMQPValue::FieldArray(FieldArray::from(vec![text(VALID)]))),
    ]
}

#[tokio::test]
async fn a_traceparent_of_the_wrong_type_is_no_context_and_counted() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    for (case, value) in strange() {
        let (span, _) = process(&rabbit, with_headers([("traceparent", value)])).await?;
        assert_eq!(reason(&rabbit, &span).as_deref(), Some("invalid"), "{case}");
        assert_eq!((span.parent_id(), span.links().len()), (None, 0), "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn a_traceparent_that_cannot_be_read_is_no_context_and_counted() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let long = format!("{VALID}{}", "0".repeat(64 * 1024));
    for (case, value, expected) in [
        ("text", "yesterday", "invalid"),
        ("empty", "", "absent"),
        ("zeros", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "invalid"),
        ("upper case", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "invalid"),
        ("version ff", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "invalid"),
        ("64 KiB", &long, "invalid"),
        ("64 KiB of nothing", &" ".repeat(64 * 1024), "absent"),
    ] {
        let (span, _) = process(&rabbit, with_headers([("traceparent", text(value))])).await?;
        assert_eq!(reason(&rabbit, &span).as_deref(), Some(expected), "{case}");
        assert_eq!((span.parent_id(), span.links().len()), (None, 0), "{case}");
    }
    let (span, _) = process(&rabbit, BasicProperties::default()).await?;
    assert_eq!(reason(&rabbit, &span).as_deref(), Some("absent"));
    Ok(())
}

#[tokio::test]
async fn a_context_as_a_byte_array_or_in_another_case_is_read() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    for (case, headers) in [
        ("byte array", vec![("traceparent", AMQPValue::ByteArray(VALID.as_bytes().into()))]),
        ("another case", vec![("TraceParent", text(VALID))]),
        ("the exact name goes first", vec![("TRACEPARENT", text(OTHER)), ("traceparent", text(VALID))]),
        ("one that can be read goes first", vec![("Traceparent", text(VALID)), ("traceparent", AMQPValue::Void)]),
    ] {
        let (span, _) = process(&rabbit, with_headers(headers)).await?;
        assert_eq!(reason(&rabbit, &span), None, "{case}");
        assert_eq!(span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c", "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn a_strange_tracestate_is_left_out_and_the_context_stays() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let mut values = strange();
    values.push(("text", text("no list at all")));
    values.push(("64 KiB", text(&"a=1,".repeat(16 * 1024))));
    for (case, value) in values {
        let headers = with_headers([("traceparent", text(VALID)), ("tracestate", value)]);
        let (span, _) = process(&rabbit, headers).await?;
        assert_eq!(reason(&rabbit, &span), None, "{case}");
        assert_eq!(span.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c", "{case}");
        assert_eq!(*span.trace_state(), TraceState::NONE, "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn strange_baggage_is_left_out_and_the_context_stays() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let mut values = strange();
    values.push(("text", text("no list at all")));
    values.push(("64 KiB", text(&"a".repeat(64 * 1024))));
    for (case, value) in values {
        let headers = with_headers([("traceparent", text(VALID)), ("baggage", value)]);
        let (span, baggage) = process(&rabbit, headers).await?;
        assert_eq!((reason(&rabbit, &span), baggage), (None, 0), "{case}");
    }
    let (span, baggage) =
        process(&rabbit, with_headers([("traceparent", text("broken")), ("baggage", text("a=1"))])).await?;
    assert_eq!((reason(&rabbit, &span).as_deref(), baggage), (Some("invalid"), 1), "baggage stands for itself");
    Ok(())
}

#[tokio::test]
async fn among_five_thousand_headers_and_the_longest_names_the_context_is_found() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let names: Vec<_> = (0..5_000).map(|number| format!("header-{number:04}")).collect();
    let long = "n".repeat(255);
    let mut headers = table(names.iter().map(|name| (name.as_str(), AMQPValue::Void)));
    headers.insert(long.as_str().into(), text("long"));
    let (span, _) = process(&rabbit, BasicProperties::default().with_headers(headers.clone())).await?;
    assert_eq!(reason(&rabbit, &span).as_deref(), Some("absent"));
    headers.insert("traceparent".into(), text(VALID));
    let (span, _) = process(&rabbit, BasicProperties::default().with_headers(headers.clone())).await?;
    assert_eq!(reason(&rabbit, &span), None);

    // And our publisher sends them on, as they were.
    let queue = rabbit.queue().await?;
    let properties = BasicProperties::default().with_headers(headers.clone());
    let confirm = rabbit.producer().publish("".into(), queue.clone(), Default::default(), b"7", properties).await?;
    crate::channel::soon(confirm).await??;
    let arrived = rabbit.headers(&queue).await?;
    assert_eq!(arrived.inner().len(), headers.inner().len());
    assert!(
        arrived
            .inner()
            .iter()
            .all(|(name, value)| name.as_str() == "traceparent" || headers.inner().get(name) == Some(value))
    );
    Ok(())
}

#[tokio::test]
async fn the_handler_of_a_message_without_a_context_is_inside_a_span_of_its_own() -> Result<()> {
    let rabbit = Rabbit::new().await?;
    let queue = rabbit.queue().await?;
    rabbit.publish_bare(&queue, with_headers([("traceparent", AMQPValue::Void)])).await?;
    let mut consumer = rabbit.consumer(&queue).await?;
    let inside = next(&mut consumer)
        .await?
        .process(async |_| anyhow::Ok(Context::map_current(|current| current.span().span_context().span_id())));
    let inside = inside.await?;
    assert_eq!(rabbit.capture.span(&format!("process {queue}")).span_id(), inside);
    Ok(())
}
