"""The step threads of a drain, started when they are needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from runs.engine.perform import Performer, forbid_database
from runs.engine.task import Result, Task


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
            name = f"step-{self._started}"
            threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def unfinished(self) -> int:
        """Tasks queued or being performed, whoever still waits for their results.

        A task whose run has ended meanwhile, or whose thread hangs, is one of them.
        """
        with self._lock:
            return self._unfinished

    def close(self) -> None:
        """Let idle threads end; busy ones are left to the process's end."""
        for _ in range(self._started):
            self._tasks.put(None)

    def _run(self) -> None:
        forbid_database()
        while (task := self._tasks.get()) is not None:
            result = self._performer.perform(task)
            with self._lock:
                self._unfinished -= 1
            self._deliver(result)
