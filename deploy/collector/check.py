"""Sends traces of each kind through collectors that run these configurations, and looks at what comes out.

check.py OTELCOL: one collector, then two tiers. In place of the backends, files: the last --config changes the exporters, nothing else.
"""

import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
LIMIT = 60  # seconds for anything that is waited for
ERROR, SLOW, IMPORTANT, PLAIN, HEALTH = "error", "slow", "important", "plain", "health"
TRACES = {ERROR: 10, SLOW: 10, IMPORTANT: 10, PLAIN: 400, HEALTH: 40}
CARD, MAIL = "4111 1111 1111 1111", "jane@example.com"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(what, found):
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.05)  # between two looks; what ends the wait is what is looked for
    sys.exit(f"collector: {what}: not within {LIMIT} s")


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return ""


class Collector:
    """One process, whose addresses are free ones of loopback."""

    def __init__(self, program, config, overlay="", **environment):
        self.health, self.http, self.grpc, self.metrics = (free_port() for _ in range(4))
        self.out = tempfile.mkdtemp()
        local = "127.0.0.1:"
        environment = {
            "OTLP_HTTP": f"{local}{self.http}", "OTLP_GRPC": f"{local}{self.grpc}", "HEALTH": f"{local}{self.health}",
            "PROMETHEUS": f"{local}{self.metrics}", "DECISION_WAIT": "2s", "SPAN_METRICS_INTERVAL": "1s",
            "SELF_PORT": str(free_port()), "OUT": self.out, **environment,
        }
        # The collector's own metrics have a port that is fixed: not in a test.
        own = "yaml:service::telemetry::metrics::level: none"
        command = [program, f"--config={HERE / config}", f"--config=yaml:{overlay}", f"--config={own}"]
        self.log = open(pathlib.Path(self.out) / "log", "w+")
        self.process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=self.log, stderr=self.log)

    def __enter__(self):
        wait_for(f"start ({self.log.name})", lambda: get(f"http://127.0.0.1:{self.health}/") or self.process.poll() is not None)
        if self.process.poll() is not None:
            self.log.seek(0)
            sys.exit(f"collector: did not start:\n{self.log.read()}")
        return self

    def __exit__(self, *_):
        self.process.terminate()  # flushes
        self.process.wait(LIMIT)

    def send(self, spans):
        resource = {"attributes": [text("service.name", "shop")]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "check"}, "spans": spans}]}]}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http}/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()

    def spans(self, name):
        file = pathlib.Path(self.out) / name
        lines = file.read_text().splitlines() if file.exists() else []
        return [
            (resource["resource"], span)
            for line in lines if line.endswith("}")
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"] for span in scope["spans"]
        ]


def text(key, value):
    return {"key": key, "value": {"stringValue": value}}


def trace(kind):
    """A request and the message that it sends: two spans of one trace."""
    now, trace_id = time.time_ns(), random.randbytes(16).hex()
    took = 900_000_000 if kind == SLOW else 5_000_000
    publish = {
        "traceId": trace_id, "spanId": random.randbytes(8).hex(), "name": f"publish {kind}", "kind": 4,
        "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + took),
        "attributes": [
            text("messaging.system", "rabbitmq"), text("messaging.destination.name", "orders"),
            text("messaging.operation.name", "publish"), text("messaging.message.id", "1234567890123"),
            text("card", CARD), text("customer.email", "hidden"), text("note", f"for {MAIL}"),
            {"key": "card.number", "value": {"intValue": "4111111111111111"}},
        ],
    }
    process = {**publish, "spanId": random.randbytes(8).hex(), "parentSpanId": publish["spanId"], "name": f"process {kind}", "kind": 5}
    if kind == ERROR:
        process["status"] = {"code": 2, "message": f"no mail to {MAIL}"}
    if kind == IMPORTANT:
        publish["attributes"] = [*publish["attributes"], {"key": "important", "value": {"boolValue": True}}]
    if kind == HEALTH:
        route = random.choice([text("http.route", "/health/tracing"), text("url.path", "/readyz")])
        return [{**publish, "kind": 2, "attributes": [route]}]
    return [publish, process]


def send_all(collector):
    kinds = [kind for kind, number in TRACES.items() for _ in range(number)]
    random.shuffle(kinds)
    for start in range(0, len(kinds), 50):
        collector.send([span for kind in kinds[start:start + 50] for span in trace(kind)])


def kept(spans):
    """How many traces of each kind, all of them whole."""
    spans_of = {}
    for _, span in spans:
        spans_of.setdefault((span["name"].split()[1], span["traceId"]), []).append(span)
    halves = [key for key, of_trace in spans_of.items() if len(of_trace) != 2]
    require(not halves, f"traces that are not whole: {halves}")
    return {kind: sum(1 for found, _ in spans_of if found == kind) for kind in TRACES}


def require(condition, otherwise):
    if not condition:
        sys.exit(f"collector: {otherwise}")


def check_tail(found):
    for kind in (ERROR, SLOW, IMPORTANT):
        require(found[kind] == TRACES[kind], f"of {TRACES[kind]} {kind} traces {found[kind]} were kept")
    # 10 % of 400 are 40, give or take 6 each sigma.
    require(10 <= found[PLAIN] <= 80, f"of {TRACES[PLAIN]} plain traces {found[PLAIN]} were kept")
    require(found[HEALTH] == 0, "health checks were kept")


