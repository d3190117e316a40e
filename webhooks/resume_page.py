"""The page on which somebody without an account approves or rejects.

It stands alone: no script, no other file, one style sheet that the policy names by its
hash. The address is a capability, so nothing may keep it or pass it on.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from typing import Any

from django.template.loader import render_to_string

from runs.services import Given, Question
from webhooks.answers import Answer, TurnedAway
from webhooks.arrival import Arrival

HTML = "text/html; charset=utf-8"
STYLE = """
:root{color-scheme:light dark;--line:#8a8f98;--quiet:#57606a;--yes:#116329;--no:#a40e26}
@media(prefers-color-scheme:dark){:root{--quiet:#a9b1bb;--line:#6e7681}}
html{background:Canvas;color:CanvasText}
*{box-sizing:border-box}
body{margin:0;font:1rem/1.5 system-ui,sans-serif}
main{max-width:40rem;margin:0 auto;padding:1.25rem}
h1{font-size:1.25rem;margin:0 0 1rem}
.message{white-space:pre-line;overflow-wrap:anywhere;font-size:1.125rem}
.meta{color:var(--quiet);font-size:.875rem;overflow-wrap:anywhere}
pre{overflow:auto;max-height:50vh;padding:.75rem;border:1px solid var(--line);
border-radius:.375rem;font-size:.875rem;white-space:pre-wrap;overflow-wrap:anywhere}
label{display:block;margin:1rem 0 .25rem}
textarea{width:100%;min-height:5rem;padding:.5rem;font:inherit;
border:1px solid var(--line);border-radius:.375rem}
.choice{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1rem}
button{flex:1 1 8rem;min-height:3rem;font:inherit;font-weight:600;color:#fff;border:0;
border-radius:.375rem;cursor:pointer}
.yes{background:var(--yes)}.no{background:var(--no)}
:focus-visible{outline:3px solid #1f6feb;outline-offset:2px}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store, private",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
DONE = {"approved": "Approved", "rejected": "Rejected", "received": "Received"}


def is_wanted(arrival: Arrival) -> bool:
    """Whether a browser asks: programs get JSON."""
    return "text/html" in arrival.header("accept").lower()


def question(asked: Question) -> Answer:
    """What is to be decided, and a form to decide it."""
    details = asked.details
    if not isinstance(details, str) and details is not None:
        details = json.dumps(details, indent=2, ensure_ascii=False)
    return _page(
        200,
        "Please decide",
        question=asked,
        workflow=asked.run.workflow.name,
        details=details,
    )


def thanks(given: Given, at: datetime, *, waited: bool) -> Answer:
    """The decision has been taken over: which, when, and what was said about it."""
    note = "The workflow goes on." if waited else "It counts once the step is reached."
    return _page(
        200 if waited else 202,
        f"{DONE[given.decision]}. Thank you.",
        note=note,
        said=f"{DONE[given.decision]} through this link at {at:%Y-%m-%d %H:%M:%S} UTC.",
        comment=given.comment.strip(),
    )


def refusal(error: TurnedAway) -> Answer:
    """Why nothing can be decided here (any more)."""
    titles = {401: "This link is not valid", 409: "Already decided", 410: "Too late"}
    title = titles.get(error.status, "That did not work")
    return _page(error.status, title, error.headers, note=error.message)


def _page(status: int, title: str, headers: Any = None, /, **context: Any) -> Answer:
    text = render_to_string(
        "webhooks/resume.html", {"title": title, "style": STYLE, **context}
    )
    return Answer(status, text.encode(), HTML, {**HEADERS, **dict(headers or {})})
