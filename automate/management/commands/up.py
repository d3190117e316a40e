"""`manage.py up`: web server and cluster in the foreground, until Ctrl-C."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from automate import env, ports, served, static_files, supervisor
from automate.health import missing_migrations
from automate.stream import KILL_AFTER as STREAM_KILL_AFTER
from automate.supervisor import Member
from automate.web import KILL_AFTER

MANAGE = str(Path(settings.BASE_DIR) / "manage.py")
RECEIVER = str(Path(__file__).resolve().parents[2] / "demo" / "receiver.py")


class Command(BaseCommand):
    help = (
        "Run the web server, the stream listener and a cluster here. Ctrl-C stops them "
        "cleanly."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What is not given comes from the settings."""
        parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1")
        parser.add_argument("--port", type=int, default=8000, help="default: 8000")
        parser.add_argument("--workers", type=int, help="cluster processes")
        parser.add_argument("--threads", type=int, help="steps at once in a drain")
        parser.add_argument("--web", type=int, help="web processes")
        parser.add_argument(
            "--migrate", action="store_true", help="Migrate the database first."
        )
        parser.add_argument(
            "--demo", action="store_true", help="Play the demonstration as well."
        )

    def handle(self, **options: Any) -> None:
        """Check, then become the supervisor. CommandErrors say what to do."""
        host, port = options["host"], options["port"]
        self.check_port(host, port)
        self.stream_port = self.choose_stream_port(host, port)
        self.prepare_database(migrate=options["migrate"])
        if static_files.collect():
            self.say("Collected static files.")
        url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104
        self.set_environment(options, url)
        members = [*self.servers(host, port)]
        if options["demo"]:
            members += self.demo(port, url)
        shown = os.environ["AUTOMATE_PUBLIC_URL"]
        self.say(f"Serving {shown} (admin: {shown}/admin/). Ctrl-C stops it.")
        connections.close_all()
        sys.stdout.flush()
        line = supervisor.command(members)
        os.execv(line[0], line)  # noqa: S606 - our own module, no shell

    def say(self, text: str) -> None:
        """One line, at once."""
        self.stdout.write(text)
        self.stdout.flush()

    def check_port(self, host: str, port: int) -> None:
        """Raises CommandError when somebody listens there."""
        if not 1 <= port <= 65_535:
            raise CommandError(f"There is no port {port}: choose 1 to 65535.")
        why = ports.why_taken(host, port)
        if not why:
            return
        owner = ports.owner(port)
        raise CommandError(
            f"Port {port} of {host} cannot be used: {why.lower()}"
            f"{f' ({owner})' if owner else ''}.\n"
            f"Choose another: make run PORT={_other(port)}  "
            f"(or: python manage.py up --port {_other(port)})"
        )

    def choose_stream_port(self, host: str, port: int) -> int:
        """The next port; when that is taken another, unless others were told of it.

        Raises CommandError when it is taken and a setting or a proxy leads to it.
        """
        if port < 65_535 and not ports.why_taken(host, port + 1):
            return port + 1
        public = env.read("AUTOMATE_PUBLIC_URL").rstrip("/")
        if env.is_set("AUTOMATE_STREAM_URL") or env.stream_url(public) == public:
            self.check_port(host, port + 1)
        return ports.free_port(host=host)

    def prepare_database(self, *, migrate: bool) -> None:
        """Migrate when asked to; raises CommandError when something is missing."""
        if migrate:
            # The progress of many small steps, without a word when there are none.
            if self.lacks_migrations():
                self.say("Preparing the database ...")
                call_command("migrate", interactive=False, verbosity=1)
            return
        missing = self.lacks_migrations()
        if missing:
            raise CommandError(
                f"The database lacks {', '.join(missing)}.\n"
                "Run: python manage.py migrate"
            )

    def lacks_migrations(self) -> list[str]:
        """What is missing; everything when the table of migrations is."""
        connection = connections["default"]
        try:
            connection.ensure_connection()
        except Error as error:
            raise CommandError(
                f"The database cannot be reached: {str(error).strip()}\n"
                "Start it, create the database, or correct DATABASE_URL."
            ) from None
        try:
            return missing_migrations()
        except Error:
            return ["every migration"]

    def set_environment(self, options: dict[str, Any], url: str) -> None:
        """Hand the options down: the members read the environment."""
        names = {"workers": "WORKERS", "threads": "THREADS", "web": "WEB"}
        for option, name in names.items():
            if options[option] is not None:
                if options[option] < 1:
                    raise CommandError(f"--{option} must be 1 or more.")
                os.environ[f"AUTOMATE_{name}"] = str(options[option])
        if not env.is_set("AUTOMATE_PUBLIC_URL"):
            os.environ["AUTOMATE_PUBLIC_URL"] = url
            served.remember(Path(settings.VAR_DIR), url, settings.ALLOWED_NETWORKS)
        if self.stream_port != options["port"] + 1:
            base = os.environ["AUTOMATE_PUBLIC_URL"].rstrip("/").rpartition(":")[0]
            os.environ["AUTOMATE_STREAM_URL"] = f"{base}:{self.stream_port}"
        os.environ["AUTOMATE_VAR_DIR"] = str(settings.VAR_DIR)
        os.chdir(settings.BASE_DIR)

    def servers(self, host: str, port: int) -> list[Member]:
        """The web server, which stops first, the stream listener and the cluster."""
        web = [
            sys.executable,
            "-m",
            "automate.web",
            "--host",
            host,
            "--port",
            f"{port}",
        ]
        stream = [sys.executable, MANAGE, "stream", "--host", host]
        stream += ["--port", f"{self.stream_port}"]
        cluster = [sys.executable, MANAGE, "qcluster"]
        return [
            Member("The web server", web, KILL_AFTER + 5),
            Member("The stream listener", stream, STREAM_KILL_AFTER + 2),
            Member("The cluster", cluster, settings.GRACE + 10),
        ]

    def demo(self, port: int, url: str) -> list[Member]:
        """The receiver, and the demonstration that delivers to it."""
        receiver = ports.free_port(self.stream_port + 1)
        to = f"http://127.0.0.1:{receiver}/notify"
        listen = [sys.executable, "-I", "-S", RECEIVER, str(receiver)]
        play = [sys.executable, MANAGE, "demo", "--base-url", url, "--deliver-to", to]
        return [
            Member("The demonstration's receiver", listen),
            Member("The demonstration", play, once=True),
        ]


def _other(port: int) -> int:
    """A port that is free now, near the one that was wanted."""
    return ports.free_port(port + 123 if port < 65_000 else 8123)
