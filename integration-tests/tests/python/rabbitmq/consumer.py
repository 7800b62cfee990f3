"""Consumes one message, reports it, and sends it on to a second queue if one is named.

usage: consumer.py QUEUE [NEXT]
"""

import sys

from client import connect
from partner import report_message

queue, *following = sys.argv[1:]
connection, channel, tracer = connect()


def on_message(channel, method, properties, body):
    report_message((properties.headers or {}).items(), body)
    with tracer.start_as_current_span("handle"):
        for name in following:
            # With the properties that came: what the message carried is to be replaced, not doubled.
            channel.basic_publish("", name, body, properties)
    channel.basic_ack(method.delivery_tag)
    channel.stop_consuming()


channel.basic_consume(queue, on_message)
channel.start_consuming()
connection.close()
