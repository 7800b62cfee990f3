//! Names, units and attributes as the conventions have them.

use crate::{Bench, Transport};
use anyhow::Result;
use opentelemetry::{KeyValue, Value};
use traced_envelope::SemConv;
use traced_envelope::testing::CapturedMetric;

/// The switch writes the older names, the newer ones or both, and the scope says which release they are of.
pub async fn the_semconv_switch_writes_either_name_or_both<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let (old, new) = ("messaging.system", "messaging.system.name");
    for (release, has_old, has_new) in
        [(SemConv::V1_44, true, false), (SemConv::V1_45, false, true), (SemConv::Both, true, true)]
    {
        bench.capture.clear();
        let producer = bench.transport.producer(&bench.shop().semconv(release));
        let mut consumer = bench.transport.consumer(&bench.warehouse().semconv(release)).await?;
        bench.transport.publish(&producer, b"7", T::plain()).await?;
        bench.look(&mut consumer).await?;
        for span in [bench.published(), bench.processed()] {
            let expected = |has: bool| has.then(|| Value::from(T::SYSTEM));
            assert_eq!(span.attribute(old).cloned(), expected(has_old), "{release:?}");
            assert_eq!(span.attribute(new).cloned(), expected(has_new), "{release:?}");
            assert_eq!(span.scope().schema_url(), Some(release.schema_url()));
        }
        for metric in bench.capture.metrics().iter().filter(|metric| metric.name().starts_with("messaging.")) {
            let found = (metric.attribute(old).is_some(), metric.attribute(new).is_some());
            assert_eq!(found, (has_old, has_new), "{release:?}: {metric:?}");
        }
        bench.transport.close(consumer).await?;
    }
    Ok(())
}

/// The spans' attributes that backends group and search by.
pub async fn spans_have_the_attributes_of_the_conventions<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let mut consumer = bench.transport.consumer(&bench.warehouse()).await?;
    bench.publish("7", T::rich()).await?;
    bench.look(&mut consumer).await?;
    let spans = bench.transport.spans();
    let (publish, process) = (bench.published(), bench.processed());
    for (span, kind, destination) in
        [(&publish, "send", spans.published_to), (&process, "process", spans.consumed_from)]
    {
        let (operation, _) = span.name().split_once(' ').unwrap_or_default();
        for (key, expected) in [
            ("messaging.operation.name", operation),
            ("messaging.operation.type", kind),
            ("messaging.system", T::SYSTEM),
            ("messaging.destination.name", &*destination),
        ] {
            assert_eq!(span.attribute(key), Some(&Value::from(expected.to_owned())), "{key} of {}", span.name());
        }
        let mut keys: Vec<_> = span.attributes().iter().map(|attribute| attribute.key.as_str()).collect();
        keys.sort_unstable();
        let all = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), all, "a key twice: {keys:?}");
        assert!(span.attribute("messaging.batch.message_count").is_none(), "of batch calls only");
        assert!(span.attribute("messaging.message.body.size").is_none(), "opt-in");
        assert!(span.attribute("error.type").is_none(), "of failures only");
    }
    Ok(())
}

/// Each metric has the conventions' name, unit and attributes, counts each message once, and has nothing that differs from message to
/// message.
pub async fn metrics_have_the_names_units_and_low_cardinality_attributes_of_the_conventions<T: Transport>() -> Result<()>
{
    const MESSAGES: usize = 3;
    let bench = Bench::<T>::new().await?;
    let settings = |settings: traced_envelope::Settings| settings.server("mq.internal", 5672);
    let producer = bench.transport.producer(&settings(bench.shop()));
    let mut consumer = bench.transport.consumer(&settings(bench.warehouse())).await?;
    for _ in 0..MESSAGES {
        bench.transport.publish(&producer, b"7", T::rich()).await?;
        bench.look(&mut consumer).await?;
    }

    let spans = bench.transport.spans();
    let operation = |name: &str| name.split_once(' ').map(|(operation, _)| operation.to_owned()).unwrap_or_default();
    let (publish, process) = (operation(&spans.publish), operation(&spans.process));
    let common = |operation: &str, destination: &str| {
        vec![
            KeyValue::new("messaging.destination.name", destination.to_owned()),
            KeyValue::new("messaging.operation.name", operation.to_owned()),
            KeyValue::new("messaging.system", T::SYSTEM),
            KeyValue::new("server.address", "mq.internal"),
            KeyValue::new("server.port", 5672),
        ]
    };
    let (sent, mut handled) = (common(&publish, &spans.published_to), common(&process, &spans.consumed_from));
    let group = bench.transport.consumer_group();
    handled.splice(0..0, group.map(|group| KeyValue::new("messaging.consumer.group.name", group)));
    let mut timed = sent.clone();
    timed.insert(2, KeyValue::new("messaging.operation.type", "send"));
    for (name, unit, service, attributes) in [
        ("messaging.client.operation.duration", "s", "shop", &timed),
        ("messaging.client.sent.messages", "{message}", "shop", &sent),
        ("messaging.process.duration", "s", "warehouse", &handled),
        ("messaging.client.consumed.messages", "{message}", "warehouse", &handled),
    ] {
        let metric = bench.capture.metric(name);
        assert_eq!((metric.unit(), metric.service(), metric.scope().name()), (unit, service, T::NAME), "{name}");
        assert_eq!(metric.attributes(), attributes, "{name}");
        let messages = u64::try_from(MESSAGES)?;
        if unit == "s" {
            assert_eq!(metric.count(), Some(messages), "{name}");
            let bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
            assert_eq!(metric.bounds(), bounds, "{name}");
        } else {
            assert_eq!((metric.value(), metric.count()), (3.0, None), "{name}");
        }
    }
    let metrics = bench.capture.metrics();
    let mut names: Vec<_> = metrics.iter().map(CapturedMetric::name).collect();
    names.retain(|name| *name != "traced.message.wait.duration");
    assert_eq!(names.len(), 4, "one time series each, and no other: {names:?}");
    Ok(())
}

/// Without metrics nothing is measured; switched off, a message passes without a span or a header of ours.
pub async fn what_is_switched_off_leaves_no_trace<T: Transport>() -> Result<()> {
    let bench = Bench::<T>::new().await?;
    let producer = bench.transport.producer(&bench.shop().metrics(false));
    let mut consumer = bench.transport.consumer(&bench.warehouse().metrics(false)).await?;
    bench.transport.publish(&producer, b"7", T::plain()).await?;
    bench.look(&mut consumer).await?;
    assert_eq!(bench.processed().parent_id(), Some(bench.published().span_id()));
    assert!(bench.capture.metrics().is_empty());
    bench.transport.close(consumer).await?;

    bench.capture.clear();
    let producer = bench.transport.producer(&bench.shop().enabled(false));
    let mut consumer = bench.transport.consumer(&bench.warehouse().enabled(false)).await?;
    bench.transport.publish(&producer, b"7", T::rich()).await?;
    let seen = bench.look(&mut consumer).await?;
    assert_eq!(T::without(&seen.arrived.native, &[]), T::rich());
    assert!(bench.capture.spans().is_empty() && bench.capture.metrics().is_empty());
    Ok(())
}
