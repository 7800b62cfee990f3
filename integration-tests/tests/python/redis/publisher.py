"""Publishes one message, inside a span `checkout` of a trace that starts here.

usage: publisher.py CHANNEL MESSAGE TRACESTATE [KEY VALUE]...    (the message as JSON; the rest is baggage)
       publisher.py CHANNEL MESSAGE                              (without OpenTelemetry's SDK)
"""

import json
import sys

import client
from opentelemetry import trace
from partner import WithTracestate, checkout, reporting

channel, message, *traced = sys.argv[1:]
message = json.loads(message)
connection = client.connect()
if traced:
    tracestate, *members = traced
    tracer = reporting(WithTracestate(tracestate)).get_tracer("partner")
    with checkout(tracer, members):
        client.publish(connection, tracer, channel, message)
else:
    client.publish(connection, trace.get_tracer("partner"), channel, message)
