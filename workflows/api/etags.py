"""ETag and If-Match of workflows: two editors do not overwrite each other.

RFC 9110, sections 8.8.3 and 13.1.1. The tag counts the edits of the draft and of what
is said about the workflow; publishing and switching leave it as it is.
"""

from __future__ import annotations

import re

from rest_framework.request import Request

from automate.lib.rest import invalid

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:(?:W/)?"[^"]*"\s*)?)*')
NONE = -1  # no workflow has this edit count


def etag(edit_count: int) -> str:
    """The entity tag of a workflow with this edit count."""
    return f'"{edit_count}"'


def expected(request: Request, current: int) -> int | None:
    """The edit count that the caller has seen; None: whatever it is now.

    `If-Match` may list several tags: `current` where it is among them. A weak tag
    matches nothing. Raises ApiError 400 for a header that holds no tags: the server
    hands on as empty what is not ASCII, and who sends a condition wants one.
    """
    given = request.headers.get("If-Match", "*").strip()
    if given == "*":
        return None
    if not _LIST.fullmatch(given):
        issue = 'Give the ETag of the answer that you have read, as it is: "3".'
        raise invalid([("If-Match", issue)])
    strong = [tag for weak, tag in _TAG.findall(given) if not weak]
    if str(current) in strong:
        return current
    return NONE
