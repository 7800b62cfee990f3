"""Sends traces of each kind through collectors that run these configurations, and looks at what comes out.

configurations.py OTELCOL [PROMETHEUS]: one collector, whose metrics a Prometheus with these rules reads; then two tiers. In place of
the backends, files.
"""

import json
import re
import subprocess
import sys

import panels
import programs
import spans
import synthetic
import waiting
from programs import LOCAL, Collector, Prometheus
from synthetic import ERROR, HEALTH, IMPORTANT, LINKED, LINKED_IMPORTANT, PLAIN, SLOW, TRACES
from waiting import require

# Nobody listens there, and nothing is tried again: spans get lost, as the panel about it wants to see.
NOBODY = f"otlp_http/nobody: {{endpoint: 'http://{LOCAL}1', retry_on_failure: {{enabled: false}}}}"
FILES = "file/logs: {path: '${env:OUT}/logs', flush_interval: 200ms}, file/tail: {path: '${env:OUT}/tail', flush_interval: 200ms}, file/head: {path: '${env:OUT}/head', flush_interval: 200ms}"


def one_collector(program, prometheus):
    overlay = f"{{exporters: {{{FILES}, {NOBODY}}}, service: {{pipelines: {{traces/tail: {{exporters: [file/tail, otlp_http/nobody]}}, traces/head: {{exporters: [file/head]}}, logs: {{exporters: [file/logs]}}}}}}}}"
    sent = dict(TRACES)
    with Collector(program, "config.yaml", overlay) as collector:
        for traces in synthetic.batches():
            collector.send("traces", synthetic.spans_body([span for trace in traces for span in trace]))
        collector.send("logs", synthetic.logs_body())
        calls = waiting.wait_for("all calls counted", lambda: all_calls(waiting.get(f"http://{LOCAL}{collector.metrics}/metrics")))
        if prometheus:
            with Prometheus(prometheus, collector) as server:
                check_panels(server, collector, sent)
        else:
            print("missing: Prometheus: the dashboard's panels are not asked")
        waiting.wait_for("a trace of each kind that is kept", lambda: kept_enough(spans.read(collector.out / "tail"), sent))
        logs = waiting.wait_for("a log record", (collector.out / "logs").read_text)
    tail, head = spans.read(collector.out / "tail"), spans.read(collector.out / "head")
    found, by_chance = kept(tail), kept(head)
    check_tail(found, sent)
    require(by_chance[HEALTH] == 0, "health checks came through")
    # 25 % of 500 are 125, give or take 10 each sigma.
    require(70 <= sum(by_chance.values()) <= 180, f"{by_chance} were kept by chance")
    check_masking(tail + head)
    require(synthetic.CARD not in logs and synthetic.MAIL not in logs and "of ****" in logs, f"not masked: {logs}")
    print(f"one collector: tail sampling kept {found}, chance {by_chance}; {sum(calls.values()):.0f} calls counted")


def check_panels(server, collector, sent):
    """While metrics and spans go on coming, each panel shows something."""
    total = 0

    def rise():
        nonlocal total
        total += 100
        collector.send("metrics", synthetic.metrics_body(total))
        collector.send("traces", synthetic.spans_body([span for kind in (ERROR, SLOW) for span in synthetic.trace(kind)]))
        for kind in (ERROR, SLOW):
            sent[kind] += 1
        # By both names of the conventions one series each: nothing is counted twice, and nothing is lost.
        return all(
            panels.has_number(server.url, f'count by () (messaging_client_consumed_messages_total{{messaging_system="kafka",messaging_destination_name="{name}"}}) == 2')
            for name in ("stock", synthetic.TEMPLATE))

    waiting.wait_for("the metrics of services with older and newer names", rise)
    for label in ("messaging_system_name", "process_pid"):
        require(not panels.has_number(server.url, f'{{{label}!=""}}'), f"a label {label}")
    require(panels.has_number(server.url, 'messaging_client_consumed_messages_total{deployment_environment_name="local"}'), "metrics without an environment")
    require(panels.has_number(server.url, 'orders_items_total{item="coffee for **** of ****",auth_token="****"}'), "labels that are not masked")
    panels.require_nothing_personal(server.url, synthetic.PERSONAL)
    numbers = panels.check(server.url, rise=rise)
    exemplars = panels.ask(server.url, "query_exemplars", query="spans_duration_seconds_bucket", start=server.started, end=server.started + 3600)
    require(any(series["exemplars"] for series in exemplars), "no point of a curve leads to a trace")
    print(f"Prometheus: {numbers} queries of panels have numbers, and exemplars trace ids")


