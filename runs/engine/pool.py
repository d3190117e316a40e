"""The step threads of a drain: started when needed, replaced when written off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from runs.engine.perform import Performer, Result, Task, forbid_database


class Threads:
    """At most `size` daemon threads that perform tasks and hand over results."""

    def __init__(
        self, size: int, performer: Performer, deliver: Callable[[Result], None]
    ) -> None:
        self._size = size
        self._performer = performer
        self._deliver = deliver
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._threads = 0  # ever started; those that hang among them
        self._started = 0
        self._lock = threading.Lock()
        self._unfinished = 0  # queued and being performed

    def submit(self, task: Task) -> None:
        """Perform this task as soon as a thread is free."""
        with self._lock:
            self._unfinished += 1
            spawn = self._started < min(self._unfinished, self._size)
            if spawn:
                self._started += 1
        self._tasks.put(task)
        if spawn:
            self._threads += 1
            name = f"step-{self._threads}"
            threading.Thread(target=self._run, name=name, daemon=True).start()

    def replace_hung(self, count: int) -> None:
        """`count` threads hang: allow as many new ones.

        One that comes back after all is one more, until the pool closes.
        """
        with self._lock:
            self._started -= count
            self._unfinished -= count

    def close(self) -> None:
        """Let idle threads end; busy ones are left to the process's end."""
        for _ in range(self._threads):
            self._tasks.put(None)

    def _run(self) -> None:
        forbid_database()
        while (task := self._tasks.get()) is not None:
            result = self._performer.perform(task)
            with self._lock:
                self._unfinished -= 1
            self._deliver(result)
