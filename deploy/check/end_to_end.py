"""Orders go through the platform, its spans through the collector; looks at what comes out at the other end.

end_to_end.py GATEWAY ORDER_SERVICE COLLECTOR PROMETHEUS REDIS OUT: addresses, and the folder of the files that files/ names. What
should be kept is worked out from the file of all spans, by the rules that config.yaml states.
"""

import concurrent.futures
import json
import pathlib
import re
import socket
import sys
import time
import urllib.error
import urllib.request

import panels
import spans
import synthetic
import waiting
from waiting import require

NO_QUEUES = {"Queues, full to A"}  # files have none
ORDERS = {"coffee": 30, "tea": 3, "saffron": 3}
LOOKS, PROBES = 200, 20
PERSONAL = {"tenant.id", "order.item", "id", "user.id", "url.path", "url.full", "card", "card.number", "customer.email", "note", "other", "cards", "url.query", "auth.token", "client.secret"}
MAIL, CARD = "jane@example.com", "4111 1111 1111 1111"
SERVICES = {"gateway", "user-service", "order-service", "inventory-worker", "analytics-worker", "job-worker", "notifier"}


def call(url, body=None, **headers):
    """The answer, or the status where it is an error."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, {"Content-Type": "application/json", **headers}), timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code


def order(gateway, item, tenant="bistro", user="ada"):
    """Where it takes too long, because all has just been started, it is placed again."""
    body = {"user": user, "item": item, "quantity": 1, "card": CARD}
    for _ in range(5):
        answer = call(f"{gateway}/orders", body, **{"x-tenant": tenant})
        if answer != 502:
            break
    return answer


def place_orders(gateway):
    """`item -> answers`. At once, so that the batches of Kafka's consumer have more messages than one."""
    items = [item for item, number in ORDERS.items() for _ in range(number)]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda item: order(gateway, item), items))
    wrong = [answer for answer in answers if not isinstance(answer, dict)]
    require(not wrong, f"orders were refused: {wrong}")
    # People write their card's number and their address where these do not belong.
    require(isinstance(order(gateway, f"coffee for {CARD}", tenant=MAIL), dict), "an order was refused")
    require(order(gateway, "coffee", user=MAIL) == 404, "an unknown user may order")
    return {item: [answer for asked, answer in zip(items, answers) if asked == item] for item in ORDERS}


def look_and_probe(gateway, order_service, collector, answers):
    for number in range(LOOKS):
        call(f"{order_service}/orders/{answers['coffee'][number % ORDERS['coffee']]['id']}")
    for base in (gateway, order_service):
        for path in ("/healthz", "/health/tracing"):
            for _ in range(PROBES):
                with urllib.request.urlopen(base + path, timeout=10) as answer:
                    answer.read()
    # Ours make no span of it. A service that does, as most do, and one more of its spans, which is no probe.
    probe = [span for _ in range(PROBES) for span in synthetic.trace(synthetic.HEALTH)]
    call(f"{collector}/v1/traces", synthetic.spans_body([*probe, *synthetic.trace(synthetic.ERROR)]))


def arrived(out):
    """All spans before sampling, once the last hop of each order is there."""
    found = spans.read(out / "all")
    names = [span["name"] for _, span in found]
    notified, refunded = names.count("notify customer"), names.count("refund customer")
    # One more: the order with a card's number in it.
    done = notified >= ORDERS["coffee"] + ORDERS["tea"] + 1 and refunded >= ORDERS["saffron"]
    # Looks and orders make a span of the order service each.
    return found if done and names.count("process error") and names.count("GET /orders/{id}") >= LOOKS else None


def must_keep(trace):
    """By the policies of tail_sampling. Just above or below half a second it is not for this check to say."""
    return any(spans.is_error(span) or spans.attributes(span).get("important") is True for span in trace) or spans.seconds(trace) > 0.55


def check_sampling(everything, tail, head):
    all_traces, kept, by_chance = (spans.by_trace(of) for of in (everything, tail, head))
    for name, sampled in (("tail", kept), ("head", by_chance)):
        halves = [key for key, trace in sampled.items() if len(trace) != len(all_traces.get(key, []))]
        require(not halves, f"{name}: traces that are not whole: {halves}")
    must = {key for key, trace in all_traces.items() if must_keep(trace)}
    lost = must - kept.keys()
    require(not lost, f"{len(lost)} of {len(must)} traces with an error, slow ones or important ones are lost: {lost}")
    # 10 % and 25 %, give or take 4 sigma.
    rest = [key for key, trace in all_traces.items() if key not in must and spans.seconds(trace) < 0.45]
    chance(len(kept.keys() & set(rest)), len(rest), 0.10)
    chance(len(by_chance), len(all_traces), 0.25)
    batches = [key for key, trace in all_traces.items() if is_linked_batch(trace)]
    require(set(batches) <= kept.keys(), "batches with traces of their own are lost")
    print(f"sampling: of {len(all_traces)} traces tail kept all {len(must)} that it must, and {len(kept.keys() & set(rest))} of the {len(rest)} others;"
          f" chance {len(by_chance)}. Batches with traces of their own: {len(batches)}, all kept")


