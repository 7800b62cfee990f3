"""pika, with its instrumentation."""

import pika
from opentelemetry.instrumentation.pika import PikaInstrumentor
from partner import broker, instrumented


def connect(**options):
    """An instrumented connection, its channel, and a tracer."""
    tracer = instrumented(PikaInstrumentor(), **options)
    connection = pika.BlockingConnection(pika.URLParameters(broker()))
    return connection, connection.channel(), tracer
