"""The stream listener: granian serving the ASGI application of `runs.stream`.

`manage.py stream`. Besides the main process there is one that holds all connections; a
thousand of them cost it one query a second. More processes take more viewers.
"""

from __future__ import annotations

import copy
import multiprocessing
import os
from typing import Any

from automate.web import BACKLOG, SESSION, die_with

# Connections beyond the viewers': those that are answered with a refusal.
SPARE = 64
KILL_AFTER = 8  # seconds until a process that does not stop is killed


def serve(host: str, port: int, *, workers: int = 1, capacity: int = 1000) -> None:
    """Serve until SIGTERM or SIGINT; `capacity` viewers in each of the processes."""
    from django.conf import settings
    from django.db import connections
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    from automate.lib import memory
    from automate.lib.database import tune_sessions
    from runs.stream.app import App
    from runs.stream.hub import Hub

    connections.close_all()
    tune_sessions(**SESSION)
    memory.before_fork()
    multiprocessing.set_start_method("fork", force=True)
    main_process = os.getpid()

    def in_worker() -> Any:
        die_with(main_process)
        return App(Hub(capacity, each=max(capacity // 4, 1)))

    Server(
        "runs.stream.app:App",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        workers=workers,
        backlog=BACKLOG,
        backpressure=capacity + SPARE,
        websockets=True,
        log_level=LogLevels.error,
        # A copy: granian adds its logger to it.
        log_dictconfig=copy.deepcopy(settings.LOGGING),
        log_access=False,
        workers_kill_timeout=KILL_AFTER,
    ).serve(target_loader=in_worker, wrap_loader=False)
