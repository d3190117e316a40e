"""The contract of a step kind, and the registry of those that exist."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar
from uuid import UUID

from workflows.actions.outcomes import Outcome
from workflows.registry import Registry

if TYPE_CHECKING:
    from automate.lib.clock import Clock
    from automate.lib.net import Request, Response
    from automate.lib.rates import Rate
    from automate.lib.redaction import Redactor

ENTRY_POINT_GROUP = "automate.actions"
BUILT_IN = (
    "approval",
    "branch",
    "delay",
    "email",
    "filter",
    "for_each",
    "http_request",
    "log",
    "n8n",
    "placeholder",
    "respond",
    "run_workflow",
    "set",
    "slack",
    "store_file",
    "switch",
    "wait_for_webhook",
)


class HttpSender(Protocol):
    """The guarded client, as far as an action sees it."""

    def send(self, request: Request) -> Response: ...


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What an action may know about the run that it serves."""

    id: str
    workflow: str = ""
    version: int = 0
    traceparent: str = ""
    workflow_id: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionData:
    """A connection, decrypted for one step; `credentials` depends on `kind`.

    What they are says its module in `workflows.connections`; `options` are the settings
    of its kind that are no secret, `token` the access token that was stored for it, in
    the clear. `authorities` (PEM) are trusted alone, `proxy` is a forward proxy's URL.
    Steps begin within its `rate`: nothing that an action has to care for.
    """

    name: str
    kind: str
    base_url: str = ""
    allowed_hosts: frozenset[str] = frozenset()
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    id: UUID | None = None
    rate: Rate | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    authorities: str = field(default="", repr=False)
    proxy: str = ""
    token: Mapping[str, Any] | None = field(default=None, repr=False)


def always() -> bool:
    """Nothing has made the step unwanted."""
    return True


def no_files(file: Any) -> bytes:  # noqa: ARG001 - stands in for the engine's
    """There is no event that has files."""
    raise ValueError("there is no event here that has files")


@dataclass(frozen=True, slots=True)
class Context:
    """All that a step may use while it executes.

    `config` is rendered and may hold secrets, hence not printed; `attempt` counts from
    1; `timeout` is the total time allowed in seconds; `allowed_hosts` are those of the
    secrets used (empty: any); `retry_on` is the step's own `retry.retry_on`;
    `max_response` is AUTOMATE_MAX_RESPONSE in bytes, `max_items` AUTOMATE_MAX_ITEMS.
    `wanted` says whether the lease still holds: who sends without `http` asks it
    immediately before. `read_file` gives the bytes of a file of the event, from what
    templates see of it, and raises ValueError where there is none.
    """

    config: Mapping[str, Any] = field(repr=False)
    idempotency_key: str
    attempt: int
    timeout: float
    http: HttpSender
    clock: Clock
    redactor: Redactor
    run: RunInfo
    node_id: str
    connection: ConnectionData | None = None
    allowed_hosts: frozenset[str] = frozenset()
    retry_on: tuple[int | str, ...] | None = None
    max_response: int = 1024 * 1024
    max_items: int = 10_000
    wanted: Callable[[], bool] = always
    read_file: Callable[[Any], bytes] = no_files


