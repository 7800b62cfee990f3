"""Spans as the collector's file exporter writes them: OTLP's JSON, one request a line."""

import json
import pathlib


def read(file):
    """`(resource, span)` of all lines that are whole."""
    file = pathlib.Path(file)
    lines = file.read_text().splitlines() if file.exists() else []
    return [
        (resource["resource"], span)
        for line in lines if line.endswith("}")
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"] for span in scope["spans"]
    ]


def attributes(of):
    """A resource's, a span's or a link's attributes, their values without OTLP's types."""
    return {entry["key"]: value(entry["value"]) for entry in of.get("attributes", [])}


def value(typed):
    kind, content = next(iter(typed.items()), ("stringValue", ""))
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return [value(entry) for entry in content.get("values", [])]
    return content


def by_trace(spans):
    traces = {}
    for _, span in spans:
        traces.setdefault(span["traceId"], []).append(span)
    return traces


def is_error(span):
    return span.get("status", {}).get("code") in (2, "STATUS_CODE_ERROR")


def seconds(trace):
    """From its first span's start to its last span's end."""
    return (max(int(span["endTimeUnixNano"]) for span in trace) - min(int(span["startTimeUnixNano"]) for span in trace)) / 1e9
