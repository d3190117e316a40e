"""Performing one step in a thread: render, execute, say how it went. No database."""

from __future__ import annotations

import functools
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import connections

from automate.lib.clock import Clock, SystemClock
from automate.lib.jsonio import storable
from automate.lib.net import Request, Response
from automate.lib.net.url import common_hosts
from automate.lib.redaction import Redactor
from runs.engine import used
from runs.engine.held import Held, UsedSecret
from runs.engine.versions import Node
from workflows import expressions
from workflows.actions.base import ConnectionData, Context, HttpSender, RunInfo
from workflows.actions.outcomes import ErrorInfo, Fail, Outcome, Retry

logger = logging.getLogger(__name__)

# Before a send, this much of the lease must be left: a little more than a reaper's
# clock and ours can differ within one lease.
MARGIN = 1.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """The step was not begun, because its lease no longer holds."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The worker stops; what became of the request is not known."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt at a step went. `input` is rendered and redacted."""

    held: Held
    node_id: str
    attempt: int
    outcome: Outcome | Dropped | Interrupted
    input: Any = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one step, with all that it needs."""

    held: Held
    node: Node
    attempt: int
    key: str


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
        started_at = self._clock.now()
        if not self._alive(task.held):
            return self._result(task, Dropped(), None, started_at)
        redactor = task.held.supplies.redactor
        sender = _UnderLease(self._http, lambda: self._alive(task.held))
        shown: Any = None
        try:
            config, redactor, context_parts = prepare(task)
            shown = redactor.data(storable(config))
            context = Context(
                config=config,
                idempotency_key=task.key,
                attempt=task.attempt,
                timeout=task.node.timeout,
                http=sender,
                clock=self._clock,
                redactor=redactor,
                node_id=task.node.id,
                retry_on=task.node.retry_on,
                max_response=settings.MAX_RESPONSE,
                **context_parts,
            )
            outcome: Outcome | Dropped = task.node.action.execute(context)
            if not isinstance(outcome, Outcome):
                msg = f"{task.node.kind} returned {type(outcome).__name__}, no outcome"
                raise TypeError(msg)
            outcome = Dropped() if sender.refused else _redacted(outcome, redactor)
        except expressions.ExpressionError as error:
            outcome = Fail(ErrorInfo("template", redactor.text(_located(error))))
        except MissingSupply as error:
            outcome = Fail(ErrorInfo("missing_secret", str(error)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is this step's failure
            logger.error(
                "step %s of run %s\n%s",
                task.node.id,
                task.held.run_id,
                redactor.text(traceback.format_exc()),
            )
            text = redactor.text(f"{type(error).__name__}: {error}")
            outcome = Fail(ErrorInfo("internal", text))
        return self._result(task, outcome, shown, started_at)

    @staticmethod
    def _result(task: Task, outcome: Any, shown: Any, started_at: datetime) -> Result:
        return Result(task.held, task.node.id, task.attempt, outcome, shown, started_at)


def _redacted(outcome: Outcome, redactor: Redactor) -> Outcome:
    """The outcome with a message that people may read, whatever the action wrote."""
    if isinstance(outcome, Fail | Retry):
        error = outcome.error
        shown = ErrorInfo(error.error_class, redactor.text(str(error.message)))
        return replace(outcome, error=shown)
    return outcome


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
        return self._http.send(replace(request, wanted=self._wanted))

    def _wanted(self) -> bool:
        if not self._alive():
            self.refused = True
        return not self.refused


def lease_holds(held: Held) -> bool:
    """True while the lease surely holds, by the monotonic clock, less a margin."""
    return time.monotonic() < held.lease_ends - MARGIN and not held.written_off


class MissingSupply(Exception):
    """The step names a secret or connection that the run may not use."""


def prepare(task: Task) -> tuple[Mapping[str, Any], Redactor, dict[str, Any]]:
    """The rendered config, a redactor for all the run's secrets, and context parts.

    Raises ExpressionError and MissingSupply.
    """
    held, node = task.held, task.node
    version = held.version
    assert version is not None  # noqa: S101 - only loaded runs are performed
    given = {name: _secret(held, name) for name in node.secrets}
    scope = held.scope
    if given:
        used.note(item.id for item in given.values())
        plain = {name: secret.value for name, secret in given.items()}
        scope = {**scope, "secrets": plain}
    config = node.config
    if node.action.render:
        config = expressions.render(config, scope, known_names=version.step_ids)
    link = _connection(held, node.connection) if node.connection else None
    parts = {
        "connection": link,
        "allowed_hosts": _hosts_of(given),
        "run": RunInfo(
            id=str(held.run_id),
            workflow=held.scope["run"]["workflow"],
            version=version.number,
            traceparent=held.run.traceparent,
        ),
    }
    return config, held.supplies.redactor, parts


def _secret(held: Held, name: str) -> UsedSecret:
    secret = held.supplies.secrets.get(name)
    if secret is None:
        why = held.supplies.missing.get(name, "does not exist for this workflow's team")
        raise MissingSupply(f"the secret {name} {why}")
    return secret


def _hosts_of(given: Mapping[str, UsedSecret]) -> frozenset[str]:
    """The hosts that may get all of these secrets; empty when each may go anywhere.

    Raises MissingSupply when they have none in common.
    """
    limited = {name: item.allowed_hosts for name, item in given.items()}
    limited = {name: hosts for name, hosts in sorted(limited.items()) if hosts}
    if not limited:
        return frozenset()
    common = functools.reduce(common_hosts, limited.values())
    if not common:
        each = "; ".join(
            f"{name} for {', '.join(sorted(hosts))}" for name, hosts in limited.items()
        )
        raise MissingSupply(f"the secrets used are for different hosts: {each}")
    return common


def _connection(held: Held, name: str) -> ConnectionData:
    link = held.supplies.connections.get(name)
    if link is None:
        why = held.supplies.missing.get(name, "does not exist for this workflow's team")
        raise MissingSupply(f"the connection {name} {why}")
    return link
