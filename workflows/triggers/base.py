"""The contract of a trigger kind, and the registry of those that exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar

from jsonschema import Draft202012Validator

from workflows.definition.explain import explain
from workflows.definition.problems import Problem, in_order, place
from workflows.registry import Registry

ENTRY_POINT_GROUP = "automate.triggers"
BUILT_IN = ("api", "manual", "run_finished", "schedule", "webhook")
CatchUp = Literal["skip", "one", "all"]


class TriggerKind:
    """What can start a workflow: stateless, one instance a process.

    `config_schema` is JSON Schema 2020-12 of the stored config, an object that refuses
    additional properties. `addressed` says that a trigger of this kind has a URL.

    A kind that goes by the clock answers `next_fire`, and `payload` with what its runs
    begin with; the drains start the runs, each moment once over all hosts. Both are
    pure: no network and no database. The others are started by whoever hears the event,
    through `runs.services.accept`.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str] = ""
    config_schema: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"type": "object", "additionalProperties": False, "properties": {}}
    )
    addressed: ClassVar[bool] = False

    def normalise(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config as it is stored, from any spelling that people use."""
        return dict(config)

    def written_schema(self) -> Mapping[str, Any]:
        """JSON Schema of what `normalise` takes, for editors."""
        return self.config_schema

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:  # noqa: ARG002 - a hook
        """What the schema cannot say: pairs of place in the config and message."""
        return ()

    def warnings(self, config: Mapping[str, Any]) -> Iterable[str]:  # noqa: ARG002 - a hook
        """Sentences about a config that is allowed and unwise."""
        return ()

    def needs_secret(self, config: Mapping[str, Any]) -> bool:  # noqa: ARG002 - a hook
        """Whether a trigger with this config proves its sender by a secret."""
        return False

    def about_unknown(self, config: Mapping[str, Any], key: str) -> str:  # noqa: ARG002 - a hook
        """What to say of a key that is not in the schema; "": that it is unknown."""
        return ""

    def new_secret(self, config: Mapping[str, Any]) -> str:  # noqa: ARG002 - a hook
        """A random signing secret; raises LookupError where none can be made here.

        Its argument is a sentence for people: there is no secret, or the provider
        makes it.
        """
        raise LookupError(self.kind)

    def check_secret(self, config: Mapping[str, Any], secret: str) -> str:  # noqa: ARG002 - a hook
        """Why this cannot be the signing secret, or an empty text."""
        return ""

    def next_fire(self, config: Mapping[str, Any], after: datetime) -> datetime | None:  # noqa: ARG002 - a hook
        """The first moment later than `after` at which it starts a run, in UTC.

        None: never again, or never by the clock. The same for the same arguments.
        """
        return None

    def slot(self, config: Mapping[str, Any], moment: datetime) -> str:  # noqa: ARG002 - a hook
        """A name for a moment of `next_fire`, at most 100 characters: fires once."""
        return moment.astimezone(UTC).isoformat()

    def payload(self, config: Mapping[str, Any], moment: datetime) -> Any:  # noqa: ARG002 - a hook
        """What the run of this moment gets as `trigger.payload`: data for JSON."""
        return {"scheduled_for": moment.isoformat()}

    def catch_up(self, config: Mapping[str, Any]) -> CatchUp:  # noqa: ARG002 - a hook
        """Which missed moments fire late: none, the latest one, or all in order."""
        return "one"


class UnknownTriggerKind(KeyError):
    """No trigger kind of this name is registered."""

    def __str__(self) -> str:
        return f"unknown trigger kind {self.args[0]!r}"


class TriggerLoadError(RuntimeError):
    """A trigger kind cannot be registered; the message names it and says why."""


_registry: Registry[TriggerKind] = Registry(
    "trigger kind",
    [f"workflows.triggers.{name}" for name in BUILT_IN],
    ENTRY_POINT_GROUP,
    refusal=TriggerLoadError,
    unknown=UnknownTriggerKind,
)

T = TypeVar("T", bound=type[TriggerKind])


def register(trigger: T) -> T:
    """Class decorator: make the trigger kind known; raises TriggerLoadError."""
    return _registry.register(trigger)


def get(kind: str) -> TriggerKind:
    """The trigger kind of this name; raises UnknownTriggerKind."""
    return _registry.get(kind)


def all_kinds() -> Mapping[str, TriggerKind]:
    """Every registered trigger kind by name, plugins included, sorted."""
    return _registry.all()


def problems_of(
    kind: TriggerKind, config: object, path: str = "config"
) -> list[Problem]:
    """All that is wrong with a stored config, places below `path`."""
    validator = Draft202012Validator(dict(kind.config_schema))
    hints: dict[str, str] = {}
    if isinstance(config, Mapping):
        unknown = config.keys() - kind.config_schema.get("properties", {}).keys()
        hints = {place(path, key): kind.about_unknown(config, key) for key in unknown}
    found = [
        replace(problem, message=hints.get(problem.path) or problem.message)
        for error in validator.iter_errors(config)
        for problem in explain(error, path)
    ]
    if not found and isinstance(config, Mapping):
        found = [
            Problem(
                place(path, *where.split(".")) if where else path, message, rule=True
            )
            for where, message in kind.check(config)
        ]
    return in_order(found)
