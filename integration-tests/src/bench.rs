//! What a case works with: a destination on the real broker, and a capture of two services' spans.

use crate::{Ability, Arrived, Settle, Transport};
use anyhow::{Context as _, Result};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::SdkTracer;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::Future;
use std::io::Write as _;
use std::sync::Mutex;
use std::time::Duration;
use traced_envelope::Settings;
use traced_envelope::testing::{Capture, CapturedSpan};

/// Waits, but not for ever, for what the broker is about to do.
///
/// # Errors
///
/// When it takes half a minute.
pub async fn soon<T>(future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(Duration::from_secs(30), future).await.context("nothing came within 30 seconds")
}

/// A destination of the case's own, and the services `shop`, which publishes, and `warehouse`, which consumes.
#[derive(Clone, Debug)]
pub struct Bench<T> {
    /// The adapter and its broker.
    pub transport: T,
    /// The spans of both services.
    pub capture: Capture,
}

impl<T: Transport> Bench<T> {
    /// Connects to the shared broker.
    ///
    /// # Errors
    ///
    /// Where no broker is to be had, with what to do about it.
    pub async fn new() -> Result<Self> {
        Self::with(Capture::new()).await
    }

    /// The same with a capture of the case's own.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn with(capture: Capture) -> Result<Self> {
        let transport = T::shared().await?;
        // Once a run for each adapter, and past the test harness, which swallows what tests print.
        static PRINTED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
        if PRINTED.lock().is_ok_and(|mut printed| printed.insert(T::NAME)) {
            report(&format!("{} runs on {}", T::NAME, transport.describe()));
        }
        Ok(Self { transport, capture })
    }

    /// Settings of the service that publishes.
    #[must_use]
    pub fn shop(&self) -> Settings {
        self.capture.settings("shop")
    }

    /// Settings of the service that consumes.
    #[must_use]
    pub fn warehouse(&self) -> Settings {
        self.capture.settings("warehouse")
    }

    /// The tracer of the service that publishes.
    #[must_use]
    pub fn shop_tracer(&self) -> SdkTracer {
        self.capture.tracer("shop")
    }

    /// The tracer of the service that consumes.
    #[must_use]
    pub fn warehouse_tracer(&self) -> SdkTracer {
        self.capture.tracer("warehouse")
    }

    /// Publishes one message through the adapter as the shop.
    ///
    /// # Errors
    ///
    /// The broker's.
    pub async fn publish(&self, payload: &str, native: T::Native) -> Result<()> {
        let producer = self.transport.producer(&self.shop());
        soon(self.transport.publish(&producer, payload.as_bytes(), native)).await?
    }

    /// Processes the next message as the warehouse, with a handler that only looks.
    ///
    /// # Errors
    ///
    /// The broker's.
    pub async fn look(&self, consumer: &mut T::Consumer) -> Result<Seen<T::Native>> {
        let delivery = soon(T::next(consumer)).await??;
        see::<T>(delivery, Settle::Done).await
    }

    /// The one span of this name, as it ended.
    #[must_use]
    #[track_caller]
    pub fn published(&self) -> CapturedSpan {
        self.capture.span(&self.transport.spans().publish)
    }

    /// The one process span.
    #[must_use]
    #[track_caller]
    pub fn processed(&self) -> CapturedSpan {
        self.capture.span(&self.transport.spans().process)
    }

    /// All spans of this name, in the order in which they ended.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<CapturedSpan> {
        self.capture.spans().into_iter().filter(|span| span.name() == name).collect()
    }

    /// Compares the captured spans with a drawing in which `PUBLISH`, `CREATE` and `PROCESS` stand for this destination's span names.
    #[track_caller]
    pub fn assert_trace(&self, drawing: &str) {
        let spans = self.transport.spans();
        let names = [("PUBLISH", spans.publish), ("CREATE", spans.create), ("PROCESS", spans.process)];
        let drawing = names.iter().fold(drawing.to_owned(), |drawing, (stands, name)| drawing.replace(stands, name));
        self.capture.assert_no_open_spans();
        self.capture.assert_trace(&drawing);
    }

    /// What the counter of messages without a usable context says for a reason.
    #[must_use]
    pub fn missing(&self, reason: &str) -> f64 {
        let metrics = self.capture.metrics();
        let counted = metrics.iter().filter(|metric| {
            metric.name() == "traced.context.missing"
                && metric.attribute("traced.context.reason") == Some(&Value::from(reason.to_owned()))
                && metric.attribute("messaging.destination.name")
                    == Some(&Value::from(self.transport.spans().consumed_from))
        });
        counted.map(traced_envelope::testing::CapturedMetric::value).sum()
    }
}

/// What a handler saw.
#[derive(Clone, Debug)]
pub struct Seen<N> {
    /// The message.
    pub arrived: Arrived<N>,
    /// The context that was current in the handler.
    pub context: Context,
}

impl<N> Seen<N> {
    /// The span that was current in the handler.
    #[must_use]
    pub fn span(&self) -> SpanContext {
        self.context.span().span_context().clone()
    }
}

/// Processes a message with a handler that only looks.
///
/// # Errors
///
/// None: the handler has none.
pub(crate) async fn see<T: Transport>(delivery: T::Delivery, settle: Settle) -> Result<Seen<T::Native>> {
    let seen = T::process(delivery, settle, async |arrived| {
        // Past a point where the task may move to another thread.
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(Seen { arrived, context: Context::current() })
    });
    Ok(seen.await?)
}

/// Prints, and says so by `true`, when the transport cannot do what a case needs.
#[must_use]
pub(crate) fn cannot<T: Transport>(case: &str, ability: Ability) -> bool {
    let lacking = T::lacks(ability);
    if let Some(why) = lacking {
        report(&format!("{}: {case} does not apply: {why}", T::NAME));
    }
    lacking.is_some()
}

/// A line for people.
pub(crate) fn report(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The links' span contexts.
#[must_use]
pub(crate) fn linked(span: &CapturedSpan) -> Vec<SpanContext> {
    span.links().iter().map(|link| link.span_context.clone()).collect()
}

/// A baggage of one member.
#[must_use]
pub(crate) fn baggage(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value.to_owned())
}
