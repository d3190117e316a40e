"""The supervisor over real processes: order, ends, signals, nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from automate import supervisor
from automate.supervisor import Member
from tests.processes import Process, eventually, running, with_environment

# Prints its name when it starts and when it has been asked to stop.
POLITE = """
import signal, sys, time
name = sys.argv[1]
def stop(*_):
    time.sleep(0.2)
    print(name, "stopped", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print(name, "started", flush=True)
while True: time.sleep(1)
"""
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("stubborn started", flush=True)
while True: time.sleep(1)
"""
# Leaves a grandchild in a process group of its own, which ignores SIGTERM.
PARENT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("grandchild started", flush=True)
while True: time.sleep(1)
"""


class Houses:
    """Starts supervisors that this test's end stops, and knows their processes."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.stack, self.log = stack, folder / "log"
        self.mark = uuid4().hex

    def start(self, *members: Member) -> Process:
        line = supervisor.command(list(members))
        house = running(line, self.log, AUTOMATE_TEST_MARK=self.mark)
        return self.stack.enter_context(house)

    def left(self) -> list[int]:
        return with_environment("AUTOMATE_TEST_MARK", self.mark)


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[Houses]:
    with ExitStack() as stack:
        houses = Houses(stack, tmp_path)
        yield houses
        for pid in houses.left():
            os.kill(pid, signal.SIGKILL)


def python(
    name: str, source: str, grace: float = 30.0, *, once: bool = False
) -> Member:
    line = [sys.executable, "-I", "-S", "-c", source, name]
    return Member(name, line, grace, once=once)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_members_one_after_the_other(
    houses: Houses, number: int
) -> None:
    house = houses.start(python("web", POLITE), python("cluster", POLITE))
    house.wait_for("web started")
    house.wait_for("cluster started")

    house.signal(number)

    assert house.wait() == 0
    assert house.output.index("web stopped") < house.output.index("cluster stopped")
    assert house.output.endswith("Stopped.\n")
    assert houses.left() == []


def test_ctrl_c_reaches_the_members_through_the_supervisor_alone(
    houses: Houses,
) -> None:
    house = houses.start(python("web", POLITE))
    house.wait_for("web started")

    house.interrupt()

    assert house.wait() == 0
    assert "KeyboardInterrupt" not in house.output
    assert "web stopped" in house.output


def test_a_member_that_ends_stops_the_rest_and_is_named(houses: Houses) -> None:
    short = "import time, sys; time.sleep(0.5); sys.exit(3)"
    house = houses.start(python("The web server", short), python("cluster", POLITE))

    assert house.wait() == 1
    assert "The web server has ended unexpectedly (exit status 3)" in house.output
    assert "cluster stopped" in house.output


def test_even_a_member_that_ends_well_is_missed(houses: Houses) -> None:
    house = houses.start(python("cluster", "pass"), python("web", POLITE))

    assert house.wait() == 1
    assert "cluster has ended unexpectedly (exit status 0)" in house.output


def test_a_killed_member_is_told_by_its_signal(houses: Houses) -> None:
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    house = houses.start(python("cluster", killed))

    assert house.wait() == 1
    assert "cluster has ended unexpectedly (SIGKILL)" in house.output


def test_a_program_that_does_not_exist_is_an_unexpected_end(houses: Houses) -> None:
    house = houses.start(Member("web", ["/nowhere/at/all"]))

    assert house.wait() == 1
    assert "web could not be started" in house.output


@pytest.mark.parametrize("code", [0, 4])
def test_what_runs_once_may_end_either_way(houses: Houses, code: int) -> None:
    once = python("The demo", f"import sys; sys.exit({code})", once=True)
    house = houses.start(python("web", POLITE), once)
    house.wait_for("web started")

    if code:
        house.wait_for("The demo failed (exit status 4); the rest goes on.")
    assert house.is_alive()
    house.signal(signal.SIGTERM)
    assert house.wait() == 0
    assert ("failed" in house.output) is bool(code)


def test_a_member_that_does_not_stop_is_killed_after_its_grace(houses: Houses) -> None:
    house = houses.start(python("web", STUBBORN, 0.5), python("cluster", POLITE))
    house.wait_for("stubborn started")
    house.wait_for("cluster started")

    house.signal(signal.SIGTERM)

    assert house.wait() == 0
    assert "web did not stop within 0.5 s" in house.output
    assert "cluster stopped" in house.output
    assert houses.left() == []


def test_one_that_is_stopped_and_continued_while_it_waits_goes_on(
    houses: Houses,
) -> None:
    house = houses.start(python("web", STUBBORN, 0.5))
    house.wait_for("stubborn started")

    house.signal(signal.SIGTERM)
    house.wait_for("Stopping")
    house.signal(signal.SIGSTOP)
    time.sleep(1)  # beyond the grace for which it waits
    house.signal(signal.SIGCONT)

    assert house.wait() == 0, house.output
    assert houses.left() == []


def test_a_second_interrupt_kills(houses: Houses) -> None:
    house = houses.start(python("web", STUBBORN, 250))
    house.wait_for("stubborn started")

    house.interrupt()
    house.wait_for("Stopping")
    assert house.is_alive()
    house.interrupt()

    assert house.wait() == 0
    assert "Killing." in house.output
    assert houses.left() == []


def test_no_grandchild_is_left_behind(houses: Houses) -> None:
    house = houses.start(python("web", PARENT))
    house.wait_for("grandchild started")
    assert len(houses.left()) == 3

    house.signal(signal.SIGTERM)

    assert house.wait() == 0
    assert houses.left() == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_members_are_told_to_stop_when_the_supervisor_is_killed(houses: Houses) -> None:
    house = houses.start(python("web", POLITE), python("cluster", POLITE))
    house.wait_for("web started")
    house.wait_for("cluster started")

    house.signal(signal.SIGKILL)

    eventually(lambda: houses.left() == [])
    assert "cluster stopped" in house.output


def test_the_supervisor_imports_no_package_of_ours_or_others(houses: Houses) -> None:
    house = houses.start(python("web", POLITE))
    house.wait_for("web started")

    maps = Path(f"/proc/{house.pid}/maps").read_text()

    assert "site-packages" not in maps
    rollup = Path(f"/proc/{house.pid}/smaps_rollup").read_text()
    private = next(x for x in rollup.splitlines() if x.startswith("Private_Dirty"))
    assert int(private.split()[1]) < 16 * 1024, "kB"
