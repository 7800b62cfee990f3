"""Sends one message, inside a span `checkout` of a trace that starts here.

usage: producer.py TOPIC TRACESTATE [KEY VALUE]...    (the rest is baggage)
"""

import sys

import client
from partner import WithTracestate, checkout

topic, tracestate, *members = sys.argv[1:]
tracer = client.tracer(sampler=WithTracestate(tracestate))
producer = client.producer()
with checkout(tracer, members):
    client.send(producer, topic, b"from Python", [("tenant", b"acme")])
