//! The feature `tracing`: the consumer span is a `tracing` span, with the context activation of tracing-opentelemetry on and off.
#![cfg(feature = "tracing")]

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Operation, Outcome, Relation, Telemetry};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn message() -> MessageHeaders {
    [("traceparent", PARENT), ("baggage", "tenant=acme")].into_iter().collect()
}

/// Runs a test with the layer's context activation on, and again with it off.
fn both_ways(test: impl Fn(&Capture, &Telemetry, bool)) {
    for activation in [true, false] {
        let capture = Capture::new();
        // The SDK's own events are none of the handler's; it makes them where another crate's features say so.
        let not_the_sdks = filter_fn(|metadata| !metadata.target().starts_with("opentelemetry"));
        let layer = capture.layer("shop").with_context_activation(activation).with_filter(not_the_sdks);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            test(&capture, &Telemetry::new("nats", &capture.settings("shop")), activation);
        });
        assert!(capture.open_spans().is_empty(), "activation {activation}");
        assert!(!Context::current().has_active_span() && Context::current().baggage().is_empty());
    }
}

#[test]
fn bare_events_child_spans_and_opentelemetry_spans_of_a_handler_belong_to_its_span() {
    both_ways(|capture, telemetry, activation| {
        let span = telemetry.process(Operation::new("process", "orders"), &message());
        let own = span.span_context().unwrap();
        span.in_scope(|| {
            tracing::info!("reserved");
            tracing::info_span!("reserve").in_scope(|| tracing::info!("inside"));
            assert_eq!(Context::current().span().span_context(), &own);
            assert_eq!(Context::current().baggage().get("tenant").map(ToString::to_string).as_deref(), Some("acme"));
            capture.tracer("shop").in_span("query", |_| ());
            telemetry.send(Operation::new("publish", "parcels"), &mut MessageHeaders::new()).end(Outcome::Ok);
            Ok::<_, std::fmt::Error>(())
        })
        .unwrap();
        let process = capture.span("process orders");
        assert_eq!(process.span_id(), own.span_id());
        assert_eq!(process.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(process.kind(), opentelemetry::trace::SpanKind::Consumer);
        assert_eq!((process.links().len(), process.status()), (1, &Status::Unset));
        assert_eq!(process.attribute("messaging.operation.type"), Some(&"process".into()));
        let events: Vec<_> = process.events().iter().map(|event| event.name.clone()).collect();
        assert_eq!(events, ["reserved"], "activation {activation}");
        for child in ["reserve", "query", "publish parcels"] {
            assert_eq!(capture.span(child).parent_id(), Some(own.span_id()), "{child}, activation {activation}");
        }
        assert_eq!(capture.spans().len(), 4);
    });
}

#[test]
fn what_a_call_does_before_it_has_a_future_belongs_to_the_span() {
    both_ways(|capture, telemetry, activation| {
        let mut span = telemetry.process(Operation::new("process", "orders"), &message());
        let own = span.span_context().unwrap();
        span.enter(|| {
            tracing::info!("reserved");
            capture.tracer("shop").in_span("query", |_| ());
        });
        assert!(span.is_open());
        span.end(Outcome::Ok);
        assert_eq!(capture.span("process orders").events().len(), 1, "activation {activation}");
        assert_eq!(capture.span("query").parent_id(), Some(own.span_id()));
    });
}

#[test]
fn a_span_ends_once_as_its_handler_did_however_long_somebody_holds_it() {
    both_ways(|capture, telemetry, _| {
        let start = |name| telemetry.process(Operation::new(name, "orders"), &message());
        let mut held = None;
        start("error")
            .in_scope(|| {
                held = Some(tracing::Span::current());
                Err::<(), _>(std::fmt::Error)
            })
            .unwrap_err();
        let ended = capture.span("error orders").end();
        std::thread::sleep(Duration::from_millis(2));
        held.unwrap().in_scope(|| tracing::info!("too late"));
        assert_eq!(capture.span("error orders").end(), ended, "neither later nor twice");

        let panics = || -> Result<(), std::fmt::Error> { panic!("as it was told") };
        catch_unwind(AssertUnwindSafe(|| start("panic").in_scope(panics))).unwrap_err();
        drop(start("cancelled"));
        drop(start("unpolled").run(std::future::pending::<Result<(), std::fmt::Error>>()));
        for (name, kind) in
            [("error", "core::fmt::Error"), ("panic", "panic"), ("cancelled", "cancelled"), ("unpolled", "cancelled")]
        {
            let span = capture.span(&format!("{name} orders"));
            assert_eq!(span.attribute("error.type"), Some(&kind.into()), "{name}");
            assert!(span.is_error(), "{name}");
        }
        assert_eq!(capture.spans().len(), 4);
        assert_eq!(tracing::Span::current().id(), None);
    });
}

#[test]
fn a_handler_that_is_polled_again_and_again_keeps_its_span() {
    both_ways(|capture, telemetry, _| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let span = telemetry.process(Operation::new("process", "orders"), &message());
        runtime
            .block_on(span.run(async {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                    tracing::info!("still here");
                }
                Ok::<_, std::fmt::Error>(())
            }))
            .unwrap();
        assert_eq!(capture.span("process orders").events().len(), 3);
    });
}

