"""Performing one step in a thread: render, execute, say how it went. No database."""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from django.conf import settings
from django.db import connections

from automate.lib.clock import Clock, SystemClock
from automate.lib.jsonio import storable
from automate.lib.net import Request, Response
from automate.lib.payloads import PayloadStoreAway
from automate.lib.redaction import Redactor
from automate.lib.shorten import shorten
from runs.engine import large
from runs.engine.held import Held
from runs.engine.prepare import MissingSupply, judge, prepare
from runs.engine.task import Dropped, NotHappened, PutOff, Result, Shown, Task
from runs.payloads import OUTPUT, STEP_OUTPUT
from workflows import expressions
from workflows.actions.base import Context, HttpSender
from workflows.actions.outcomes import (
    Done,
    ErrorInfo,
    Fail,
    LogLine,
    Outcome,
    Retry,
)

logger = logging.getLogger(__name__)

# Before a send, this much of the lease must be left: a little more than a reaper's
# clock and ours can differ within one lease.
MARGIN = 1.0
SHOWN = 64 * 1024  # characters of a step's input that history keeps
PUT_OFF = 10.0  # seconds on average: a payload store that was away is asked again


class DatabaseInStep(RuntimeError):
    """A step touched the database, which would hold a connection while it waits."""


def forbid_database() -> None:
    """From now on any query in this thread raises DatabaseInStep (I6).

    So does connecting: a session that nobody uses would stay with the thread.
    """

    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        msg = "steps may not use the database; return an outcome instead"
        raise DatabaseInStep(msg)

    for wrapper in connections.all():
        wrapper.connect = refuse  # type: ignore[method-assign]
        wrapper.execute_wrappers.append(refuse)


class Performer:
    """Performs tasks with one guarded client and one clock; thread-safe."""

    def __init__(
        self,
        http: HttpSender,
        clock: Clock | None = None,
        *,
        alive: Callable[[Held], bool] | None = None,
    ) -> None:
        self._http = http
        self._clock = clock or SystemClock()
        self._alive = alive or lease_holds

    def perform(self, task: Task) -> Result:
        """Never raises: an exception is this step's failure and nobody else's."""
        if not self._alive(task.held):
            return self._result(task, Dropped(), None)
        shown, outcome = self._try(task, self._execute)
        shows = None if task.verify else shown.input
        return self._result(task, outcome, shows)

    def preview(self, task: Task) -> Shown:
        """What the step would do, redacted, without doing it. Never raises."""
        shown, outcome = self._try(task, self._describe)
        if isinstance(outcome, Fail | PutOff):
            shown.failure = outcome.error
        return shown

    def _execute(self, task: Task, shown: Shown) -> Outcome | Dropped | NotHappened:
        sender = _UnderLease(self._http, lambda: self._alive(task.held))
        context = self._context(task, sender, shown)
        action = task.node.action
        outcome = action.verify(context) if task.verify else action.execute(context)
        if not isinstance(outcome, Outcome):
            msg = f"{task.node.kind} returned {type(outcome).__name__}, no outcome"
            raise TypeError(msg)
        if sender.refused:
            return Dropped()
        outcome = _redacted(outcome, context.redactor)
        if task.verify and isinstance(outcome, Done):
            return _judged(task, outcome)
        return outcome

    def _describe(self, task: Task, shown: Shown) -> Outcome | Dropped:
        sender = _UnderLease(self._http, lambda: False)
        shown.request = task.node.action.preview(self._context(task, sender, shown))
        return Dropped()

    def _context(self, task: Task, sender: _UnderLease, shown: Shown) -> Context:
        config, redactor, parts = prepare(task)
        # Redacted whole before it is cut: half a secret would not be recognised.
        shown.input = shorten(redactor.data(storable(config)), SHOWN)
        return Context(
            config=config,
            idempotency_key="" if task.verify else task.key,
            attempt=task.attempt,
            timeout=task.node.timeout,
            http=sender,
            clock=self._clock,
            redactor=redactor,
            node_id=task.node.id,
            retry_on=task.node.retry_on,
            max_response=settings.MAX_RESPONSE,
            wanted=sender.wanted,
            max_items=settings.MAX_ITEMS,
            **parts,
        )

    @staticmethod
    def _try(
        task: Task, work: Callable[[Task, Shown], Outcome | Dropped | NotHappened]
    ) -> tuple[Shown, Outcome | Dropped | NotHappened | PutOff]:
        """`work`'s outcome, or the failure that its exception is."""
        shown = Shown()
        redactor = task.held.supplies.redactor
        outcome: Outcome | Dropped | NotHappened | PutOff
        try:
            outcome = work(task, shown)
        except expressions.ExpressionError as error:
            outcome = Fail(ErrorInfo("template", redactor.text(_located(error))))
        except MissingSupply as error:
            outcome = Fail(ErrorInfo("missing_secret", str(error)))
        except large.PayloadGone as error:
            outcome = Fail(ErrorInfo("payload_missing", str(error)))
        except PayloadStoreAway as error:
            wait = PUT_OFF * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load
            outcome = PutOff(ErrorInfo("payload_store", str(error)), wait)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is this step's failure
            logger.error(
                "step %s of run %s\n%s",
                task.node.id,
                task.held.run_id,
                redactor.text(traceback.format_exc()),
            )
            text = redactor.text(f"{type(error).__name__}: {error}")
            outcome = Fail(ErrorInfo("internal", text))
        return shown, outcome

    @staticmethod
    def _result(task: Task, outcome: Any, shown: Any) -> Result:
        held, node_id = task.held, task.node.id
        output = getattr(outcome, "output", None)
        if output is not None and held.version and node_id in held.version.reads:
            held.supplies.give(output)  # what follows may send it under other names
        kept = large.kept_of(held, STEP_OUTPUT if node_id else OUTPUT, outcome)
        return Result(held, node_id, task.attempt, outcome, shown, kept, task.verify)


