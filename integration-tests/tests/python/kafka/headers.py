"""Reports the first records of a topic, with nothing of OpenTelemetry: what is on the wire.

usage: headers.py TOPIC COUNT
"""

import sys

import client
from partner import report_message

topic, count = sys.argv[1:]
consumer = client.consumer(topic)
for _ in range(int(count)):
    message = client.receive(consumer)
    report_message(message.headers() or [], message.value())
consumer.close()
