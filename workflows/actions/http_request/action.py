"""Sends the request, reads its fate, keeps the record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from automate.lib import jsonio
from automate.lib.net import NetError, Request, Response
from automate.lib.redaction import Redactor
from workflows.actions.base import Action, ConnectionData, Context, register
from workflows.actions.http_request import answer, classify
from workflows.actions.http_request.build import BadConfig, preview
from workflows.actions.http_request.schema import CONFIG_SCHEMA
from workflows.actions.outcomes import (
    AttemptOutcome,
    AttemptRecord,
    Done,
    ErrorInfo,
    Fail,
    Gone,
    LogLine,
    Outcome,
    Retry,
)
from workflows.connections import Kind, SignInFailed, kind_of

BODY_LIMIT = 64 * 1024
SENT_AGAIN = (
    "the receiver refused the access token (401); the request was sent again with a"
    " new one"
)


@dataclass(frozen=True)
class Sent:
    """One request on its way, and all that is needed to record it."""

    context: Context
    request: Request
    started_at: datetime
    started: float

    @classmethod
    def now(cls, context: Context, request: Request) -> Sent:
        """It is about to leave."""
        clock = context.clock
        return cls(context, request, clock.now(), clock.monotonic())

    def record(
        self,
        outcome: AttemptOutcome,
        *,
        response: Response | None = None,
        kind: str = "",
        message: str = "",
    ) -> AttemptRecord:
        """The attempt as people may read it."""
        context = self.context
        redactor = context.redactor
        sent = shown(self.request, redactor)
        received = response.body if response else b""
        headers = answer.lowered(response.headers) if response else {}
        got, got_cut = redactor.body(
            received, headers.get("content-type", ""), BODY_LIMIT
        )
        elapsed = context.clock.monotonic() - self.started
        return AttemptRecord(
            method=sent["method"],
            url=sent["url"],
            request_headers=sent["headers"],
            request_body=sent["body"],
            request_truncated=sent["truncated"],
            response_status=response.status if response else None,
            response_headers=redactor.headers(headers),
            response_body=got,
            response_truncated=got_cut or bool(response and response.truncated),
            error_kind=kind,
            error_message=redactor.text(message),
            outcome=outcome,
            started_at=self.started_at,
            duration_ms=max(0, round(elapsed * 1000)),
        )

    def error(self, error_class: str, message: str) -> ErrorInfo:
        return ErrorInfo(error_class, self.context.redactor.text(message))

    @property
    def retry_on(self) -> tuple[int | str, ...] | None:
        given = self.context.config.get("retry_on", self.context.retry_on)
        return None if given is None else tuple(given)


@register
class HttpRequest(Action):
    """Output: `{"status", "headers": {lower-case name: value}, "body"}`."""

    kind = "http_request"
    label = "HTTP request"
    description = "Calls another system and keeps its answer."
    config_schema = CONFIG_SCHEMA
    sends = True
    verifies = True
    secret_fields = (
        *("url", "headers", "query", "body", "signing.secret"),
        *(f"verify.{name}" for name in ("url", "headers", "query", "body")),
    )
    condition_fields = ("verify.happened",)

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        url = config["url"]
        if config.get("on_gone") == "deactivate" and "connection" not in config:
            yield "on_gone", "deactivates a connection, and the step names none"
        if url.lstrip().startswith("{{") or "connection" in config:
            return
        if not re.match(r"\s*https?://", url, re.IGNORECASE):
            yield "url", "must begin with https:// or http://, or name a connection"

    def preview(self, context: Context) -> dict[str, Any]:
        """`{"method", "url", "headers", "body", "truncated"}`, for people."""
        return shown(preview(context), context.redactor)

    def execute(self, context: Context) -> Outcome:
        try:
            request = preview(context)
        except BadConfig as error:
            return Fail(ErrorInfo("BadConfig", context.redactor.text(str(error))))
        sent = Sent.now(context, request)
        if (kind := signs_in(context.connection)) is not None:
            return _after_signing_in(sent, kind)
        try:
            response = context.http.send(request)
        except NetError as error:
            return _unanswered(sent, error)
        return _answered(sent, response)

    def verify(self, context: Context) -> Outcome:
        """Done with the answer unless its status says nothing about the effect."""
        outcome = self.execute(context)
        output = outcome.output if isinstance(outcome, Fail | Retry) else None
        if output is not None and classify.is_denial(output["status"]):
            return Done(output, outcome.attempt)  # type: ignore[union-attr]
        return outcome


def _after_signing_in(sent: Sent, kind: Kind) -> Outcome:
    """As above; where the receiver refuses the credentials, once more with others."""
    began, again = sent.context.clock.now().timestamp(), False
    while True:
        try:
            sent = signed_in(sent, kind)
            response = sent.context.http.send(sent.request)
        except SignInFailed as error:
            return _not_signed_in(sent, error)
        except NetError as error:
            return _unanswered(sent, error)
        link = sent.context.connection
        assert link is not None  # noqa: S101 - it has signed in
        if response.status != 401 or not kind.refused(link, began, again=again):
            break
        again = True
    outcome = _answered(sent, response)
    if again and isinstance(outcome, Done):
        return replace(outcome, logs=(LogLine("info", SENT_AGAIN),))
    return outcome


def _not_signed_in(sent: Sent, error: SignInFailed) -> Outcome:
    attempt = sent.record("not_sent", kind="token", message=str(error))
    if error.retries:
        info = sent.error("TokenUnavailable", str(error))
        return Retry(info, after=error.after, attempt=attempt)
    return Fail(sent.error("TokenRefused", str(error)), attempt=attempt)


def _unanswered(sent: Sent, error: NetError) -> Outcome:
    attempt = sent.record(
        "unknown" if error.sent else "not_sent", kind=error.kind, message=str(error)
    )
    info = sent.error(classify.ERROR_CLASSES[error.kind], str(error))
    if classify.retries_kind(error.kind, sent.retry_on):
        return Retry(info, attempt=attempt)
    return Fail(info, attempt=attempt)


def _answered(sent: Sent, response: Response) -> Outcome:
    config = sent.context.config
    status = response.status
    headers = answer.lowered(response.headers)
    output: dict[str, Any] = {"status": status, "headers": headers, "body": None}
    outcome = classify.outcome_of(status)
    if classify.matches(status, config.get("success_statuses") or ("2xx",)):
        return _succeeded(sent, response, output)
    if not response.truncated:
        output["body"] = answer.read_body(response, headers, _lenient(config))
    message = f"the receiver answered {classify.reason(status)}"
    if 300 <= status < 400 and not sent.request.max_redirects:
        message += '; redirects are followed with "max_redirects" above 0'
    attempt = sent.record(outcome, response=response, message=message)
    info = sent.error(f"Http{status}", message)
    link = sent.context.connection
    if status == 410 and config.get("on_gone") == "deactivate" and link and link.id:
        gone = Gone(link.id, f"step {sent.context.node_id}: {info.message}")
        return Fail(info, attempt=attempt, output=output, gone=gone)
    if classify.retries_status(status, sent.retry_on):
        after = classify.retry_after(
            headers.get("retry-after"), sent.context.clock.now()
        )
        return Retry(info, after=after, attempt=attempt, output=output)
    return Fail(info, attempt=attempt, output=output)


def _succeeded(sent: Sent, response: Response, output: dict[str, Any]) -> Outcome:
    """The effect has happened: whatever is wrong with the answer is not retried."""
    outcome = classify.outcome_of(response.status)
    wanted = str(sent.context.config.get("response_format", "auto"))
    name = message = ""
    if response.truncated:
        name = "ResponseTooLarge"
        message = (
            f"the answer is larger than {sent.request.max_response} bytes; "
            "AUTOMATE_MAX_RESPONSE sets the limit. It was not sent again: the "
            "receiver has accepted it"
        )
    else:
        try:
            output["body"] = answer.read_body(response, output["headers"], wanted)
        except jsonio.BadJSON as error:
            name = "BadResponse"
            message = f"the answer is not JSON: {error}"
    attempt = sent.record(outcome, response=response, message=message)
    if name:
        return Fail(sent.error(name, message), attempt=attempt, output=output)
    return Done(output, attempt)


def signs_in(link: ConnectionData | None) -> Kind | None:
    """The connection's kind, when it fetches credentials before a request."""
    kind = kind_of(link.kind) if link is not None else None
    return kind if kind is not None and kind.signs_in else None


def signed_in(sent: Sent, kind: Kind) -> Sent:
    """The same request with credentials at hand, within the time that is left.

    Raises SignInFailed.
    """
    context = sent.context
    began = context.clock.monotonic()
    link = kind.sign_in(context)
    left = context.timeout - (context.clock.monotonic() - began)
    context = replace(context, connection=link, timeout=max(left, 0.001))
    return Sent.now(context, preview(context))


def _lenient(config: Mapping[str, Any]) -> str:
    """An error's page is rarely what was asked for: then it is read as text."""
    return "text" if config.get("response_format") == "text" else "auto"


def shown(request: Request, redactor: Redactor) -> dict[str, Any]:
    """A request as people may read it: redacted and cut to size."""
    body, cut = redactor.body(
        request.body or b"", _content_type(request.headers), BODY_LIMIT
    )
    return {
        "method": request.method,
        "url": redactor.url(request.url),
        "headers": redactor.headers(request.headers),
        "body": body,
        "truncated": cut,
    }


def _content_type(headers: Mapping[str, str]) -> str:
    return next((v for k, v in headers.items() if k.lower() == "content-type"), "")
