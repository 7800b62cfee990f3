#!/usr/bin/env bash
# Checks these files with the tools that they are for; says in one line what is missing where a tool is not there.
#   deploy/check.sh            all that can be checked here, some seconds
#   deploy/check.sh build      makes a collector from Go modules first, some minutes; into ~/.cache/traced
#   deploy/check.sh up         starts the brokers by docker compose with images of this machine, and takes them away again
# PROMTOOL, PROMETHEUS and OTELCOL name the programs where they are not on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export PYTHONDONTWRITEBYTECODE=1

cache=${XDG_CACHE_HOME:-$HOME/.cache}/traced/otelcol-0.155.0
promtool=${PROMTOOL:-promtool}
prometheus=${PROMETHEUS:-prometheus}
otelcol=${OTELCOL:-$cache/otelcol}
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
  docker compose config --quiet
  docker compose -f docker-compose.yaml -f docker-compose.two-tier.yaml config --quiet
  docker compose -f docker-compose.yaml -f docker-compose.local.yaml config --quiet
  # Nothing is open beyond loopback.
  docker compose config --format json | python3 -c '
import json, sys
services = json.load(sys.stdin)["services"]
open_ports = [(name, port) for name, service in services.items() for port in service.get("ports", []) if port.get("host_ip") != "127.0.0.1"]
sys.exit(f"open beyond loopback: {open_ports}" if open_ports else 0)'
  echo "docker compose: ok"
}

collector() {
  command -v "$otelcol" >/dev/null || { missing "a collector (deploy/check.sh build, or OTELCOL): its configurations are not checked"; return; }
  for config in collector/*.yaml; do
    if grep -q loadbalancing "$config" && ! "$otelcol" components | grep -q loadbalancing; then continue; fi
    "$otelcol" validate --config "$config"
  done
  local server=()
  if command -v "$prometheus" >/dev/null; then server=("$prometheus"); fi
  python3 check/configurations.py "$otelcol" "${server[@]}"
}

up() {
  local files=(-p traced-check -f docker-compose.yaml -f docker-compose.local.yaml)
  trap 'docker compose "${files[@]}" down --volumes --timeout 5' EXIT
  docker compose "${files[@]}" up --detach --wait --wait-timeout 120 rabbitmq redis kafka postgres
  docker compose "${files[@]}" ps --format '{{.Service}} {{.Health}} {{.Ports}}'
}

case ${1:-} in
  build) build && collector ;;
  up) up ;;
  "") rules; compose; collector ;;
  *) sed -n '2,6s/^# //p' "$0"; exit 2 ;;
esac
