"""Traces and metrics of each kind, as services send them."""

import random
import time

ERROR, SLOW, IMPORTANT, PLAIN, HEALTH = "error", "slow", "important", "plain", "health"
LINKED, LINKED_IMPORTANT = "linked", "linked-important"
TRACES = {ERROR: 10, SLOW: 10, IMPORTANT: 10, PLAIN: 400, HEALTH: 40, LINKED: 60, LINKED_IMPORTANT: 10}
CARD, AMEX, MAIL = "4111 1111 1111 1111", "3782 822463 10005", "jane@example.com"
DINERS, NINETEEN = "36148900647913", "6304000000000000003"
# As they are in URLs.
CARDS, MAILS = ("4111+1111+1111+1111", "4111%201111%201111%201111"), ("jane%40example.com",)
# They look like what is allowed, but their keys are blocked.
TOKEN, SECRET = "87654321-4321-4321-8321-210987654321", "0.8765432187654321"
PERSONAL = (CARD, AMEX, DINERS, NINETEEN, MAIL, *CARDS, *MAILS, TOKEN, SECRET, "4111111111111111", '"hidden"')
MESSAGE_ID, UUID = "1234567890123456", "12345678-1234-4123-8123-123456789012"  # look like card numbers
TEMPLATE = "user.{id}"
MILLISECONDS, SECONDS = 1795292431746, 0.0012345678901234567


def text(key, value):
    return {"key": key, "value": {"stringValue": value}}


def flag(key):
    return {"key": key, "value": {"boolValue": True}}


def trace(kind, system="messaging.system"):
    """A message that is sent, and processed: two spans, of one trace, or of two where the second only links the first."""
    now, trace_id = time.time_ns(), random.randbytes(16).hex()
    took = 900_000_000 if kind == SLOW else 5_000_000
    publish = {
        "traceId": trace_id, "spanId": random.randbytes(8).hex(), "name": f"publish {kind}", "kind": 4,
        "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + took),
        "attributes": [
            text(system, "rabbitmq"), text("messaging.destination.name", "orders"),
            text("messaging.operation.name", "publish"), text("messaging.message.id", MESSAGE_ID),
            text("order.id", UUID), text("card", CARD), text("customer.email", "hidden"), text("note", f"for {MAIL}"), text("other", AMEX),
            text("url.query", "&".join(("page=2", *CARDS, *MAILS))), text("cards", f"{DINERS} {NINETEEN}"),
            text("auth.token", TOKEN), text("client.secret", SECRET),
            {"key": "took", "value": {"doubleValue": SECONDS}},
            {"key": "queued_at", "value": {"intValue": str(MILLISECONDS)}},
            {"key": "card.number", "value": {"intValue": "4111111111111111"}},
        ],
        "events": [{"timeUnixNano": str(now), "name": f"{CARD} of {MAIL} is charged", "attributes": [text("by", CARD)]}],
    }
    process = {**publish, "spanId": random.randbytes(8).hex(), "name": f"process {kind}", "kind": 5}
    if kind in (LINKED, LINKED_IMPORTANT):
        process["traceId"] = random.randbytes(16).hex()
        process["links"] = [{"traceId": trace_id, "spanId": publish["spanId"]}]
    else:
        process["parentSpanId"] = publish["spanId"]
    if kind == ERROR:
        process["status"] = {"code": 2, "message": f"no mail to {MAIL}"}
    if kind in (IMPORTANT, LINKED, LINKED_IMPORTANT):
        publish["attributes"] = [*publish["attributes"], flag("important")]
    if kind == LINKED_IMPORTANT:
        process["attributes"] = [*process["attributes"], flag("important")]
    if kind == HEALTH:
        route = random.choice([text("http.route", "/health/tracing"), text("url.path", "/readyz")])
        return [{**publish, "kind": 2, "attributes": [route]}]
    return [publish, process]


def batches():
    """All of `TRACES` in some order, 50 traces each; every other batch by the names that the conventions have since 1.45."""
    kinds = [kind for kind, number in TRACES.items() for _ in range(number)]
    random.shuffle(kinds)
    for start in range(0, len(kinds), 50):
        system = "messaging.system" if start % 100 else "messaging.system.name"
        yield [trace(kind, system) for kind in kinds[start:start + 50]]


def spans_body(spans):
    return {"resourceSpans": [{"resource": {"attributes": [text("service.name", "shop")]},
                               "scopeSpans": [{"scope": {"name": "check"}, "spans": spans}]}]}


def logs_body():
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": f"{CARD} of {MAIL} is charged"}, "attributes": [text("card", CARD)]}
    return {"resourceLogs": [{"resource": {"attributes": [text("service.name", "shop")]}, "scopeLogs": [{"scope": {"name": "check"}, "logRecords": [record]}]}]}


def metrics_body(total):
    """What `traced` counts, at `total` messages, by two services: one has the conventions' older names, one the newer."""
    return {"resourceMetrics": [
        {"resource": {"attributes": [text("service.name", service), {"key": "process.pid", "value": {"intValue": "42"}}]},
         "scopeMetrics": [{"scope": {"name": "check"}, "metrics": metrics(total, [text(system, "kafka"), text("messaging.destination.name", "stock")])}]}
        for service, system in (("older", "messaging.system"), ("newer", "messaging.system.name"))
    ]}


def metrics(total, destination):
    send = [*destination, text("messaging.operation.name", "send"), text("messaging.operation.type", "send")]
    process = [*destination, text("messaging.operation.name", "process")]
    failed = text("error.type", "timeout")
    templated = [destination[0], text("messaging.destination.template", TEMPLATE), text("messaging.operation.name", "process")]
    return [
        counter("messaging.client.sent.messages", total, send, [*send, failed]),
        counter("messaging.client.consumed.messages", total, process, templated),
        counter("orders.items", total, [text("item", f"coffee for {CARD} of {MAIL}"), text("auth.token", TOKEN)]),
        counter("traced.context.missing", total, [*destination[1:], text("traced.context.reason", "absent")]),
        histogram("messaging.client.operation.duration", total, send),
        histogram("messaging.process.duration", total, process, [*process, failed]),
        histogram("traced.message.wait.duration", total, destination),
    ]


def counter(name, total, *of):
    points = [{**point(attributes), "asInt": str(total)} for attributes in of]
    return {"name": name, "unit": "{message}", "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": points}}


def histogram(name, total, *of):
    points = [
        {**point(attributes), "count": str(total), "sum": total * 0.02, "bucketCounts": ["0", str(total), "0"], "explicitBounds": [0.01, 0.025]}
        for attributes in of
    ]
    return {"name": name, "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": points}}


def point(attributes):
    return {"attributes": attributes, "startTimeUnixNano": str(STARTED), "timeUnixNano": str(time.time_ns())}


STARTED = time.time_ns()
