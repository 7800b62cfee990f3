#!/usr/bin/env bash
# Checks these files with the tools that they are for; says in one line what is missing where a tool is not there.
#   deploy/check.sh            all that can be checked here, some seconds
#   deploy/check.sh build      makes a collector from Go modules first, some minutes; into ~/.cache/traced
#   deploy/check.sh up         starts the brokers by docker compose with images of this machine, and takes them away again
#   deploy/check.sh platform [two-tier]   starts the whole platform by docker compose, sends orders, and follows their spans to the end
# PROMTOOL, PROMETHEUS and OTELCOL name the programs where they are not on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export PYTHONDONTWRITEBYTECODE=1

cache=${XDG_CACHE_HOME:-$HOME/.cache}/traced/otelcol-0.155.0
promtool=${PROMTOOL:-promtool}
# Whole paths: compose mounts these.
export PROMETHEUS OTELCOL
PROMETHEUS=$(command -v "${PROMETHEUS:-prometheus}" || true)
OTELCOL=$(command -v "${OTELCOL:-$cache/otelcol}" || true)
missing() { echo "missing: $*"; }

build() {
  command -v go >/dev/null || { missing "Go: no collector can be built"; exit 1; }
  mkdir -p "$cache"
  (cd collector/otelcol && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags='-s -w' -o "$cache/otelcol" .)
}

