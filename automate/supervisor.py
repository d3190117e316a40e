"""Holds the processes of `manage.py up` together: starts, watches and stops them.

Run as a script of its own, `python -I -S supervisor.py PLAN`, where PLAN is the JSON
of a `Plan`. It knows the standard library only, so that watching costs a few MiB and
not a second Django.
"""

import contextlib
import json
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LOOK = 0.1  # seconds between looks while stopping
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Member:
    """One process that belongs to the house.

    `once` may end when it is done; when another ends, everything is stopped.
    `grace` is how many seconds it gets after SIGTERM.
    """

    def __init__(
        self, name: str, command: list[str], grace: float = 5.0, *, once: bool = False
    ) -> None:
        self.name, self.command, self.grace, self.once = name, command, grace, once
        self.pid = 0

    def start(self) -> None:
        """Fork and exec, in a process group of its own, bound to this process's life.

        Own group: Ctrl-C in a terminal reaches the supervisor alone, which stops the
        members in their order.
        """
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid:
            return
        try:
            os.setpgid(0, 0)
            prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.execv(self.command[0], self.command)  # noqa: S606 - no shell is meant
        except OSError as error:
            say(f"{self.name} could not be started: {error}")
        finally:
            os._exit(127)

    def signal(self, number: int) -> None:
        """To the process itself; nothing when it has ended."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to its process group."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self.signal(signal.SIGKILL)


class House:
    """The members in the order in which they are started and stopped."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members
        self.interrupts = 0
        self.failed = False

    def run(self) -> int:
        """Until a signal or a member's end; the exit status."""
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        # Blocked and waited for, never handled between two statements.
        signal.pthread_sigmask(signal.SIG_BLOCK, (*SIGNALS, signal.SIGCHLD))
        for member in self.members:
            member.start()
        while not self.interrupts and not self.failed:
            self.take_signal(None)
            self.reap()
        self.stop()
        return 1 if self.failed else 0

    def take_signal(self, timeout: float | None) -> None:
        """Wait for a signal, at most so many seconds, and count those that stop us."""
        waited = (*SIGNALS, signal.SIGCHLD)
        if timeout is None:
            number = signal.sigwait(waited)
        else:
            taken = signal.sigtimedwait(waited, timeout)
            # Stopped and continued beyond the time-out, CPython 3.11 tells of a signal
            # that there was not.
            if taken is None or taken.si_signo not in waited:
                return
            number = signal.Signals(taken.si_signo)
        if number != signal.SIGCHLD:
            self.interrupts += 1

    def reap(self) -> None:
        """Take in what has ended; adopted grandchildren too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for member in self.members:
                if member.pid == pid:
                    self.ended(member, os.waitstatus_to_exitcode(status))

    def ended(self, member: Member, code: int) -> None:
        """One of ours has ended: expected, or a reason to stop?"""
        member.pid = 0
        if self.interrupts or self.failed:
            return
        how = f"exit status {code}" if code >= 0 else signal.Signals(-code).name
        if not member.once:
            self.failed = True
            say(f"{member.name} has ended unexpectedly ({how}). Stopping the rest.")
        elif code:
            say(f"{member.name} failed ({how}); the rest goes on.")

    def stop(self) -> None:
        """Each member in its turn; a second interrupt kills."""
        if not self.failed:
            say("Stopping: runs in flight may finish (again to kill) ...")
        asked = self.interrupts
        for member in self.members:
            member.signal(signal.SIGTERM)
            until = time.monotonic() + member.grace
            while member.pid and self.interrupts == asked:
                left = until - time.monotonic()
                if left <= 0:
                    say(f"{member.name} did not stop within {member.grace:g} s.")
                    break
                self.take_signal(min(left, 1.0))
                self.reap()
            if self.interrupts > asked:
                say("Killing.")
                break
        self.end_all()
        say("Stopped.")

    def end_all(self) -> None:
        """SIGKILL to whatever is left, adopted orphans included."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            for member in self.members:
                member.kill()
            for pid in children():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
            if not children():
                return
            time.sleep(LOOK)


def children() -> list[int]:
    """Processes whose parent is this one, zombies included; Linux only."""
    found = []
    me = os.getpid()
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs memory
            if name.isdigit() and _parent(name) == me:
                found.append(int(name))
    return found


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def prctl(option: int, value: int) -> None:
    """prctl(2) where there is one (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def say(text: str) -> None:
    """One line for the person at the terminal, gone or not."""
    with contextlib.suppress(OSError):
        os.write(2, f"{text}\n".encode())


def command(members: list[Member]) -> list[str]:
    """The command line that supervises these members."""
    plan = [
        {"name": one.name, "command": one.command, "grace": one.grace, "once": one.once}
        for one in members
    ]
    return [sys.executable, "-I", "-S", __file__, json.dumps(plan)]


if __name__ == "__main__":
    sys.exit(House([Member(**one) for one in json.loads(sys.argv[1])]).run())