def _judged(task: Task, answered: Done) -> Outcome | NotHappened:
    """What the answer to a verify request says; nothing, where it cannot be read."""
    try:
        happened, output = judge(task, answered.output)
    except expressions.ExpressionError as error:
        text = task.held.supplies.redactor.text(f"verify: {_located(error)}")
        return Fail(ErrorInfo("template", text), attempt=answered.attempt)
    if not happened:
        return NotHappened(answered.attempt)
    return Done(output, answered.attempt)


def _redacted(outcome: Outcome, redactor: Redactor) -> Outcome:
    """The outcome with a message that people may read, whatever the action wrote."""
    if isinstance(outcome, Fail | Retry):
        error = outcome.error
        shown = ErrorInfo(error.error_class, redactor.text(str(error.message)))
        return replace(outcome, error=shown)
    if isinstance(outcome, Done) and outcome.logs:
        lines = (_redacted_line(line, redactor) for line in outcome.logs)
        return replace(outcome, logs=tuple(lines))
    return outcome


def _redacted_line(line: LogLine, redactor: Redactor) -> LogLine:
    text = redactor.text(str(line.message))
    return LogLine(line.level, text, redactor.data(storable(line.data)))


def _located(error: expressions.ExpressionError) -> str:
    place = getattr(error, "path", "")
    return f"config.{place}: {error.message}" if place else str(error)


class _UnderLease:
    """Sends only while the lease holds, as asked immediately before the first byte.

    Name look-up, connecting and TLS may take longer than what was left of it.
    """

    def __init__(self, http: HttpSender, alive: Callable[[], bool]) -> None:
        self._http = http
        self._alive = alive
        self.refused = False

    def send(self, request: Request) -> Response:
        """As the client does; NetError("unwanted") when the lease has run out."""
        return self._http.send(replace(request, wanted=self.wanted))

    def wanted(self) -> bool:
        """Whether the lease holds; a step that was told no is not recorded."""
        if not self._alive():
            self.refused = True
        return not self.refused


def lease_holds(held: Held) -> bool:
    """True while the lease surely holds, by the monotonic clock, less a margin."""
    return time.monotonic() < held.lease_ends - MARGIN and not held.written_off
