"""The web server: granian serving our WSGI application from a few processes.

`python -m automate.web --host 0.0.0.0 --port 8000`. The application is loaded before
the workers are forked, so that they share its memory.
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

BACKLOG = 1024
BACKPRESSURE = 1024  # connections of a process, those of waiting senders included
# Of each database session, in milliseconds: a page that takes longer has failed.
SESSION = {
    "statement_timeout": 30_000,
    "lock_timeout": 10_000,
    "idle_in_transaction_session_timeout": 60_000,
}
KILL_AFTER = 15  # seconds that requests in work get when the server stops
FOLLOW = 2.0  # seconds between a worker's looks at whether its main process lives


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; exits with 1 when a worker dies."""
    options = _parser().parse_args(arguments)
    if options.probe:
        sys.exit(probe(options.port))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "automate.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        application = preload()
    except ImproperlyConfigured as error:
        # It says what to do, as manage.py says it.
        sys.exit(f"The settings are incomplete: {error}")

    # Not the default of newer Pythons, which would load everything per process.
    multiprocessing.set_start_method("fork", force=True)
    serve(application, options, options.workers or settings.WEB_PROCESSES)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m automate.web", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8000, help="default: %(default)s")
    parser.add_argument("--workers", type=int, help="processes; default: AUTOMATE_WEB")
    parser.add_argument(
        "--threads",
        type=int,
        default=8,
        help="requests at work at once in a process; default: %(default)s",
    )
    parser.add_argument(
        "--waiting",
        type=int,
        default=100,
        help="requests of a process that may wait for a run's answer besides; "
        "default: %(default)s",
    )
    parser.add_argument(
        "--probe", action="store_true", help="only ask whether a server here is ready"
    )
    return parser


def probe(port: int) -> int:
    """0 when the server on this port of this host is ready, else 1: a health check."""
    public = os.environ.get("AUTOMATE_PUBLIC_URL", "http://127.0.0.1")
    host = urlsplit(public).hostname or "127.0.0.1"  # always in ALLOWED_HOSTS
    connection = HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/readyz", headers={"Host": host})
        status = connection.getresponse().status
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        connection.close()
    sys.stderr.write(f"/readyz answered {status}\n")
    return 0 if status == 200 else 1


def preload() -> Callable[..., Any]:
    """The WSGI application with everything that a request needs imported.

    Nothing that must not be shared is left open: a connection used by two processes
    returns the other's rows.
    """
    from django.db import connections
    from django.urls import get_resolver

    from automate.lib import memory
    from automate.lib.database import tune_sessions
    from automate.wsgi import application

    for pattern in get_resolver().url_patterns:
        getattr(pattern, "url_patterns", None)
    connections.close_all()
    tune_sessions(**SESSION)
    memory.before_fork()
    return application


def serve(
    application: Callable[..., Any], options: argparse.Namespace, workers: int
) -> None:
    """Run granian's main process here and its workers as forks of it."""
    from django.conf import settings
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    from automate.lib import arriving
    from automate.lib.places import Places
    from runs.services.waiting import room

    main_process = os.getpid()
    room.capacity = options.waiting
    # Whoever sends slowly holds a thread, but no place.
    served = arriving.read_first(
        Places(options.threads).serve(application), settings.MAX_BODY
    )

    def in_worker() -> Callable[..., Any]:
        die_with(main_process)
        _when_stopped(room.close)
        arriving.watch(options.port)
        return served

    Server(
        "automate.wsgi:application",
        address=options.host,
        port=options.port,
        interface=Interfaces.WSGI,
        workers=workers,
        # At most half of them may wait. They are made when they are needed.
        blocking_threads=options.waiting + max(options.waiting, options.threads),
        backlog=BACKLOG,
        backpressure=BACKPRESSURE,
        websockets=False,
        # It warns of more than 5 threads on 2 cores; ours wait for the database.
        log_level=LogLevels.error,
        # A copy: granian adds its logger to it.
        log_dictconfig=copy.deepcopy(settings.LOGGING),
        log_access=False,
        workers_kill_timeout=KILL_AFTER,
    ).serve(target_loader=in_worker, wrap_loader=False)


def _when_stopped(work: Callable[[], None]) -> None:
    """Have `work` done when this process gets a signal, beside what granian does.

    Requests that wait would else hold up the end until they are killed.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def watch() -> None:
        os.read(reader, 1)
        work()

    threading.Thread(target=watch, name="stop", daemon=True).start()


def die_with(main_process: int) -> None:
    """A worker without its main process would serve on, unwatched."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != main_process:  # it ended before the line above
        os._exit(1)
    follow = threading.Thread(target=_follow, args=(main_process,), name="follow")
    follow.daemon = True
    follow.start()


def _follow(main_process: int) -> None:
    """End what the signal has not ended: it comes once, and is lost on a worker that
    has still its main process's handlers."""
    while os.getppid() == main_process:
        time.sleep(FOLLOW)
    time.sleep(KILL_AFTER)
    os._exit(1)


if __name__ == "__main__":
    main()
