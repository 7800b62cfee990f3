//! A tracer provider that is installed after the first messages: alone in its process, because it is process-wide.

use opentelemetry::global;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Status, Telemetry};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn one_of_each(telemetry: &Telemetry, parent: Option<&str>) {
    let headers: MessageHeaders = parent.map(|parent| ("traceparent", parent)).into_iter().collect();
    telemetry.process(Operation::new("process", "orders"), &headers).end(Outcome::Ok);
    let mut sent = MessageHeaders::new();
    telemetry.send(Operation::new("publish", "orders"), &mut sent).end(Outcome::Ok);
}

#[test]
fn spans_are_made_as_soon_as_there_is_a_provider_and_none_only_to_look() {
    let telemetry = Telemetry::new("nats", &Settings::default());
    // A remote parent makes the no-op tracer hand out a valid context: that is no SDK.
    for parent in [None, Some(PARENT), None] {
        one_of_each(&telemetry, parent);
    }
    assert_eq!(telemetry.status(), Status::NoSdk { messages: 6 });

    let capture = Capture::new();
    global::set_tracer_provider(capture.tracer_provider("shop"));
    assert!(capture.spans().is_empty());
    one_of_each(&telemetry, Some(PARENT));
    assert_eq!(telemetry.status(), Status::Active);
    one_of_each(&telemetry, None);
    let names: Vec<_> = capture.spans().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["process orders", "publish orders", "process orders", "publish orders"]);
    assert_eq!(capture.spans()[0].trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(capture.open_spans().is_empty());

    // The tracer is kept: no other provider is looked for.
    let other = Capture::new();
    global::set_tracer_provider(other.tracer_provider("shop"));
    one_of_each(&telemetry, None);
    assert_eq!((capture.spans().len(), other.spans().len()), (6, 0));
    one_of_each(&Telemetry::new("nats", &Settings::default()), None);
    assert_eq!((capture.spans().len(), other.spans().len()), (6, 2));

    capture.tracer_provider("shop").shutdown().unwrap();
    let mut headers = MessageHeaders::new();
    one_of_each(&telemetry, Some(PARENT));
    telemetry.send(Operation::new("publish", "orders"), &mut headers).end(Outcome::Ok);
    assert_eq!(headers, MessageHeaders::new(), "an SDK that was shut down leaves nothing to write");
    assert_eq!(telemetry.status(), Status::Active);
}
