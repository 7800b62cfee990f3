"""Publishes one message, inside a span `checkout` of a trace that starts here.

usage: publisher.py QUEUE TRACESTATE [KEY VALUE]...    (the rest is baggage)
"""

import sys

import pika
from opentelemetry import baggage, context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import TraceState
from partner import connect


class WithTracestate(Sampler):
    """Gives the trace's first span a tracestate, as vendors' samplers do; further spans inherit it."""

    def __init__(self, header):
        self.tracestate = TraceState.from_header([header])

    def should_sample(self, *_, **__):
        return SamplingResult(Decision.RECORD_AND_SAMPLE, trace_state=self.tracestate)

    def get_description(self):
        return "WithTracestate"


queue, tracestate, *members = sys.argv[1:]
connection, channel, tracer = connect(WithTracestate(tracestate))
for key, value in zip(members[::2], members[1::2]):
    context.attach(baggage.set_baggage(key, value))
with tracer.start_as_current_span("checkout"):
    properties = pika.BasicProperties(headers={"tenant": "acme"})
    channel.basic_publish("", queue, b"from Python", properties)
connection.close()