def check_masking(spans):
    everything = json.dumps([[resource, span] for resource, span in spans])
    for personal in (CARD, MAIL, "4111111111111111", '"hidden"'):
        require(personal not in everything, f"{personal} came through")
    require("1234567890123" in everything, "the message's id was masked")
    require("****" in everything, "nothing was masked")
    require(all("deployment.environment.name" in json.dumps(resource) for resource, _ in spans), "no environment")


def settled(collectors, name):
    """What is in the files once nothing has come for as long as a decision takes."""
    def all_spans():
        return [span for collector in collectors for span in collector.spans(name)]

    wait_for("a sampled trace", lambda: kept_enough(all_spans()))
    return all_spans


def kept_enough(spans):
    names = {}
    for _, span in spans:
        names[span["name"]] = names.get(span["name"], 0) + 1
    return all(names.get(f"publish {kind}", 0) >= TRACES[kind] for kind in (ERROR, SLOW, IMPORTANT))


def counted(metrics):
    """Calls by the names of spans, from Prometheus' text."""
    lines = re.findall(r'^spans_calls_total\{(.*)\} (\S+)', metrics, re.MULTILINE)
    return {re.search(r'span_name="([^"]*)"', labels)[1]: float(value) for labels, value in lines}


FILES = "{exporters: {file/tail: {path: '${env:OUT}/tail', flush_interval: 200ms}, file/head: {path: '${env:OUT}/head', flush_interval: 200ms}}"


def one_collector(program):
    overlay = FILES + ", service: {pipelines: {traces/tail: {exporters: [file/tail]}, traces/head: {exporters: [file/head]}}}}"
    with Collector(program, "config.yaml", overlay) as collector:
        send_all(collector)
        settled([collector], "tail")
        calls = wait_for("all calls counted", lambda: all_calls(get(f"http://127.0.0.1:{collector.metrics}/metrics")))
    tail, head = collector.spans("tail"), collector.spans("head")
    found, by_chance = kept(tail), kept(head)
    check_tail(found)
    require(by_chance[HEALTH] == 0, "health checks came through")
    # 25 % of 430 are 107, give or take 9 each sigma.
    require(50 <= sum(by_chance.values()) <= 165, f"{by_chance} were kept by chance")
    check_masking(tail + head)
    print(f"collector: tail sampling kept {found}, chance {by_chance}; {sum(calls.values()):.0f} calls counted")


def all_calls(metrics):
    calls = counted(metrics)
    expected = {f"{name} {kind}": number for kind, number in TRACES.items() if kind != HEALTH for name in ("publish", "process")}
    return calls if calls == expected else None


def two_tiers(program):
    files = "{exporters: {file/tail: {path: '${env:OUT}/tail', flush_interval: 200ms}}, service: {pipelines: {traces: {exporters: [file/tail]}}}}"
    head = "exporters: {file/head: {path: '${env:OUT}/head'}}, service: {pipelines: {traces/head: {exporters: [file/head]}"
    components = subprocess.run([program, "components"], capture_output=True, text=True, check=True).stdout
    balances = "loadbalancing" in components
    with Collector(program, "two-tier-sampler.yaml", files) as first, Collector(program, "two-tier-sampler.yaml", files) as second:
        addresses = [f"127.0.0.1:{sampler.grpc}" for sampler in (first, second)]
        if balances:
            config, overlay = "two-tier-gateway.yaml", f"{{{head}}}}}}}"
        else:
            # Everything to one sampler, by the configuration that the gateway's is made of.
            print("missing: the exporter loadbalancing in this collector: two-tier-gateway.yaml is not checked, its samplers are")
            config, overlay = "config.yaml", f"{{{head}, traces/tail: {{processors: [], exporters: [otlp_grpc/jaeger]}}}}}}}}"
        environment = {"SAMPLER_1": addresses[0], "SAMPLER_2": addresses[1], "JAEGER_TAIL": addresses[0]}
        with Collector(program, config, overlay, **environment) as one, Collector(program, config, overlay, **environment) as other:
            kinds = [kind for kind, number in TRACES.items() for _ in range(number)]
            for start in range(0, len(kinds), 50):
                # The halves of a trace come by different gateways.
                traces = [trace(kind) for kind in kinds[start:start + 50]]
                one.send([spans[0] for spans in traces])
                other.send([span for spans in traces for span in spans[1:]])
            settled([first, second], "tail")
    found = [kept(collector.spans("tail")) for collector in (first, second)]
    together = {kind: sum(one[kind] for one in found) for kind in TRACES}
    check_tail(together)
    require(not balances or all(sum(one.values()) > 0 for one in found), f"one sampler got nothing: {found}")
    check_masking(first.spans("tail") + second.spans("tail"))
    print(f"collector: two tiers kept {together}, by sampler {[sum(one.values()) for one in found]}")


if __name__ == "__main__":
    one_collector(sys.argv[1])
    two_tiers(sys.argv[1])
