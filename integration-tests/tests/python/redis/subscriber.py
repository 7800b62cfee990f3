"""Takes one message, reports it, and publishes it to a second channel if one is named.

usage: subscriber.py CHANNEL READY [NEXT]    (READY: a list that gets an element once the subscription is there)
"""

import json
import sys

import client
from opentelemetry import context, propagate
from opentelemetry.trace import SpanKind
from partner import PATIENCE, report_message, reporting

channel, ready, *following = sys.argv[1:]
tracer = reporting().get_tracer("partner")
connection = client.connect()
subscription = connection.pubsub()
subscription.subscribe(channel)
confirmed = subscription.get_message(timeout=PATIENCE)
assert confirmed["type"] == "subscribe", confirmed
connection.rpush(ready, "subscribed")

data = client.receive(subscription)
envelope = json.loads(data)
token = context.attach(propagate.extract(envelope["trace_context"]))
with tracer.start_as_current_span(f"{channel} process", kind=SpanKind.CONSUMER):
    report_message(envelope["trace_context"].items(), data)
    for name in following:
        client.publish(connection, tracer, name, envelope["payload"])
context.detach(token)
subscription.close()
