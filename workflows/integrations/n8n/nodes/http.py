"""HTTP Request, in the shapes of its versions 1 and 2, and of 3 and later.

The parameters are those of packages/nodes-base/nodes/HttpRequest (V1, V2, V3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workflows.actions.http_request.schema import MAX_REDIRECTS, METHODS
from workflows.definition.schema import ERROR_KINDS
from workflows.integrations.n8n.data import Output, Parts, Plain
from workflows.integrations.n8n.nodes.base import (
    Job,
    Made,
    Unsupported,
    converts,
)
from workflows.integrations.n8n.nodes.http_answer import Body
from workflows.integrations.n8n.nodes.http_parts import new_parts, old_parts
from workflows.integrations.n8n.nodes.signing_in import sign_in
from workflows.integrations.n8n.source import mapping, number, text

TIMEOUT = 300.0  # n8n's own
OLD_TIMEOUT = 3600.0
_ALL = ["1xx", "2xx", "3xx", "4xx", "5xx"]


@converts("httpRequest")
def http_request(job: Job) -> Made:
    """`$json` behind it is the answer's body, with fullResponse all of the answer."""
    old = job.node.version < 3
    config: dict[str, Any] = {"method": _method(job, old=old), "url": _url(job)}
    config |= old_parts(job, config["method"]) if old else new_parts(job)
    response = _response(job, old=old)
    _format(job, config, response)
    name = sign_in(job)
    if name:
        config["connection"] = name
    _redirects(job, config, old=old)
    _told(job)
    if job.node.attempts > 1:  # n8n tries again whatever it was that failed
        config["retry_on"] = [*_ALL[2:], *ERROR_KINDS]
    wait = number(job.options.get("timeout"), 0) / 1000
    wait = wait or (OLD_TIMEOUT if old else TIMEOUT)
    return Made(
        "http_request",
        config,
        _output(job, config, response, old=old),
        timeout=min(max(wait, 0.1), 3600),
    )


def _output(
    job: Job, config: Mapping[str, Any], response: Mapping[str, Any], *, old: bool
) -> Output:
    body = f"{job.root}.body"
    as_text = config.get("response_format") == "text"
    field = text(response.get("outputPropertyName")) or "data"
    if response.get("fullResponse") is True:
        job.remark("the status text of the answer is not known here")
        return Parts(
            {
                field if as_text else "body": body,
                "headers": f"{job.root}.headers",
                "statusCode": f"{job.root}.status",
            }
        )
    if as_text:
        return Plain(body, field)
    return Body(
        job.root,
        text_as="" if old or config.get("response_format") == "json" else "data",
        may_fail=job.node.on_error != "stop",
    )


def _told(job: Job) -> None:
    """Options that have no counterpart, each with what differs."""
    options = job.options
    paged = mapping(mapping(options.get("pagination")).get("pagination"))
    if text(paged.get("paginationMode")) not in ("", "off"):
        job.note("only the first page is read: pagination has no counterpart")
    if options.get("proxy"):
        job.note("no proxy of its own: one is set at a connection")
    unsafe = (
        options.get("allowUnauthorizedCerts"),
        job.parameters.get("allowUnauthorizedCerts"),
    )
    if True in unsafe:
        job.note("certificates are always checked: a connection may name an authority")
    if options.get("batching") or options.get("batchInterval"):
        job.remark("batches are of the items of a list: there is one item here")
    if options.get("splitIntoItems") is True:
        job.remark("a list that is answered stays one: go through it with for_each")


def _method(job: Job, *, old: bool) -> str:
    given = job.parameters.get("requestMethod" if old else "method")
    if given is None:
        given = job.parameters.get("method" if old else "requestMethod", "GET")
    method = job.values.text(given)
    if "{{" in method:
        return method
    method = method.upper() or "GET"
    if method not in METHODS:
        raise Unsupported(f"the method {method[:20]} cannot be sent here")
    return method


def _url(job: Job) -> str:
    url = job.values.text(job.parameters.get("url", "")).strip()
    if not url:
        raise Unsupported("it has no URL")
    if not url.startswith("{{") and "://" not in url:
        job.remark("the URL has no scheme: http:// was put before it, as n8n does")
        url = f"http://{url}"
    elif not url.startswith("{{") and not re.match(r"https?://", url, re.IGNORECASE):
        raise Unsupported("the URL is no address of the web")
    return url


def _response(job: Job, *, old: bool) -> dict[str, Any]:
    """How the answer is read, in the words of version 3."""
    if not old:
        return dict(mapping(mapping(job.options.get("response")).get("response")))
    given = text(job.parameters.get("responseFormat")) or "json"
    return {
        "responseFormat": "text" if given == "string" else given,
        "outputPropertyName": job.parameters.get("dataPropertyName"),
        "fullResponse": job.options.get("fullResponse"),
        "neverError": job.options.get("ignoreResponseCode"),
    }


def _format(job: Job, config: dict[str, Any], response: Mapping[str, Any]) -> None:
    chosen = text(response.get("responseFormat"))
    if chosen in ("json", "text"):
        config["response_format"] = chosen
    elif chosen == "file":
        job.note("the answer is a file: its text is the output, no file is kept")
    if response.get("neverError") is True:
        config["success_statuses"] = _ALL


def _redirects(job: Job, config: dict[str, Any], *, old: bool) -> None:
    """n8n follows them, since version 4 for every method."""
    most = MAX_REDIRECTS
    if old:
        follows = (
            job.options.get("followRedirect", True) is not False
            and config["method"] in ("GET", "HEAD")
        ) or job.options.get("followAllRedirects") is True
    else:
        option = job.options.get("redirect")
        given = mapping(mapping(option).get("redirect"))
        follows = given.get("followRedirects") is True or (
            option is None and job.node.version >= 4
        )
        if given.get("followRedirects") is None and option is not None:
            follows = job.node.version >= 4
        most = int(min(max(number(given.get("maxRedirects"), most), 0), most))
    if follows and most:
        config["max_redirects"] = most
