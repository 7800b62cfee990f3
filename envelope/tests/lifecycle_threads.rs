//! The same on real threads: tasks of a runtime that are polled here and there, aborted, failed, and nested.

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt};
use std::time::Duration;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, MessageSpan, OpenSpans, Operation, Outcome, Settings, Telemetry};

fn current() -> SpanId {
    Context::map_current(|context| context.span().span_context().span_id())
}

/// One message from its publisher to its handler, which sends on; each hop may move to another thread.
async fn journey(telemetry: Telemetry, number: usize) {
    let mut headers = MessageHeaders::new();
    let span = telemetry.send(Operation::new("publish", "orders"), &mut headers);
    let sent = async {
        tokio::task::yield_now().await;
        Ok::<_, std::fmt::Error>(())
    };
    assert!(span.run(sent).await.is_ok());
    let span = telemetry.process(Operation::new("process", "orders"), &headers);
    let own = span.span_context().map(|own| own.span_id());
    let handler = async {
        for _ in 0..number % 5 {
            assert_eq!(Some(current()), own);
            tokio::task::yield_now().await;
        }
        assert_eq!(Some(current()), own);
        if number % 7 == 1 {
            std::future::pending::<()>().await;
        }
        assert!(number % 7 != 2, "as it was told");
        telemetry.send(Operation::new("forward", "parcels"), &mut MessageHeaders::new()).end(Outcome::Ok);
        if number % 7 == 3 { Err(std::fmt::Error) } else { Ok(()) }
    };
    let _ = span.run(handler).await;
    assert_eq!(current(), SpanId::INVALID, "no context is left on the task");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_move_between_threads_keep_their_own_trace() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    let tasks: Vec<_> = (0..70).map(|number| tokio::spawn(journey(telemetry.clone(), number))).collect();
    let mut endings = [0; 3];
    for (number, task) in tasks.into_iter().enumerate() {
        if number % 7 == 1 {
            // It waits for ever; abort it once it has got there.
            tokio::time::sleep(Duration::from_millis(1)).await;
            task.abort();
        }
        match task.await {
            Ok(()) => endings[0] += 1,
            Err(error) if error.is_panic() => endings[1] += 1,
            Err(_) => endings[2] += 1,
        }
    }
    assert_eq!(endings, [50, 10, 10]);
    assert!(capture.open_spans().is_empty());

    let forest = capture.spans();
    let named = |name: &str| forest.iter().filter(|span| span.name() == name).cloned().collect::<Vec<_>>();
    let (published, processed, forwarded) =
        (named("publish orders"), named("process orders"), named("forward parcels"));
    assert_eq!((published.len(), forwarded.len()), (70, 50));
    for span in &processed {
        let parent = published.iter().find(|sent| Some(sent.span_id()) == span.parent_id()).expect("its publisher");
        assert_eq!(parent.trace_id(), span.trace_id());
    }
    for span in &forwarded {
        assert!(processed.iter().any(|handler| Some(handler.span_id()) == span.parent_id()));
    }
    let with = |kind: &str| {
        let is = |span: &&traced_envelope::testing::CapturedSpan| {
            span.attribute("error.type").is_some_and(|error| error.as_str() == kind)
        };
        processed.iter().filter(is).count()
    };
    // Aborted tasks may not even have begun to process.
    assert_eq!((with("panic"), with("core::fmt::Error")), (10, 10));
    assert_eq!(with("cancelled"), processed.len() - 60);
    let counted: f64 = capture
        .metrics()
        .iter()
        .filter(|metric| metric.name() == "messaging.client.consumed.messages")
        .map(traced_envelope::testing::CapturedMetric::value)
        .sum();
    assert_eq!(counted, processed.len() as f64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledgements_from_many_threads_end_each_span_once() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    let open = OpenSpans::new(&Settings::default());
    let tasks: Vec<_> = (1..=200_u64)
        .map(|number| {
            let (telemetry, open) = (telemetry.clone(), open.clone());
            tokio::spawn(async move {
                open.insert(number, telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()));
                tokio::task::yield_now().await;
                match number % 3 {
                    0 => open.end(number, &Outcome::Ok),
                    1 => open.end_through(number, &Outcome::error("nack", "no")),
                    _ => {}
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(open);
    let mut ids: Vec<_> = capture.spans().iter().map(|span| span.span_id().to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), capture.spans().len(), capture.open_spans().len()), (200, 200, 0));
}

#[tokio::test]
async fn a_handler_that_times_out_is_cancelled_and_its_context_is_gone() {
    let capture = Capture::new();
    let telemetry = Telemetry::new("nats", &capture.settings("shop"));
    let span = telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new());
    let never = span.run(std::future::pending::<Result<(), std::fmt::Error>>());
    assert!(tokio::time::timeout(Duration::from_millis(5), never).await.is_err());
    assert_eq!(capture.span("process orders").attribute("error.type"), Some(&"cancelled".into()));
    assert_eq!(current(), SpanId::INVALID);
}

#[test]
fn spans_and_the_futures_they_run_can_be_sent_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let telemetry = Telemetry::new("nats", &Settings::default());
    let start = || -> MessageSpan { telemetry.process(Operation::new("process", "orders"), &MessageHeaders::new()) };
    is_send(&start());
    is_send(&start().run(async { Ok::<_, std::fmt::Error>(()) }));
    is_send(&OpenSpans::new(&Settings::default()));
}
