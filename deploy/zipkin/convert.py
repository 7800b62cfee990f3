#!/usr/bin/env python3
"""Spans from the collector's file exporter (OTLP's JSON) as Zipkin's, version 2, for its trace and dependency pages.

convert.py [--brokers] FILE [TRACE..] | curl -sH 'Content-Type: application/json' -d @- http://127.0.0.1:9411/api/v2/spans

All traces, or those whose ids are given. Zipkin knows no links: they are tags, `link.N`. The other end of a span that sends or receives
is the broker: so it stands between the services on the page of dependencies. With `--brokers` it does so on the page of a trace, too, as
a span from the start of sending to the start of processing. Brokers make no spans: that one is worked out from its neighbours'.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "check"))
import spans

KINDS = ["", "", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
# Facts that are the same on every span, or that Zipkin shows elsewhere.
LEFT_OUT = ("code.", "thread.", "busy_ns", "idle_ns", "target", "level")


def converted(resource, span):
    tags = spans.attributes(span)
    kind = span.get("kind", 1)
    start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
    zipkin = {
        "traceId": span["traceId"], "id": span["spanId"], "parentId": span.get("parentSpanId") or None, "name": span["name"],
        "kind": KINDS[kind] if isinstance(kind, int) else kind.removeprefix("SPAN_KIND_"),
        # Microseconds, of which each span has one.
        "timestamp": start // 1000, "duration": max(1, (end - start) // 1000),
        "localEndpoint": {"serviceName": spans.attributes(resource).get("service.name", "unknown")},
        "tags": {key: shown(value) for key, value in tags.items() if not key.startswith(LEFT_OUT)},
        "annotations": [{"timestamp": int(event["timeUnixNano"]) // 1000, "value": event["name"]} for event in span.get("events", [])],
    }
    other = tags.get("messaging.system") or tags.get("db.system.name")
    if other and zipkin["kind"]:
        zipkin["remoteEndpoint"] = {"serviceName": other}
    for number, link in enumerate(span.get("links", []), 1):
        zipkin["tags"][f"link.{number}"] = f"{link['traceId']}/{link['spanId']}"
    if spans.is_error(span):
        zipkin["tags"]["error"] = span["status"].get("message") or shown(tags.get("error.type", "true"))
    if zipkin["kind"] in ("", "INTERNAL"):
        del zipkin["kind"]
    return {key: value for key, value in zipkin.items() if value is not None}


def shown(value):
    return value if isinstance(value, str) else json.dumps(value)


def with_brokers(zipkin):
    """Between a PRODUCER and its CONSUMER, a span of the broker."""
    producers = {span["id"]: span for span in zipkin if span.get("kind") == "PRODUCER"}
    brokers = []
    for span in zipkin:
        sent = producers.get(span.get("parentId"))
        if span.get("kind") != "CONSUMER" or not sent:
            continue
        broker = {
            "traceId": span["traceId"], "id": f"{int(span['id'], 16) ^ 0xB0B0B0B0:016x}", "parentId": sent["id"],
            "name": sent["tags"].get("messaging.destination.name", ""), "localEndpoint": span["remoteEndpoint"],
            "timestamp": sent["timestamp"], "duration": max(1, span["timestamp"] - sent["timestamp"]),
            "tags": {"worked.out.from": f"{sent['name']}, {span['name']}"},
        }
        span["parentId"] = broker["id"]
        brokers.append(broker)
    return [*zipkin, *brokers]


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--brokers"]
    file, wanted = arguments[0], arguments[1:]
    zipkin = [converted(resource, span) for resource, span in spans.read(file) if not wanted or span["traceId"] in wanted]
    print(json.dumps(with_brokers(zipkin) if "--brokers" in sys.argv else zipkin))