def kept(found):
    """How many traces of each kind, all of them whole; of those that only link, how many of the consumers."""
    of_kind = {}
    for _, span in found:
        of_kind.setdefault(span["name"].split()[1], {}).setdefault(span["traceId"], []).append(span)
    for kind, traces in of_kind.items():
        if kind in (LINKED, LINKED_IMPORTANT):
            of_kind[kind] = {key: trace for key, trace in traces.items() if trace[0]["kind"] in (5, "SPAN_KIND_CONSUMER")}
        else:
            halves = [key for key, trace in traces.items() if len(trace) != 2]
            require(not halves, f"{kind} traces that are not whole: {halves}")
    return {kind: len(of_kind.get(kind, {})) for kind in TRACES}


def check_tail(found, sent):
    for kind in (SLOW, IMPORTANT, ERROR, LINKED_IMPORTANT):
        require(found[kind] == sent[kind], f"of {sent[kind]} {kind} traces {found[kind]} were kept")
    # 10 % of 400 are 40, give or take 6 each sigma.
    require(10 <= found[PLAIN] <= 80, f"of {TRACES[PLAIN]} plain traces {found[PLAIN]} were kept")
    # Their producers are important, and they are not: one in ten.
    require(found[LINKED] <= 25, f"of {TRACES[LINKED]} consumers that only link {found[LINKED]} were kept")
    require(found[HEALTH] == 0, "health checks were kept")


def check_masking(found):
    everything = json.dumps(found)
    for personal in synthetic.PERSONAL:
        require(personal not in everything, f"{personal} came through")
    for id in (synthetic.MESSAGE_ID, synthetic.UUID, str(synthetic.MILLISECONDS), str(synthetic.SECONDS)):
        require(id in everything, f"the id {id} was masked")
    require("****" in everything, "nothing was masked")
    for resource, span in found:
        require("deployment.environment.name" in spans.attributes(resource), "no environment")
        require(spans.attributes(span)["messaging.system"] == "rabbitmq", "a span without the conventions' older name")


def kept_enough(found, sent):
    names = {}
    for _, span in found:
        names[span["name"]] = names.get(span["name"], 0) + 1
    return all(names.get(f"{half} {kind}", 0) >= sent[kind] for half in ("publish", "process") for kind in (ERROR, SLOW, IMPORTANT, LINKED_IMPORTANT))


def all_calls(metrics):
    """Calls by the names of spans, from Prometheus' text, once they are all there."""
    lines = re.findall(r'^spans_calls_total\{(.*)\} (\S+)', metrics, re.MULTILINE)
    calls = {}
    for labels, value in lines:
        name = re.search(r'span_name="([^"]*)"', labels)[1]
        calls[name] = calls.get(name, 0) + float(value)
    expected = {f"{name} {kind}": number for kind, number in TRACES.items() if kind != HEALTH for name in ("publish", "process")}
    return calls if calls == expected else None


def two_tiers(program):
    components = subprocess.run([program, "components"], capture_output=True, text=True, check=True).stdout
    if "loadbalancing" not in components:
        print("missing: the exporter loadbalancing in this collector: two tiers are not checked")
        return
    files = "{exporters: {file/tail: {path: '${env:OUT}/tail', flush_interval: 200ms}}, service: {pipelines: {traces: {exporters: [file/tail]}}}}"
    head = "{exporters: {file/head: {path: '${env:OUT}/head', flush_interval: 200ms}}, service: {pipelines: {traces/head: {exporters: [file/head]}}}}"
    with Collector(program, "two-tier-sampler.yaml", files) as first, Collector(program, "two-tier-sampler.yaml", files) as second:
        samplers = (first, second)
        addresses = {f"SAMPLER_{number}": f"{LOCAL}{sampler.grpc}" for number, sampler in enumerate(samplers, 1)}
        with Collector(program, "two-tier-gateway.yaml", head, **addresses) as one, Collector(program, "two-tier-gateway.yaml", head, **addresses) as other:
            for traces in synthetic.batches():
                # The halves of a trace come by different gateways.
                one.send("traces", synthetic.spans_body([trace[0] for trace in traces]))
                other.send("traces", synthetic.spans_body([span for trace in traces for span in trace[1:]]))
            waiting.wait_for("a trace of each kind that is kept", lambda: kept_enough([span for sampler in samplers for span in spans.read(sampler.out / "tail")], TRACES))
    found = [kept(spans.read(sampler.out / "tail")) for sampler in samplers]
    together = {kind: sum(one[kind] for one in found) for kind in TRACES}
    check_tail(together, TRACES)
    require(all(sum(one.values()) > 0 for one in found), f"one sampler got nothing: {found}")
    check_masking([span for sampler in samplers for span in spans.read(sampler.out / "tail")])
    print(f"two tiers: tail sampling kept {together}, by sampler {[sum(one.values()) for one in found]}")


if __name__ == "__main__":
    one_collector(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
    two_tiers(sys.argv[1])
    programs.clean()
