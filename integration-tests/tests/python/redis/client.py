"""redis-py, and a context in JSON by hand: nothing of OpenTelemetry's knows of Redis' messages."""

import json
import time

import redis
from opentelemetry import propagate
from opentelemetry.trace import SpanKind
from partner import PATIENCE, broker


def connect():
    return redis.Redis.from_url(broker())


def publish(client, tracer, channel, message):
    """The shape that services publish: the carrier as the propagator filled it, beside the message."""
    with tracer.start_as_current_span(f"{channel} publish", kind=SpanKind.PRODUCER):
        carrier = {}
        propagate.inject(carrier)
        client.publish(channel, json.dumps({"trace_context": carrier, "payload": message}))


def receive(subscription):
    """The next message's data; its subscriptions are confirmed before."""
    end = time.monotonic() + PATIENCE
    while (left := end - time.monotonic()) > 0:
        event = subscription.get_message(timeout=left)
        if event and event["type"] == "message":
            return event["data"]
    raise TimeoutError("no message comes")