rules() {
  command -v python3 >/dev/null || { missing "python3: panels are not checked"; return; }
  command -v "$promtool" >/dev/null || { missing "promtool (Debian: prometheus): rules and panels are not checked"; return; }
  "$promtool" check config prometheus/prometheus.yaml
  "$promtool" test rules prometheus/tests/rules.yaml
  # A panel's query parses where it parses as a rule.
  local rules
  rules=$(mktemp)
  python3 - grafana/dashboards/*.json >"$rules" <<'PYTHON'
import json, sys
queries = []
for name in sys.argv[1:]:
    with open(name) as file:
        panels = json.load(file)["panels"]
    queries += [target["expr"] for panel in panels for target in panel.get("targets", [])]
rules = [
    {"record": f"panel_{number}", "expr": query.replace("$__rate_interval", "1m").replace("$system", ".*").replace("$destination", ".*")}
    for number, query in enumerate(queries)
]
print(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
PYTHON
  "$promtool" check rules "$rules"
  rm "$rules"
}

compose() {
  docker compose version >/dev/null 2>&1 || { missing "docker compose, version 2: docker-compose*.yaml are not checked"; return; }
  local overlays
  for overlays in "" two-tier platform "platform two-tier" local "platform two-tier local platform.local"; do
    local files=(-f docker-compose.yaml)
    for overlay in $overlays; do files+=(-f "docker-compose.$overlay.yaml"); done
    docker compose "${files[@]}" config --quiet
    # Nothing is open beyond loopback, and no image is of a version that changes.
    docker compose "${files[@]}" config --format json | python3 -c '
import json, sys
for name, service in json.load(sys.stdin)["services"].items():
    if any(port.get("host_ip") != "127.0.0.1" for port in service.get("ports", [])):
        sys.exit(f"failed: {name} is open beyond loopback")
    tag = service["image"].partition(":")[2]
    if tag in ("", "latest") and "build" not in service:
        sys.exit(f"failed: the image of {name} has no version")'
  done
  echo "docker compose: ok"
}

collector() {
  [ -n "$OTELCOL" ] || { missing "a collector (deploy/check.sh build, or OTELCOL): its configurations are not checked"; return; }
  for config in collector/*.yaml; do
    if grep -q loadbalancing "$config" && ! "$OTELCOL" components | grep -q loadbalancing; then continue; fi
    "$OTELCOL" validate --config "$config"
  done
  local server=()
  if [ -n "$PROMETHEUS" ]; then server=("$PROMETHEUS"); fi
  python3 check/configurations.py "$OTELCOL" "${server[@]}"
}

# Starts services of the compose files with what this machine has, waits until they are healthy, and takes all away again.
up() {
  docker compose version >/dev/null 2>&1 || { missing "docker compose, version 2: nothing is started"; exit 1; }
  local services=(rabbitmq redis kafka postgres)
  if [ -n "$OTELCOL" ]; then services+=(collector); else missing "a collector (deploy/check.sh build, or OTELCOL): not started"; fi
  if [ -n "$PROMETHEUS" ]; then services+=(prometheus); else missing "prometheus (Debian: prometheus): not started"; fi
  files=(-p traced-check -f docker-compose.yaml -f docker-compose.local.yaml)
  trap 'docker compose "${files[@]}" down --volumes --timeout 5' EXIT
  docker compose "${files[@]}" up --detach --wait --wait-timeout 120 "${services[@]}"
  # What is written is there after the containers have gone: it is in the volumes.
  docker compose "${files[@]}" exec -T redis redis-cli set kept yes >/dev/null
  docker compose "${files[@]}" exec -T postgres psql -h 127.0.0.1 -U "${POSTGRES_USER:-traced}" -d jobs -qc 'create table kept ()'
  docker compose "${files[@]}" exec -T rabbitmq rabbitmqctl -q add_vhost kept
  docker compose "${files[@]}" down --timeout 10
  docker compose "${files[@]}" up --detach --wait --wait-timeout 120 "${services[@]}"
  [ "$(docker compose "${files[@]}" exec -T redis redis-cli get kept)" = yes ]
  docker compose "${files[@]}" exec -T postgres psql -h 127.0.0.1 -U "${POSTGRES_USER:-traced}" -d jobs -qtc 'select from kept'
  docker compose "${files[@]}" exec -T rabbitmq rabbitmqctl -q list_vhosts | grep -qx kept
  docker compose "${files[@]}" ps --format '{{.Service}} {{.State}} {{.Health}} {{.Ports}}'
}

# Orders through the platform, its spans through the collector, their metrics to Prometheus: see check/end_to_end.py.
platform() {
  docker compose version >/dev/null 2>&1 || { missing "docker compose, version 2"; exit 1; }
  [ -n "$OTELCOL" ] || { missing "a collector (deploy/check.sh build, or OTELCOL)"; exit 1; }
  [ -n "$PROMETHEUS" ] || { missing "prometheus (Debian: prometheus, or PROMETHEUS)"; exit 1; }
  export PLATFORM OUT
  PLATFORM=$(realpath "${PLATFORM:-../target/debug/platform}")
  [ -x "$PLATFORM" ] || { missing "the platform (cargo build --package examples --bin platform, or PLATFORM)"; exit 1; }
  docker image inspect "${BASE_IMAGE:-traced-test/base:local}" >/dev/null 2>&1 || { missing "an image to run these programs in (BASE_IMAGE, a Debian)"; exit 1; }
  OUT=$(mktemp -d)
  sed 's/interval: 15s/interval: 1s/' prometheus/prometheus.yaml >"$OUT/prometheus.yaml"
  files=(-p traced-platform-check)
  local overlays=(docker-compose{,.platform,.local,.platform.local}.yaml check/compose.yaml) tier=()
  if [ "${1:-}" = two-tier ]; then
    overlays=(docker-compose{,.platform,.two-tier,.local,.platform.local}.yaml check/compose{,.two-tier}.yaml) tier=(sampler-1 sampler-2)
  fi
  for file in "${overlays[@]}"; do files+=(-f "$file"); done
  trap 'docker compose "${files[@]}" down --volumes --timeout 5' EXIT
  local services=(rabbitmq redis kafka postgres collector prometheus gateway user-service order-service inventory-worker analytics-worker job-worker notifier "${tier[@]}")
  OTEL_METRIC_EXPORT_INTERVAL=1000 docker compose "${files[@]}" up --detach --wait --wait-timeout 180 "${services[@]}"
  address() { echo "http://$(docker compose "${files[@]}" port "$@")"; }
  python3 check/end_to_end.py "$(address gateway 8080)" "$(address order-service 8080)" "$(address collector 4318)" "$(address prometheus 9090)" "$(address redis 6379)" "$OUT"
  echo "spans: $OUT"
}

case ${1:-} in
  build) build && collector ;;
  up) up ;;
  platform) platform "${2:-}" ;;
  "") rules; compose; collector ;;
  *) sed -n '2,7s/^# //p' "$0"; exit 2 ;;
esac
