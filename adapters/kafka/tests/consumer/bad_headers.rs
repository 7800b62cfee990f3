//! Headers that no well-meaning producer writes: whoever sends them loses the trace, never the message, and never the consumer.

use crate::cluster::{Cluster, within};
use crate::raw_headers;
use rdkafka::Message;
use rdkafka::consumer::StreamConsumer;
use rdkafka::message::{Header, OwnedHeaders};
use traced_kafka::TracedConsumer;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01";

/// Sends one record with these headers, processes it, and tells whose trace it is in and what was counted.
async fn consumed(headers: &[(&[u8], Option<&[u8]>)]) -> (Option<String>, Option<String>) {
    let cluster = Cluster::new();
    let list = raw_headers::list(headers);
    cluster.send(Some(list)).await;
    let settings = cluster.capture.settings("warehouse").capture_headers(["*"]).receive_spans(true);
    let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
    let message = within(consumer.recv()).await.unwrap();
    assert_eq!(message.attempt(), 1);
    let detached = message.detach();
    message.process(async |message| Ok::<_, std::fmt::Error>(message.offset())).await.unwrap();
    let span = cluster.capture.span("process orders");
    cluster.capture.clear();
    detached.process_blocking(|_| Ok::<_, std::fmt::Error>(())).unwrap();
    assert_eq!(cluster.capture.span("process orders").parent_id(), span.parent_id(), "detached, it is the same");
    let counted = cluster.capture.metrics();
    let counted = counted.iter().find(|metric| metric.name() == "traced.context.missing");
    let reason = counted.and_then(|metric| metric.attribute("traced.context.reason"));
    (span.parent_id().map(|id| id.to_string()), reason.map(ToString::to_string))
}

#[tokio::test]
async fn bad_headers_cost_no_message() {
    let parent = Some(PARENT.as_bytes());
    let (ours, others) = (Some("00f067aa0ba902b7".to_owned()), Some("b7ad6b7169203331".to_owned()));
    let none = |reason: &str| (None, Some(reason.to_owned()));
    for (case, headers, expected) in [
        ("well-formed", &[(&b"traceparent"[..], parent)][..], (ours.clone(), None)),
        ("a name that is no text", &[(b"\xff\xfe", Some(b"x")), (b"traceparent", parent)], (ours.clone(), None)),
        ("an empty name", &[(b"", Some(b"x")), (b"traceparent", parent)], (ours.clone(), None)),
        ("null values", &[(b"traceparent", None), (b"x", None), (b"traceparent", parent)], (ours.clone(), None)),
        ("null after it", &[(b"traceparent", parent), (b"traceparent", None)], (ours.clone(), None)),
        ("another case", &[(b"TraceParent", parent)], (ours.clone(), None)),
        ("the same twice", &[(b"traceparent", parent), (b"traceparent", parent)], (ours.clone(), None)),
        (
            "spaces around",
            &[(b"traceparent", Some(b" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 "))],
            (ours, None),
        ),
        (
            "invalid, then valid",
            &[(b"traceparent", Some(b"?")), (b"traceparent", Some(OTHER.as_bytes()))],
            (others, None),
        ),
        ("two that differ", &[(b"traceparent", parent), (b"traceparent", Some(OTHER.as_bytes()))], none("conflicting")),
        ("only null", &[(b"traceparent", None)], none("invalid")),
        ("no text", &[(b"traceparent", Some(b"\xff\xfe"))], none("invalid")),
        ("nonsense", &[(b"traceparent", Some(b"00-0-0-0"))], none("invalid")),
        ("none", &[(b"other", Some(b"x"))], none("absent")),
    ] {
        assert_eq!(consumed(headers).await, expected, "{case}");
    }
}

/// What clients that append make of a context that is on the record already.
#[tokio::test]
async fn a_context_that_was_appended_once_more_is_one_and_its_states_members_are_there_once() {
    let cluster = Cluster::new();
    let context: [(&[u8], Option<&[u8]>); 2] =
        [(b"traceparent", Some(PARENT.as_bytes())), (b"tracestate", Some(b"acme=1,rojo=2"))];
    cluster.send(Some(raw_headers::list(&[context, context].concat()))).await;
    let settings = cluster.capture.settings("warehouse");
    let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
    within(consumer.recv()).await.unwrap().process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    let span = cluster.capture.span("process orders");
    assert_eq!(span.parent_id().map(|id| id.to_string()).as_deref(), Some("00f067aa0ba902b7"));
    assert_eq!(span.trace_state().header(), "acme=1,rojo=2");
}

#[tokio::test]
async fn headers_of_a_mebibyte_are_survived() {
    let large = vec![b'a'; 1024 * 1024];
    let parent = Some(PARENT.as_bytes());
    let found = consumed(&[(b"tracestate", Some(&large)), (b"baggage", Some(&large)), (b"traceparent", parent)]).await;
    assert_eq!(found, (Some("00f067aa0ba902b7".to_owned()), None));
    let found = consumed(&[(b"traceparent", Some(&large))]).await;
    assert_eq!(found, (None, Some("invalid".to_owned())));
    let many: Vec<(&[u8], Option<&[u8]>)> = (0..20_000).map(|_| (&b"baggage"[..], Some(&b"a=b,c=d"[..]))).collect();
    assert_eq!(consumed(&many).await, (None, Some("absent".to_owned())));
}

#[tokio::test]
async fn untrusted_messages_start_a_trace_of_their_own() {
    let cluster = Cluster::new();
    cluster.send(Some(OwnedHeaders::new().insert(Header { key: "traceparent", value: Some(PARENT) }))).await;
    let settings = cluster.capture.settings("warehouse").untrusted();
    let consumer = TracedConsumer::with_settings(cluster.assigned::<StreamConsumer>(), &settings);
    within(consumer.recv()).await.unwrap().process(async |_| Ok::<_, std::fmt::Error>(())).await.unwrap();
    let span = cluster.capture.span("process orders");
    assert_eq!((span.parent_id(), span.links().len()), (None, 1));
}
