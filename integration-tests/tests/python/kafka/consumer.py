"""Consumes one message, reports it, and sends it on to a second topic if one is named.

The instrumentation only links the sender. Whoever wants to continue its trace extracts the context, as here.

usage: consumer.py TOPIC [NEXT [forward]]    (forward: with the headers that came, as somebody does who forgets ours)
"""

import sys

import client
from opentelemetry import context, propagate
from opentelemetry.instrumentation.confluent_kafka.utils import _kafka_getter
from partner import report_message

topic, *following = sys.argv[1:]
tracer = client.tracer()
consumer, producer = client.consumer(topic), client.producer()
message = client.receive(consumer)
token = context.attach(propagate.extract(message.headers(), getter=_kafka_getter))
report_message(message.headers(), message.value())
with tracer.start_as_current_span("handle"):
    for name in following[:1]:
        headers = message.headers() if "forward" in following else []
        client.send(producer, name, message.value(), headers)
context.detach(token)
consumer.close()
