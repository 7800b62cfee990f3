"""What all partners share: OpenTelemetry as Python users set it up, and reports as JSON lines on stdout.

The address of the broker is in BROKER.
"""

import contextlib
import json
import os

from opentelemetry import baggage, context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import TraceState

# A handler waits so many seconds for its message.
PATIENCE = 30


def broker():
    return os.environ["BROKER"]


def instrumented(instrumentor, sampler=ALWAYS_ON):
    """Instruments a client; its spans are reported, and those of the tracer."""
    provider = reporting(sampler)
    instrumentor.instrument(tracer_provider=provider)
    return provider.get_tracer("partner")


def reporting(sampler=ALWAYS_ON):
    """A provider whose spans are reported."""
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(SimpleSpanProcessor(Reporter()))
    return provider


class WithTracestate(Sampler):
    """Gives the trace's first span a tracestate, as vendors' samplers do; further spans inherit it."""

    def __init__(self, header):
        self.tracestate = TraceState.from_header([header])

    def should_sample(self, *_, **__):
        return SamplingResult(Decision.RECORD_AND_SAMPLE, trace_state=self.tracestate)

    def get_description(self):
        return "WithTracestate"


@contextlib.contextmanager
def checkout(tracer, members):
    """A request with baggage, given as KEY VALUE KEY VALUE..., inside a span `checkout`."""
    for key, value in zip(members[::2], members[1::2]):
        context.attach(baggage.set_baggage(key, value))
    with tracer.start_as_current_span("checkout"):
        yield


def report(what, **facts):
    # ASCII only: the reader must not depend on this machine's locale.
    print(json.dumps({"report": what, **facts}), flush=True)


def report_message(headers, body):
    """What a handler sees: the raw headers, as (name, value), with their Python types, and the baggage of the current context."""
    headers = sorted([name, type(value).__name__, text(value)] for name, value in headers)
    report("message", headers=headers, baggage=dict(baggage.get_all()), body=body.decode())


def text(value):
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def described(span_context):
    return {
        "trace_id": f"{span_context.trace_id:032x}",
        "span_id": f"{span_context.span_id:016x}",
        "flags": int(span_context.trace_flags),
        "tracestate": span_context.trace_state.to_header(),
    }


class Reporter(SpanExporter):
    """Reports each span when it ends."""

    def export(self, spans):
        for span in spans:
            parent = f"{span.parent.span_id:016x}" if span.parent else None
            links = [described(link.context) for link in span.links]
            facts = {"name": span.name, "kind": span.kind.name, "parent_id": parent, "links": links}
            report("span", **facts, **described(span.context))
        return SpanExportResult.SUCCESS
