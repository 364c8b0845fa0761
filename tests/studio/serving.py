"""A studio in a process of its own, for tests."""

import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection


def start(place, *more):
    """(port, process, what it said) of a studio whose runs lie in `place`."""
    command = [sys.executable, "-m", "zeuxis", "studio", "--no-show", "--runs", str(place / "runs"), *more]
    with (place / "log").open("w") as log:
        own = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=own)
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        said = (place / "log").read_text()
        if "http://" in said:
            port = int(said.partition("http://")[2].partition(":")[2].partition("/")[0])
            if answers(port):
                return port, process, said
        time.sleep(0.1)
    process.kill()
    raise AssertionError((place / "log").read_text())


def answers(port):
    try:
        return ask(port, "/")[0] in (200, 401)
    except OSError:
        return False


def stop(process):
    process.send_signal(signal.SIGINT)
    assert process.wait(150) == 0


def ask(port, path, method="GET", **headers):
    """Status, headers and body of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()
