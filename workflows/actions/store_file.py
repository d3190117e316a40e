"""Step kind `store_file`: bytes under a name, in the storage of the settings."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from django.conf import settings
from django.core.files.storage import Storage, storages

from automate.lib import jsonio
from automate.lib.filestore.errors import judge
from automate.lib.filestore.new import NewFile
from workflows.actions.base import Action, Context, register
from workflows.actions.outcomes import Done, ErrorInfo, Fail, Outcome, Retry

ENCODINGS = ("text", "base64", "json", "file")
USUAL_TYPES = {
    "text": "text/plain; charset=utf-8",
    "base64": "application/octet-stream",
    "json": "application/json",
    "file": "application/octet-stream",
}
LONGEST_NAME, LONGEST_PART = 500, 200  # bytes; file systems allow 255 a part
_UNFIT = re.compile(r"[\x00-\x1f\x7f\\]")
_TYPE = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}(\s*;[\x20-\x7e]{1,200})?")


class BadFile(ValueError):
    """The rendered config cannot become a file; the message says why."""


@dataclass(frozen=True, slots=True)
class _File:
    """What is to be stored, and the name under which the storage knows it."""

    path: str
    data: bytes
    content_type: str
    overwrite: bool

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@register
class StoreFile(Action):
    """Output: `{"name", "size", "sha256"}`, and `url` where the files are served.

    A workflow has a folder of its own. Storing the same bytes again succeeds, so that
    a step that is tried again, or carried on after a crash, does no harm.
    """

    kind = "store_file"
    stores = True
    label = "Store a file"
    description = "Writes a file into the storage: a folder, or a bucket of S3."
    timeout = 30.0
    config_schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "content"],
        "properties": {
            "name": {
                "title": "Name",
                "description": "Within the workflow's folder: reports/2026-01.csv",
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST_NAME,
            },
            "content": {
                "title": "Content",
                "description": "Text, base64, data or a file of the event",
            },
            "encoding": {
                "title": "The content is",
                "enum": list(ENCODINGS),
                "default": "text",
            },
            "content_type": {
                "title": "Content type",
                "description": "Guessed from the name when it is left out",
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
            },
            "overwrite": {
                "title": "Replace a file of this name",
                "description": "Without it other content under the name is an error",
                "type": "boolean",
                "default": False,
            },
        },
    }

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        if "{{" not in config["name"] and (wrong := _wrong_name(config["name"])):
            yield "name", f"name {wrong}"
        given = config.get("content_type", "")
        if given and "{{" not in given and not _TYPE.fullmatch(given):
            yield "content_type", 'must be like "text/csv"'

    def takes_file(self, config: Mapping[str, Any]) -> bool:
        return config.get("encoding") == "file"

    def execute(self, context: Context) -> Outcome:
        try:
            file = _file(context)
        except BadFile as error:
            return Fail(ErrorInfo("BadConfig", str(error)))
        try:
            differs = _store(storages["default"], file)
        except Exception as error:
            verdict = judge(error)
            if verdict is None:
                raise
            info = ErrorInfo(verdict.error_class, verdict.message)
            return Retry(info) if verdict.passing else Fail(info)
        if differs:
            message = (
                f"a file {file.path} with other content is there already; "
                '"overwrite": true replaces it'
            )
            return Fail(ErrorInfo("FileExists", message))
        return Done(_output(file))


def _store(storage: Storage, file: _File) -> bool:
    """Whether other content is stored under the name, which then stays as it is."""
    new = NewFile(file.data, content_type=file.content_type, overwrite=file.overwrite)
    try:
        storage.save(file.path, new)
    except FileExistsError:
        with storage.open(file.path) as old:
            return bool(old.read() != file.data)
    return False


def _output(file: _File) -> dict[str, Any]:
    found = {"name": file.path, "size": len(file.data), "sha256": file.digest}
    if settings.FILES_PUBLIC_URL:
        return {**found, "url": f"{settings.FILES_PUBLIC_URL}/{quote(file.path)}"}
    return found


def _file(context: Context) -> _File:
    config = context.config
    name = config.get("name")
    if not isinstance(name, str):
        raise BadFile("name must be text")
    if wrong := _wrong_name(name):
        raise BadFile(f"name {wrong}")
    encoding = config.get("encoding", "text")
    if encoding not in ENCODINGS:
        raise BadFile(f"encoding must be one of {', '.join(ENCODINGS)}")
    overwrite = config.get("overwrite", False)
    if not isinstance(overwrite, bool):
        raise BadFile("overwrite must be true or false")
    content = config.get("content")
    given = config.get("content_type") or mimetypes.guess_type(name)[0]
    if not given and encoding == "file" and isinstance(content, Mapping):
        said = content.get("content_type")  # by the sender, who may say anything
        given = said if isinstance(said, str) and _TYPE.fullmatch(said) else None
    content_type = given or USUAL_TYPES[encoding]
    if not isinstance(content_type, str) or not _TYPE.fullmatch(content_type):
        raise BadFile('content_type must be like "text/csv"')
    data = _taken(context, content) if encoding == "file" else _bytes(content, encoding)
    return _File(f"{context.run.workflow_id}/{name}", data, content_type, overwrite)


def _wrong_name(name: str) -> str:
    """What is wrong with the name of a file; empty when nothing is."""
    if _UNFIT.search(name):
        return "must not hold line ends, control characters or backslashes"
    parts = name.split("/")
    if not parts[0]:
        return "must not begin with a slash, nor be empty"
    if any(part.strip() in ("", ".", "..") or part != part.strip() for part in parts):
        return "must have no empty parts, no . or .. and no spaces around a slash"
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeError:
        return "holds half a character"
    if max(sizes) > LONGEST_PART or sum(sizes) + len(parts) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes, or a part than {LONGEST_PART}"
    return ""


def _taken(context: Context, content: Any) -> bytes:
    try:
        return context.read_file(content)
    except ValueError as error:
        raise BadFile(f"content cannot be read as a file: {error}") from None


def _bytes(content: Any, encoding: str) -> bytes:
    if encoding == "json":
        return jsonio.dumps(content).encode()
    if not isinstance(content, str):
        raise BadFile(
            f'content must be text for the encoding {encoding}; "json" takes data'
        )
    if encoding == "text":
        return jsonio.storable_text(content).encode()
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadFile("content is not base64") from None
