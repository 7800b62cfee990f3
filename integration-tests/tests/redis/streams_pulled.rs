//! Single reads inside a span. That of one entry is a case of the conformance suite.

use anyhow::Result;
use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};

use crate::streams::{Stream, group};

/// The entries of one read: below the span that asked for them where the consumer says that it does, else only linked to it.
#[tokio::test]
async fn a_batch_is_the_child_of_the_span_that_pulled_it() -> Result<()> {
    for pulled in [true, false] {
        let stream = Stream::new().await?;
        let name = &stream.name;
        let mut producer = stream.producer().await?;
        for order in [1, 2] {
            producer.xadd(name, "*", &[("id", order)]).await?;
        }
        let mut consumer = stream.consumer().await?.pulled(pulled);
        let request = Context::new().with_span(stream.server.capture.tracer("warehouse").start("request"));
        async {
            let entries = consumer.xread_options(&[name], &[">"], &group("worker-1")).await?;
            consumer.process_batch(entries, async |_| anyhow::Ok(())).await
        }
        .with_context(request.clone())
        .await?;
        request.span().end();
        let below = format!(
            "
            xadd {name}        shop       PRODUCER
            xadd {name}        shop       PRODUCER
            request            warehouse  INTERNAL
              process {name}   warehouse  CONSUMER  → xadd {name}  → xadd {name}"
        );
        let linked = format!(
            "
            xadd {name}        shop       PRODUCER
            xadd {name}        shop       PRODUCER
            request            warehouse  INTERNAL
            process {name}     warehouse  CONSUMER  → xadd {name}  → xadd {name}  → request"
        );
        stream.server.capture.assert_trace(if pulled { &below } else { &linked });
    }
    Ok(())
}
