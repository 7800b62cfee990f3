"""Publishes one message, inside a span `checkout` of a trace that starts here.

usage: publisher.py QUEUE TRACESTATE [KEY VALUE]...    (the rest is baggage)
"""

import sys

import pika
from client import connect
from partner import WithTracestate, checkout

queue, tracestate, *members = sys.argv[1:]
connection, channel, tracer = connect(sampler=WithTracestate(tracestate))
with checkout(tracer, members):
    properties = pika.BasicProperties(headers={"tenant": "acme"})
    channel.basic_publish("", queue, b"from Python", properties)
connection.close()
