"""Signature schemes as data: names, options and defaults; no verification here.

`webhooks/schemes/` verifies, one module a scheme, and reads this table. A scheme's
options are stored in a trigger's config under the scheme's own name:

    {"scheme": "hmac", "hmac": {"header": "X-Signature", "prefix": "sha256="}}

and may be written flat beside `scheme`; `workflows.triggers.webhook` moves them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from threading import RLock
from typing import Any

from workflows.triggers.schemes.base import DEFAULT_TOLERANCE, HEADER_NAME, Scheme
from workflows.triggers.schemes.generic import GENERIC
from workflows.triggers.schemes.providers import PROVIDERS

__all__ = [
    "BUILT_IN",
    "DEFAULT_TOLERANCE",
    "ENTRY_POINT_GROUP",
    "HEADER_NAME",
    "SCHEMES",
    "Scheme",
    "SchemeLoadError",
    "event_header",
    "id_header",
    "named",
    "options_of",
    "proof_headers",
    "scheme_of",
]

ENTRY_POINT_GROUP = "automate.schemes"
BUILT_IN: Mapping[str, Scheme] = {item.name: item for item in (*GENERIC, *PROVIDERS)}


class SchemeLoadError(RuntimeError):
    """A plugin's scheme cannot be had; the message names it and says why."""


class _Schemes(Mapping[str, Scheme]):
    """The built-in schemes and those of plugins, which are loaded at the first look.

    An entry point names the class that verifies (`webhooks.schemes.register`); its
    attribute `data` is its row here.
    """

    def __init__(self) -> None:
        self._known: dict[str, Scheme] = dict(BUILT_IN)
        self._loaded = False
        self._lock = RLock()

    def __getitem__(self, name: str) -> Scheme:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Scheme]:
        if not self._loaded:
            with self._lock:
                self._load()
        return self._known

    def _load(self) -> None:
        if self._loaded:
            return
        known = dict(BUILT_IN)
        for entry in entry_points(group=ENTRY_POINT_GROUP):
            try:
                data = entry.load().data
                _check(data, known)
            except Exception as error:
                raise SchemeLoadError(
                    f"the entry point {entry.name!r} ({entry.value}) of "
                    f"{ENTRY_POINT_GROUP} cannot be loaded: {error}"
                ) from error
            known[data.name] = data
        self._known = known
        self._loaded = True


def _check(data: object, known: Mapping[str, Scheme]) -> None:
    if not isinstance(data, Scheme):
        raise TypeError("its attribute `data` is no workflows.triggers.schemes.Scheme")
    if data.name in known:
        raise ValueError(f"there is a signature scheme {data.name!r} already")
    if data.options_schema.get("additionalProperties") is not False:
        raise ValueError("its options_schema needs additionalProperties: false")


SCHEMES: Mapping[str, Scheme] = _Schemes()


def scheme_of(config: Mapping[str, Any]) -> Scheme:
    """The scheme that a stored trigger config names; KeyError for an unknown one."""
    return SCHEMES[config.get("scheme", "none")]


def named(written: Any) -> Any:
    """The name of the scheme that goes by this one too; anything else as it is."""
    for scheme in SCHEMES.values():
        if written in scheme.aliases:
            return scheme.name
    return written


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The scheme's options of a stored trigger config, with the defaults filled in."""
    scheme = scheme_of(config)
    return {**scheme.defaults, **config.get(scheme.name, {})}


def id_header(config: Mapping[str, Any]) -> str:
    """The header that carries the delivery id by the scheme, or an empty text."""
    return str(options_of(config).get("id_header") or scheme_of(config).id_header)


def event_header(config: Mapping[str, Any]) -> str:
    """The header that carries the event's name by the scheme, or an empty text."""
    return str(options_of(config).get("event_header") or scheme_of(config).event_header)


def proof_headers(config: Mapping[str, Any]) -> list[str]:
    """The headers that prove who sent the event, which nobody keeps."""
    scheme = scheme_of(config)
    own = options_of(config).get("header") or scheme.signature_header
    return [own, *scheme.other_headers]