class Action(ABC):
    """A step kind: stateless, one instance a process, called from many threads.

    `config_schema` is JSON Schema 2020-12 of the config, an object that refuses
    additional properties and titles each of its own; any place in it may also hold a
    template. `secret_fields` are the places below which `secrets.NAME` may be used
    ("headers", "signing.secret"). `sends` says that it talks to the network, `stores`
    that it leaves something outside the run: who tries such a step is asked first;
    `render` that the engine renders the config before `execute`, `condition_fields`
    which places hold conditions, `extra_roots` which further template roots (`item`,
    `index`) its config may name. `side_ports` are those of its ports that are no
    success: a step that takes one of them does not take `success` too. `answered_by`
    says by what a step of this kind is answered that waits for a signal: such a step
    has an address, `run.urls.STEP`. `body` says
    that the config holds a definition of its own, whose steps child runs perform: its
    `nodes`, `connections` and `output`, which the `config_schema` need not describe.
    `calls` says that it starts runs of other workflows.
    `answers` says that the output is what a sender that waits is answered: an object
    with `status`, `headers` and `body`.
    `verifies` says that the config may hold `verify`, the config of a request that says
    whether an earlier one had its effect, with `happened` and `output`, which the
    engine reads: see `verify`.
    `retry` and `timeout` override the engine's defaults for this kind.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str] = ""
    config_schema: ClassVar[Mapping[str, Any]]
    ports: ClassVar[tuple[str, ...]] = ("success", "failure")
    side_ports: ClassVar[tuple[str, ...]] = ()
    answered_by: ClassVar[Literal["", "webhook", "approval"]] = ""
    body: ClassVar[bool] = False
    calls: ClassVar[bool] = False
    sends: ClassVar[bool] = False
    stores: ClassVar[bool] = False
    answers: ClassVar[bool] = False
    verifies: ClassVar[bool] = False
    render: ClassVar[bool] = True
    secret_fields: ClassVar[tuple[str, ...]] = ()
    condition_fields: ClassVar[tuple[str, ...]] = ()
    extra_roots: ClassVar[tuple[str, ...]] = ()
    retry: ClassVar[Mapping[str, Any] | None] = None
    timeout: ClassVar[float | None] = None

    @abstractmethod
    def execute(self, context: Context) -> Outcome:
        """Do the work and say how it went; bookkeeping is the engine's."""

    def verify(self, context: Context) -> Outcome:
        """Make the verify request: `context.config` is `verify`, rendered; no key.

        Done with what it was answered, where that says something about the effect;
        else Retry or Fail, which both mean that nobody knows yet.
        """
        raise NotImplementedError(f"{self.kind} cannot be verified")

    def preview(self, context: Context) -> Any:  # noqa: ARG002 - a hook
        """What the step would send, redacted, as a JSON tree, without sending it.

        None for a step that sends nothing. May raise ValueError for a config that
        cannot become a request.
        """
        return None

    def ports_for(self, config: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002 - switch's ports depend on it
        """The ports that a connection from a step with this config may name."""
        return self.ports

    def idle_ports(self, config: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002 - a hook
        """The ports that a step with this config never takes, and what that needs."""
        return {}

    def takes_file(self, config: Mapping[str, Any]) -> bool:  # noqa: ARG002 - a hook
        """Whether a step with this config, not rendered, reads a file of the event."""
        return False

    def target(self, config: Mapping[str, Any]) -> tuple[str, str]:
        """Method and address of what a step with this config, not rendered, sends.

        History shows them when a worker vanished before it could say more.
        """
        return str(config.get("method") or "POST"), str(config.get("url") or "")

    def longest_wait(self, config: Mapping[str, Any]) -> timedelta | None:  # noqa: ARG002 - a hook
        """How long a step with this config, not rendered, may wait; None: not known."""
        return None

    def check(self, config: Mapping[str, Any]) -> Iterable[tuple[str, str]]:  # noqa: ARG002 - a hook
        """What the schema cannot say: pairs of place in the config and message.

        Called with configs that fit the schema; strings may still be templates.
        """
        return ()


class UnknownAction(KeyError):
    """No step kind of this name is registered."""

    def __str__(self) -> str:
        return f"unknown step type {self.args[0]!r}"


class ActionLoadError(RuntimeError):
    """An action cannot be registered; the message names it and says why."""


_registry: Registry[Action] = Registry(
    "step type",
    [f"workflows.actions.{name}" for name in BUILT_IN],
    ENTRY_POINT_GROUP,
    refusal=ActionLoadError,
    unknown=UnknownAction,
)

A = TypeVar("A", bound=type[Action])


def register(action: A) -> A:
    """Class decorator: make the step kind known; raises ActionLoadError."""
    keys = action.config_schema.get("properties", {}).keys()
    if {"nodes", "connections"} <= keys and not action.body:
        raise ActionLoadError(
            f"the config_schema of {action.kind!r} has both nodes and connections: "
            "that is the body of a loop, which needs body = True"
        )
    return _registry.register(action)


def get(kind: str) -> Action:
    """The action of this kind; raises UnknownAction."""
    return _registry.get(kind)


def all_actions() -> Mapping[str, Action]:
    """Every registered action by kind, plugins included, sorted by kind."""
    return _registry.all()
