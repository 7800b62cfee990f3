"""confluent-kafka, with its instrumentation."""

import confluent_kafka
from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor
from partner import PATIENCE, broker, instrumented


def tracer(**options):
    return instrumented(ConfluentKafkaInstrumentor(), **options)


def producer():
    # By the module: what is imported by name before it is instrumented, stays as it was.
    return confluent_kafka.Producer({"bootstrap.servers": broker()})


def consumer(topic):
    """From the beginning of the topic's one partition."""
    group = f"python-{topic}"
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker(), "group.id": group, "enable.auto.commit": False}
    )
    consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_BEGINNING)])
    return consumer


def receive(consumer):
    message = consumer.poll(PATIENCE)
    if message is None:
        raise TimeoutError("no message comes")
    if message.error():
        raise confluent_kafka.KafkaException(message.error())
    return message


def send(producer, topic, body, headers):
    producer.produce(topic, body, headers=headers, on_delivery=delivered)
    if producer.flush(PATIENCE):
        raise TimeoutError("no delivery report comes")


def delivered(error, _message):
    if error:
        raise confluent_kafka.KafkaException(error)
