//! Meter providers that are installed late, and one after the other: alone in its process, because they are process-wide.

use opentelemetry::global;
use traced_envelope::testing::Capture;
use traced_envelope::{MessageHeaders, Operation, Outcome, Settings, Telemetry};

fn sent(capture: &Capture) -> f64 {
    let sent = capture.metrics().into_iter().filter(|metric| metric.name() == "messaging.client.sent.messages");
    sent.map(|metric| metric.value()).sum()
}

#[test]
fn instruments_are_made_anew_for_each_provider() {
    let telemetry = Telemetry::new("nats", &Settings::default());
    let send = || telemetry.send(Operation::new("publish", "orders"), &mut MessageHeaders::new()).end(Outcome::Ok);
    send();
    let (first, second) = (Capture::new(), Capture::new());
    global::set_meter_provider(first.meter_provider("shop"));
    send();
    send();
    assert_eq!(sent(&first), 2.0, "and the one before is lost");
    global::set_meter_provider(second.meter_provider("shop"));
    send();
    assert_eq!((sent(&first), sent(&second)), (2.0, 1.0));

    // One that was given is not replaced.
    let given = Capture::new();
    let settings = Settings::default().meter_provider(given.meter_provider("shop"));
    Telemetry::new("nats", &settings)
        .send(Operation::new("publish", "orders"), &mut MessageHeaders::new())
        .end(Outcome::Ok);
    assert_eq!((sent(&given), sent(&second)), (1.0, 1.0));
}
