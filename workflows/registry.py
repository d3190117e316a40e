"""Kinds by name: registered by a decorator, built in or from an entry point."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from threading import RLock
from types import MappingProxyType
from typing import Any, Generic, TypeVar

K = TypeVar("K")
C = TypeVar("C", bound=type[Any])


class Registry(Generic[K]):
    """One instance of each kind; `modules` and the entry points load on first use.

    `noun` is what messages call a kind; `refusal` is raised for one that cannot be
    registered or loaded, `unknown` for a name that nothing has.
    """

    def __init__(
        self,
        noun: str,
        modules: Iterable[str],
        group: str,
        *,
        refusal: type[Exception],
        unknown: type[KeyError],
    ) -> None:
        self.noun, self.modules, self.group = noun, tuple(modules), group
        self.refusal, self.unknown = refusal, unknown
        self.entries: dict[str, K] = {}
        self.loaded = False
        self._lock = RLock()

    def register(self, cls: C) -> C:
        """Make the kind known; raises `refusal`."""
        kind = getattr(cls, "kind", "")
        if not kind or not getattr(cls, "label", ""):
            raise self.refusal(f"{cls.__qualname__} needs a kind and a label")
        if cls.config_schema.get("additionalProperties") is not False:
            raise self.refusal(
                f"the config_schema of {kind!r} needs additionalProperties: false"
            )
        with self._lock:
            known = self.entries.get(kind)
            if known is not None and type(known).__qualname__ != cls.__qualname__:
                raise self.refusal(
                    f"the {self.noun} {kind!r} of {cls.__module__} is already "
                    f"registered by {type(known).__module__}"
                )
            self.entries[kind] = cls()
        return cls

    def get(self, kind: str) -> K:
        """The kind of this name; raises `unknown`."""
        self._load()
        try:
            return self.entries[kind]
        except KeyError:
            raise self.unknown(kind) from None

    def all(self) -> Mapping[str, K]:
        """Every kind by name, plugins included, sorted."""
        self._load()
        with self._lock:
            return MappingProxyType(dict(sorted(self.entries.items())))

    def _load(self) -> None:
        if self.loaded:
            return
        with self._lock:
            if self.loaded:
                return
            for name in self.modules:
                importlib.import_module(name)
            for entry in entry_points(group=self.group):
                try:
                    entry.load()
                except Exception as error:
                    raise self.refusal(
                        f"the entry point {entry.name!r} ({entry.value}) of "
                        f"{self.group} cannot be loaded: {error}"
                    ) from error
            self.loaded = True
