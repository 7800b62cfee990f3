//! Run with `cargo run -p examples --example other_transport`: a trace through a transport that no adapter wraps.
//!
//! All it takes is a place for text headers beside the payload. The transport here is a channel of this process.

// It prints the trace.
#![allow(clippy::print_stdout)]

use tokio::sync::mpsc;
use traced_envelope::{MessageHeaders, Operation, Settings, Telemetry, testing::Capture};
use traced_rabbitmq::opentelemetry::trace::Tracer as _;

struct Message {
    headers: MessageHeaders,
    payload: String,
}

/// Around the client's own send: describe what happens, inject, run the call.
struct Publisher {
    telemetry: Telemetry,
    transport: mpsc::Sender<Message>,
}

impl Publisher {
    async fn publish(&self, subject: &str, payload: &str) -> Result<(), mpsc::error::SendError<Message>> {
        let mut headers = MessageHeaders::new();
        let span = self.telemetry.send(Operation::new("publish", subject), &mut headers);
        // A transport with a map of its own implements OpenTelemetry's `Injector` for it; or copy: `headers.iter()`.
        span.run(self.transport.send(Message { headers, payload: payload.to_owned() })).await
    }
}

/// Around the handler: extract, decide how the spans relate, run it.
async fn consume(subject: &str, settings: &Settings, mut transport: mpsc::Receiver<Message>, capture: &Capture) {
    let telemetry = Telemetry::new("in-house", settings);
    while let Some(Message { headers, payload }) = transport.recv().await {
        let span = telemetry.process(Operation::new("process", subject), &headers);
        let handled = span.run(async {
            capture.tracer("warehouse").in_span("reserve stock", |_| ());
            if payload.is_empty() { Err("an order of nothing") } else { Ok(()) }
        });
        if let Err(error) = handled.await {
            println!("{error}: the span says so too");
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Keeps the spans, to show them; a service has `Settings::default()`, which uses the process-wide providers.
    let capture = Capture::new();
    let (transport, receiver) = mpsc::channel(2);
    let telemetry = Telemetry::new("in-house", &capture.settings("shop"));
    let publisher = Publisher { telemetry, transport };
    publisher.publish("orders", "coffee").await?;
    publisher.publish("orders", "").await?;
    drop(publisher);

    consume("orders", &capture.settings("warehouse"), receiver, &capture).await;
    print!("{}", capture.forest());
    Ok(())
}
