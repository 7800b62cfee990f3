"""Asks a Prometheus what Grafana would ask: each panel's query of each dashboard, and each variable's.

panels.py URL: waits until all of them have answered with a number. An error fails at once.
"""

import json
import math
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

import programs
import waiting

# These have something to show only where something goes wrong.
QUIET = {"Sending fails, by error A", "Spans taken and refused B", "Spans sent, by backend B"}
# What Grafana puts in by itself, or for "All".
VARIABLES = {"$__rate_interval": "1m", "$system": ".*", "$destination": ".*"}


def dashboards():
    return [json.loads(file.read_text()) for file in (programs.DEPLOY / "grafana" / "dashboards").glob("*.json")]


def queries():
    """`title and letter -> query` of all panels."""
    found = {}
    for dashboard in dashboards():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                found[f"{panel['title']} {target['refId']}"] = filled(target["expr"])
    return found


def filled(query):
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    waiting.require("$" not in query, f"a variable that nobody fills in: {query}")
    return query


def ask(url, path, **parameters):
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        sys.exit(f"failed: {parameters}: {error.read().decode()}")


def has_number(url, query):
    return any(not math.isnan(float(series["value"][1])) for series in ask(url, "query", query=query)["result"])


def require_nothing_personal(url, personal):
    """In no label of any series."""
    labels = json.dumps(ask(url, "series", **{"match[]": '{__name__=~".+"}'}))
    for one in personal:
        waiting.require(one not in labels, f"{one} is in a label")


def variables(url):
    """`name -> values` of the variables that are lists of a label's values."""
    found = {}
    for dashboard in dashboards():
        for variable in dashboard["templating"]["list"]:
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", filled(variable["query"]["query"])).groups()
            found[variable["name"]] = ask(url, f"label/{label}/values", **{"match[]": series})
    return found


def check(url, quiet=(), rise=lambda: None):
    """All queries but the `quiet` ones lead to numbers, while `rise` makes curves rise; how many those are."""
    asked = queries()
    unknown = set(quiet) - set(asked)
    waiting.require(not unknown, f"no such panels: {unknown}")
    silent = {name for name in asked if not has_number(url, asked[name])} - set(quiet)

    def answered():
        rise()
        silent.difference_update([name for name in silent if has_number(url, asked[name])])
        return not silent

    try:
        waiting.wait_for("panels", answered)
    except SystemExit:
        sys.exit(f"failed: these panels stayed empty: {sorted(silent)}")
    empty = [name for name, values in variables(url).items() if not values]
    waiting.require(not empty, f"these variables have no values: {empty}")
    return sum(has_number(url, query) for query in asked.values())


if __name__ == "__main__":
    print(f"panels: {check(sys.argv[1], QUIET)} of {len(queries())} queries have numbers, and all variables values")
