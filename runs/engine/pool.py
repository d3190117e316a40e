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
        self._started = 0
        self._lock = threading.Lock()
        self._idle = 0

    def submit(self, task: Task) -> None:
        """Perform this task as soon as a thread is free."""
        with self._lock:
            spawn = self._idle <= self._tasks.qsize() and self._started < self._size
            if spawn:
                self._started += 1
        self._tasks.put(task)
        if spawn:
            name = f"step-{self._started}"
            threading.Thread(target=self._run, name=name, daemon=True).start()

    def replace_hung(self, count: int) -> None:
        """`count` threads will never come back: allow as many new ones."""
        with self._lock:
            self._started -= count

    def close(self) -> None:
        """Let idle threads end; busy ones are left to the process's end."""
        for _ in range(self._started):
            self._tasks.put(None)

    def _run(self) -> None:
        forbid_database()
        while True:
            with self._lock:
                self._idle += 1
            task = self._tasks.get()
            with self._lock:
                self._idle -= 1
            if task is None:
                return
            self._deliver(self._performer.perform(task))
