"""What every check here needs: to give up with one line, and to wait for what is looked for, never for a time."""

import socket
import sys
import time
import urllib.error
import urllib.request

LIMIT = 90  # seconds for anything that is waited for


def require(condition, otherwise):
    if not condition:
        sys.exit(f"failed: {otherwise}")


def wait_for(what, found, limit=LIMIT):
    """The first answer of `found` that is not empty."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.1)  # between two looks; what ends the wait is what is looked for
    sys.exit(f"failed: {what}: not within {limit} s")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url):
    """The body, or nothing where nobody answers, or not with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except (OSError, urllib.error.HTTPError):
        return ""
