"""Real processes in tests: started in a group of their own, never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

Seen = TypeVar("Seen")
# After so many seconds a thing hangs, also on a machine that stands still now and then.
HANGS = 60.0


class Process:
    """A program under test whose output, both streams together, is in a file."""

    def __init__(
        self, command: Sequence[str], log: Path, **changes: str | None
    ) -> None:
        """`changes` of the environment; None takes a variable out of it."""
        self.log = log
        changed = {**os.environ, "PYTHONUNBUFFERED": "1", **changes}
        environment = {name: text for name, text in changed.items() if text is not None}
        with log.open("wb") as output:
            self._process = start(command, output, environment)
        self.pid = self._process.pid

    @property
    def output(self) -> str:
        """All that it has written until now."""
        return self.log.read_text(errors="replace")

    def wait_for(self, text: str, seconds: float = HANGS) -> str:
        """The output when it holds this text; fails when it ends without."""
        try:
            eventually(lambda: text in self.output or not self.is_alive(), seconds)
        finally:
            assert text in self.output, f"no {text!r} in:\n{self.output}"
        return self.output

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """To the process alone."""
        self._process.send_signal(number)

    def interrupt(self) -> None:
        """What Ctrl-C does: SIGINT to the terminal's process group."""
        os.killpg(self.pid, signal.SIGINT)

    def wait(self, seconds: float = HANGS) -> int:
        """The exit status."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            message = f"it does not end:\n{self.output}"
            raise AssertionError(message) from None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def start(
    command: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )


@contextlib.contextmanager
def running(
    command: Sequence[str], log: Path, **changes: str | None
) -> Iterator[Process]:
    """The program for the length of the block; killed when it has not ended by then."""
    process = Process(command, log, **changes)
    try:
        yield process
    finally:
        process.kill()


def eventually(holds: Callable[[], bool], seconds: float = HANGS) -> None:
    """Wait until it holds; fails after so many seconds."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def in_the_end(
    look: Callable[[], Seen], wanted: object, seconds: float = HANGS
) -> Seen:
    """What `look` sees as soon as that is `wanted`, else what it sees in the end."""
    until = time.monotonic() + seconds
    while (seen := look()) != wanted and time.monotonic() < until:
        time.sleep(0.02)
    return seen


def with_environment(name: str, value: str) -> list[int]:
    """The living processes whose environment sets this variable so."""
    wanted = f"{name}={value}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