def chance(found, of, share):
    sigma = (of * share * (1 - share)) ** 0.5
    require(abs(found - of * share) <= 4 * sigma + 1, f"{found} of {of} traces were kept, not {share:.0%}")


def is_linked_batch(trace):
    """A batch of messages of several traces: a span that links them all, in a trace of its own."""
    return any(not span.get("parentSpanId") and len(span.get("links", [])) > 1 for span in trace)


def check_traces(everything, answers):
    """Each order is one trace, over all services."""
    services = {}
    for resource, span in everything:
        services.setdefault(span["traceId"], set()).add(spans.attributes(resource)["service.name"])
    for item, missing in (("coffee", set()), ("saffron", {"notifier"})):
        for answer in answers[item]:
            # The analytics worker's batch belongs to this trace only where there is no other order in it.
            without = SERVICES - services[answer["trace_id"]] - missing - {"analytics-worker"}
            require(not without, f"{item}: trace {answer['trace_id']} is without {without}")
    systems = {spans.attributes(span).get("messaging.system") for _, span in everything}
    require({"rabbitmq", "kafka", "redis"} <= systems, f"systems: {systems}")


def check_masking(everything):
    text = json.dumps(everything)
    for personal in (CARD, MAIL):
        require(personal not in text, f"{personal} came through")
    masked = {key for _, span in everything for key, value in spans.attributes(span).items() if "****" in str(value)}
    # From the baggage of the gateway, and from the order: they were there, and are masked.
    require({"tenant.id", "order.item"} <= masked, f"masked are only {masked}")
    # The synthetic probe's neighbour is full of card numbers; of the platform's own attributes only those that hold what people wrote.
    require(masked <= PERSONAL, f"masked for nothing: {masked - PERSONAL}")
    print(f"masked: {', '.join(sorted(masked))}")


def check_health(everything):
    probes = [span["name"] for _, span in everything if re.search("healthz|/health|readyz", json.dumps(span))]
    require(not probes, f"health checks came through: {probes}")


def check_metrics(prometheus, out):
    """As many calls of each span are counted as spans came in, kept or not."""
    def counted():
        names = [span["name"] for _, span in spans.read(out / "all")]
        expected = {name: names.count(name) for name in names}
        found = panels.ask(prometheus, "query", query="sum by (span_name) (spans_calls_total)")["result"]
        return {series["metric"]["span_name"]: int(float(series["value"][1])) for series in found} == expected and expected

    calls = waiting.wait_for("all calls counted", counted)
    print(f"metrics: {sum(calls.values())} calls of {len(calls)} kinds of spans counted")


def notify_without_context(redis):
    """A notification from a service that knows nothing of traces."""
    host, port = redis.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        notification = json.dumps({"order": "0", "user": "ada", "text": "by hand"}).encode()
        connection.sendall(b"*3\r\n$7\r\nPUBLISH\r\n$13\r\nnotifications\r\n$%d\r\n%s\r\n" % (len(notification), notification))
        require(connection.recv(100) == b":1\r\n", "nobody listens for notifications")


def main(gateway, order_service, collector, prometheus, redis, out):
    started, out = time.time(), pathlib.Path(out)
    answers = place_orders(gateway)
    look_and_probe(gateway, order_service, collector, answers)
    waiting.wait_for("the last hop of each order", lambda: arrived(out))

    def rise():  # curves need something that rises
        order(gateway, "coffee")
        notify_without_context(redis)

    number = panels.check(prometheus, panels.QUIET | NO_QUEUES, rise)
    exemplars = panels.ask(prometheus, "query_exemplars", query="spans_duration_seconds_bucket", start=started, end=time.time() + 1)
    require(any(series["exemplars"] for series in exemplars), "no point of a curve leads to a trace")
    samplers = len(list(out.glob("tail-*")))
    up = panels.ask(prometheus, "query", query='up{job="collector"} == 1')["result"]
    require(len(up) == 1 + samplers, f"collectors that answer Prometheus: {up}")
    print(f"panels: {number} of {len(panels.queries())} queries have numbers")

    check_metrics(prometheus, out)
    panels.require_nothing_personal(prometheus, (CARD, MAIL))
    waiting.wait_for("the decisions", lambda: decided(out))
    everything, tail, head = spans.read(out / "all"), tail_sampled(out), spans.read(out / "head")
    check_traces(everything, answers)
    check_sampling(everything, tail, head)
    check_health(everything)
    check_masking([*everything, *tail, *head])


def tail_sampled(out):
    """One sampler's file, or those of several."""
    files = sorted(out.glob("tail*"))
    found = [spans.read(file) for file in files]
    require(len(files) < 2 or all(found), f"not all of {files} have spans")
    return [span for of_file in found for span in of_file]


def decided(out):
    """Nothing is missing from the traces that are kept, and all that must be are."""
    all_traces, kept = spans.by_trace(spans.read(out / "all")), spans.by_trace(tail_sampled(out))
    return all(len(kept.get(key, [])) == len(trace) for key, trace in all_traces.items() if must_keep(trace))


if __name__ == "__main__":
    main(*sys.argv[1:])
