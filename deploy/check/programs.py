"""A collector and a Prometheus as processes of this machine, each with the files of this folder and with free ports of loopback."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import waiting

DEPLOY = pathlib.Path(__file__).parent.parent
LOCAL = "127.0.0.1:"


class Program:
    """Ended when the `with` is left. `is_up` is asked until it says so."""

    folders = []

    def __init__(self, name, command, environment=None):
        self.name, self.command, self.environment = name, command, environment
        self.out = pathlib.Path(tempfile.mkdtemp(prefix="traced-check-"))
        self.folders.append(self.out)

    def __enter__(self):
        self.log = open(self.out / "log", "w+")
        self.process = subprocess.Popen(
            self.command, env={**os.environ, **(self.environment or {})}, stdout=self.log, stderr=self.log)
        waiting.wait_for(f"{self.name} ({self.log.name})", lambda: self.is_up() or self.process.poll() is not None)
        if self.process.poll() is not None:
            self.log.seek(0)
            sys.exit(f"failed: {self.name} did not start:\n{self.log.read()}")
        return self

    def __exit__(self, *_):
        self.process.terminate()  # the collector flushes
        self.process.wait(waiting.LIMIT)
        self.log.close()


def clean():
    """When all went well; else the logs are of use."""
    for folder in Program.folders:
        shutil.rmtree(folder)


class Collector(Program):
    """`overlay` is one more configuration, which changes where things go, nothing else."""

    def __init__(self, program, config, overlay="{}", **environment):
        self.health, self.http, self.grpc, self.metrics, self.own = (waiting.free_port() for _ in range(5))
        super().__init__("collector", [program, f"--config={DEPLOY / 'collector' / config}", f"--config=yaml:{overlay}"])
        self.environment = {
            "OTLP_HTTP": f"{LOCAL}{self.http}", "OTLP_GRPC": f"{LOCAL}{self.grpc}", "HEALTH": f"{LOCAL}{self.health}",
            "PROMETHEUS": f"{LOCAL}{self.metrics}", "DECISION_WAIT": "2s", "SPAN_METRICS_INTERVAL": "1s",
            "SELF_PORT": str(self.own), "OUT": str(self.out), **environment,
        }

    def is_up(self):
        return waiting.get(f"http://{LOCAL}{self.health}/")

    def send(self, signal, body):
        request = urllib.request.Request(
            f"http://{LOCAL}{self.http}/v1/{signal}", json.dumps(body).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).read()


class Prometheus(Program):
    """Looks at one collector, each second in place of each 15."""

    def __init__(self, program, collector):
        port = waiting.free_port()
        super().__init__("Prometheus", None)
        self.url = f"http://{LOCAL}{port}"
        self.started = time.time()
        self.write(collector, port)
        self.command = [
            program, f"--config.file={self.out}/prometheus.yaml", f"--storage.tsdb.path={self.out}/data",
            f"--web.listen-address={LOCAL}{port}", "--enable-feature=exemplar-storage",
        ]

    def write(self, collector, port):
        addresses = {
            "collector:8889": f"{LOCAL}{collector.metrics}", "collector:8888": f"{LOCAL}{collector.own}",
            "localhost:9090": f"{LOCAL}{port}", "interval: 15s": "interval: 1s",
        }
        for file in ("prometheus.yaml", "collectors.yaml"):
            text = (DEPLOY / "prometheus" / file).read_text()
            for here, there in addresses.items():
                text = text.replace(here, there)
            (self.out / file).write_text(text)
        (self.out / "rules").symlink_to(DEPLOY / "prometheus" / "rules")

    def is_up(self):
        return waiting.get(f"{self.url}/-/ready")