#[test]
fn every_relation_holds_inside_a_tracing_span() {
    both_ways(|capture, _, activation| {
        for (relation, is_parent, links) in [
            (Relation::Auto, false, 2),
            (Relation::Parent, false, 1),
            (Relation::Link, true, 1),
            (Relation::New, false, 1),
            (Relation::Ignore, true, 0),
        ] {
            capture.clear();
            let telemetry = Telemetry::new("nats", &capture.settings("shop").relation(relation));
            tracing::info_span!("loop").in_scope(|| {
                telemetry.process(Operation::new("process", "orders"), &message()).end(Outcome::Ok);
            });
            let (around, span) = (capture.span("loop"), capture.span("process orders"));
            assert_eq!(span.parent_id() == Some(around.span_id()), is_parent, "{relation:?}, activation {activation}");
            assert_eq!(span.links().len(), links, "{relation:?}, activation {activation}");
        }
    });
}

#[test]
fn a_producer_inside_a_tracing_span_is_its_child_and_keeps_the_current_baggage() {
    both_ways(|capture, telemetry, activation| {
        let mut headers = MessageHeaders::new();
        tracing::info_span!("checkout").in_scope(|| {
            let _baggage = Context::current_with_baggage([KeyValue::new("tenant", "acme")]).attach();
            telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
        });
        let (around, span) = (capture.span("checkout"), capture.span("publish orders"));
        assert_eq!(span.parent_id(), Some(around.span_id()), "activation {activation}");
        assert!(headers.iter().any(|header| header == ("baggage", "tenant=acme")), "activation {activation}");
    });
}

#[test]
fn without_a_subscriber_a_layer_or_the_wish_the_span_is_a_plain_one() {
    let check = |capture: &Capture, telemetry: &Telemetry| {
        let span = telemetry.process(Operation::new("process", "orders"), &message());
        span.in_scope(|| {
            tracing::info!("nowhere");
            assert!(Context::current().baggage().get("tenant").is_some());
            Ok::<_, std::fmt::Error>(())
        })
        .unwrap();
        assert!(capture.span("process orders").events().is_empty());
        assert_eq!(capture.span("process orders").scope().name(), "traced-envelope");
    };
    let capture = Capture::new();
    check(&capture, &Telemetry::new("nats", &capture.settings("shop")));
    let capture = Capture::new();
    tracing::subscriber::with_default(tracing_subscriber::registry(), || {
        check(&capture, &Telemetry::new("nats", &capture.settings("shop")));
    });
    let capture = Capture::new();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(capture.layer("shop")), || {
        check(&capture, &Telemetry::new("nats", &capture.settings("shop").tracing_spans(false)));
    });
    assert_eq!(capture.spans().len(), 1);
}

#[test]
fn the_layers_tracer_makes_the_span_also_where_the_settings_name_another() {
    let (of_layer, of_settings) = (Capture::new(), Capture::new());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(of_layer.layer("shop")), || {
        let telemetry = Telemetry::new("nats", &of_settings.settings("shop"));
        telemetry.process(Operation::new("process", "orders"), &message()).end(Outcome::Ok);
        telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    });
    assert_eq!((of_layer.spans().len(), of_settings.spans().len()), (1, 1));
    assert_eq!(of_layer.span("process orders").links().len(), 1);
}
