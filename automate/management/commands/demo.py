"""`manage.py demo`: a signed GitHub push becomes a run, and the run is explained."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from automate import demo, ports
from automate.demo import follow, stage
from automate.lib import jsonio
from runs.models import Run
from runs.states import RunStatus
from webhooks import sending
from webhooks.lookup import find

HERE = Path(demo.__file__).resolve().parent


class Command(BaseCommand):
    help = "Post a signed GitHub push to the running site and explain what happens."

    def add_arguments(self, parser: CommandParser) -> None:
        """Where the site is and where it is to deliver."""
        parser.add_argument(
            "--base-url",
            default=settings.PUBLIC_URL,
            help=f"The running site. Default: {settings.PUBLIC_URL}",
        )
        parser.add_argument(
            "--deliver-to",
            help="Where the workflow posts its message. Default: a receiver of its "
            "own, for as long as the demonstration takes.",
        )
        parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS")
        parser.add_argument(
            "--no-wait", action="store_true", help="Post, and do not follow the run."
        )
        parser.add_argument("--json", action="store_true", help="For programs.")

    def handle(self, **options: Any) -> None:
        """Raises CommandError that says what to do; exits with 1 unless it succeeds."""
        self.quiet = options["json"]
        base_url = options["base_url"].rstrip("/")
        until = time.monotonic() + options["timeout"]
        with contextlib.ExitStack() as stack:
            self.wait_for_site(base_url, until)
            to = options["deliver_to"] or stack.enter_context(own_receiver())
            run_id = self.post(base_url, self.prepare(to, base_url))
            if options["no_wait"]:
                told = {"run_id": str(run_id), "status": RunStatus.QUEUED.value}
                self.stdout.write(jsonio.dumps(told) if self.quiet else str(run_id))
                return
            run = follow.until_final(run_id, options["timeout"], self.say)
        self.tell(run, base_url)

    def say(self, text: str) -> None:
        """Progress, at once; beside the document of --json."""
        out = self.stderr if self.quiet else self.stdout
        out.write(text)
        out.flush()

    def wait_for_site(self, base_url: str, until: float) -> None:
        """Until /readyz answers 200; raises CommandError at `until`."""
        told = time.monotonic() - follow.TELL + 1
        why = ""
        with requests.Session() as session:
            session.trust_env = False
            while time.monotonic() < until:
                try:
                    status = session.get(f"{base_url}/readyz", timeout=5).status_code
                    if status == requests.codes.ok:
                        return
                    why = f"it answers {status}"
                except requests.RequestException as error:
                    why = str(error)
                if time.monotonic() - told > follow.TELL:
                    told = time.monotonic()
                    self.say("  waiting for the web server ...")
                time.sleep(follow.LOOK)
        raise CommandError(
            f"{base_url} is not ready: {why}\n"
            "Start it with: python manage.py up   (and look: python manage.py doctor)"
        )

    def prepare(self, deliver_to: str, base_url: str) -> stage.Stage:
        """Account and workflow, with a word about what is new."""
        try:
            ready = stage.prepare(deliver_to)
        except stage.CannotStage as error:
            raise CommandError(str(error)) from None
        if ready.password:
            self.say(
                f"\nSign in at {base_url}/admin/\n"
                f"  e-mail:   {ready.user.email}\n"
                f"  password: {ready.password}   (shown only this once)"
            )
        else:
            self.say(
                f"\nSign in at {base_url}/admin/ as {ready.user.email}; to set a new "
                "password: .venv/bin/python manage.py changepassword "
                f"{ready.user.email}"
            )
        if ready.is_new:
            self.say(f'Made the workflow "{ready.workflow}" with its webhook.')
        return ready

    def post(self, base_url: str, ready: stage.Stage) -> UUID:
        """Send what GitHub sends; the run's id. Raises CommandError."""
        sender = sending.Sender.for_trigger(find(ready.trigger.key))
        url = sending.address(base_url, ready.trigger.key)
        body = (HERE / "github_push.json").read_bytes()
        self.say(f"Posting a GitHub push, signed, to {url}")
        try:
            reply = sending.send(sender.delivery(url, body, event="push"))
        except sending.CannotSend as error:
            raise CommandError(str(error)) from None
        if not reply.ok or not reply.data.get("run_id"):
            raise CommandError(f"It was not taken: {reply.status} {reply.data}")
        self.say(f"Answered {reply.status}: run {reply.data['run_id']}\n")
        return UUID(reply.data["run_id"])

    def tell(self, run: Run, base_url: str) -> None:
        """The story; raises CommandError when the run has not succeeded."""
        told = follow.story(run, base_url)
        if self.quiet:
            self.stdout.write(follow.as_json(told))
        else:
            self.stdout.write("\n".join(follow.lines(told)))
            self.stdout.flush()
        if not run.is_final:
            raise CommandError(
                "The run has not finished. Is a worker running? "
                "python manage.py doctor says what is missing."
            )
        if run.status != RunStatus.SUCCEEDED:
            raise CommandError(f"The run ended as {run.status}.")


@contextlib.contextmanager
def own_receiver() -> Iterator[str]:
    """The URL of a receiver that lives until the end of the block."""
    port = ports.free_port()
    command = [sys.executable, "-I", "-S", str(HERE / "receiver.py"), str(port)]
    with subprocess.Popen(command, stdout=sys.stderr) as receiver:  # noqa: S603 - ours
        try:
            yield f"http://127.0.0.1:{port}/notify"
        finally:
            receiver.terminate()
