"""The error that API code raises; `automate.api` turns it into an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rest_framework.exceptions import APIException

from automate.lib.errors import Code


class ApiError(APIException):
    """A refusal: HTTP status, code for programs, sentence for people.

    `errors` are (field, issue) pairs; `headers` go with the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status
        self.code = str(code)
        self.message = message
        self.errors = list(errors)
        self.headers = dict(headers or {})


def sentence(errors: Sequence[tuple[str, str]]) -> str:
    """The pairs as a message for people."""
    return "; ".join(f"{field}: {issue}" if field else issue for field, issue in errors)


def invalid(errors: Sequence[tuple[str, str]]) -> ApiError:
    """A 400 that names each field that is wrong, and how."""
    return ApiError(400, Code.VALIDATION_ERROR, sentence(errors), errors=errors)
