"""What publisher.py and consumer.py share: OpenTelemetry as Python users set it up, and reports as JSON lines on stdout."""

import json
import os

import pika
from opentelemetry import baggage
from opentelemetry.instrumentation.pika import PikaInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON


def report(what, **facts):
    # ASCII only: the reader must not depend on this machine's locale.
    print(json.dumps({"report": what, **facts}), flush=True)


def described(context):
    return {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "flags": int(context.trace_flags),
        "tracestate": context.trace_state.to_header(),
    }


class Reporter(SpanExporter):
    """Reports each span when it ends."""

    def export(self, spans):
        for span in spans:
            parent = f"{span.parent.span_id:016x}" if span.parent else None
            report("span", name=span.name, kind=span.kind.name, parent_id=parent, **described(span.context))
        return SpanExportResult.SUCCESS


def connect(sampler=ALWAYS_ON):
    """A channel of an instrumented connection to the broker that AMQP_URL names, and a tracer."""
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(Reporter()))
    PikaInstrumentor().instrument(tracer_provider=provider)
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))
    return connection, connection.channel(), provider.get_tracer("partner")


def report_message(properties, body):
    """What a handler sees: the raw headers with their Python types, and the baggage of the current context."""
    headers = {name: [type(value).__name__, str(value)] for name, value in (properties.headers or {}).items()}
    report("message", headers=headers, baggage=dict(baggage.get_all()), body=body.decode())
