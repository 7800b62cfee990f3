//! What the tests of captures and of their assertions share.

use std::panic::{AssertUnwindSafe, catch_unwind};

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, Span, SpanContext, SpanKind, Status, TraceContextExt, Tracer},
};
use traced_envelope::testing::Capture;

/// What a failed assertion says.
pub(crate) fn message<T>(assertion: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(assertion()))) else {
        panic!("the assertion must fail");
    };
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "no text".to_owned())
}

/// A message from the shop to the warehouse, whose handler fails if told so.
pub(crate) fn order(capture: &Capture, fails: bool) {
    let (shop, warehouse) = (capture.tracer("shop"), capture.tracer("warehouse"));
    shop.in_span("checkout", |_| {
        let mut sent = shop
            .span_builder("publish orders")
            .with_kind(SpanKind::Producer)
            .with_attributes([KeyValue::new("messaging.system", "rabbitmq")])
            .start(&shop);
        let context = sent.span_context().clone();
        sent.end();
        let remote = SpanContext::new(
            context.trace_id(),
            context.span_id(),
            context.trace_flags(),
            true,
            context.trace_state().clone(),
        );
        let mut process = warehouse
            .span_builder("process orders")
            .with_kind(SpanKind::Consumer)
            .with_links(vec![Link::with_context(remote.clone())])
            .start_with_context(&warehouse, &Context::new().with_remote_span_context(remote));
        if fails {
            process.set_attribute(KeyValue::new("error.type", "OutOfStock"));
            process.set_status(Status::error("no more beans"));
        }
        let cx = Context::new().with_span(process);
        warehouse.start_with_context("reserve stock", &cx).end();
    });
}

/// Its drawing.
pub(crate) const ORDER: &str = "
    checkout                shop       INTERNAL
    └─ publish orders       shop       PRODUCER  {messaging.system=rabbitmq}
       └─ process orders    warehouse  CONSUMER  → publish orders
          └─ reserve stock  warehouse  INTERNAL
";
