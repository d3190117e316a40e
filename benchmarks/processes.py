"""The real web server and cluster, and what they cost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _wait_for(url: str, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


@dataclass(slots=True)
class Cost:
    """CPU seconds used so far and memory (PSS, MiB) of a set of processes.

    `web` is the part of `ours` that the web server used.
    """

    ours: float
    web: float
    postgres: float
    pss: float
    count: int


@dataclass(slots=True)
class Site:
    """The running site: its web port, the receiver's port, and its processes."""

    port: int
    receiver: int
    roots: list[int]

    def processes(self) -> list[psutil.Process]:
        """All our processes: web server and cluster, with their children."""
        found = []
        for root in self.roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(root)
                found += [process, *process.children(recursive=True)]
        return found

    def cost(self) -> Cost:
        """What our processes have used until now."""
        ours, web, pss, count = 0.0, 0.0, 0.0, 0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                cpu = _cpu(process)
                ours += cpu
                if "automate.web" in process.cmdline():
                    web += cpu
                pss += _pss(process.pid)
                count += 1
        return Cost(ours, web, _postgres_cpu(), pss, count)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _postgres_cpu() -> float:
    """Of all PostgreSQL processes, those that have ended included (by their parent)."""
    total = 0.0
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres":
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
                total += times.children_user + times.children_system
    return total


def _pss(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


@contextlib.contextmanager
def running(environment: dict[str, str], log: Path) -> Iterator[Site]:
    """Start `manage.py up` and the receiver; stop both at the end."""
    port, receiver = free_port(), free_port()
    env = {**os.environ, **environment}
    with log.open("ab") as output:
        sink = subprocess.Popen(
            [PYTHON, "-m", "benchmarks.receiver", str(receiver)], cwd=ROOT
        )
        site = subprocess.Popen(
            [PYTHON, "manage.py", "up", "--port", str(port)],
            cwd=ROOT,
            env=env,
            stdout=output,
            stderr=output,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/livez", 120)
            time.sleep(3)  # the drains take their seats
            yield Site(port, receiver, [site.pid])
        finally:
            site.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                site.wait(40)
            site.kill()
            sink.kill()
            sink.wait()
