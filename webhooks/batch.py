"""A batch of CloudEvents: a run for each, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from automate.lib import cloudevents, jsonio
from automate.lib.cloudevents import BadEvent
from automate.lib.database import repeat, write_transaction
from automate.lib.errors import Code
from automate.lib.jsonio import BadJSON
from runs.services import Accepted
from webhooks.answers import Answer, Filtered, Reason, TurnedAway, key_reused
from webhooks.arrival import Arrival
from webhooks.gates import WANTED, pass_through
from webhooks.gates.body import bad_event, not_json
from webhooks.limiting import spend
from webhooks.record import Rejected, keep_all
from webhooks.weight import refuse_heavy

MAX_EVENTS = 500

Store = Callable[[Arrival], Accepted]
Became = Callable[[Arrival], Accepted | None]


@dataclass(slots=True)
class _Member:
    """One event of a batch and what became of it: `filtered`, or else `accepted`.

    `settled`: by what it became earlier, so that nothing is stored.
    """

    arrival: Arrival
    filtered: Filtered | None = None
    accepted: Accepted | None = None
    settled: bool = False

    @property
    def status(self) -> str:
        if self.accepted is None:
            return "filtered"
        return "duplicate" if self.accepted.duplicate else "queued"

    def told(self) -> dict[str, object]:
        """What the sender is answered about it."""
        about = self.arrival.event or {}
        found = {
            "source": about.get("source"),
            "id": about.get("id"),
            "run_id": str(self.accepted.run_id) if self.accepted else None,
            "status": self.status,
            "duplicate": self.status == "duplicate",
        }
        return found | {"filtered_by": self.filtered.by} if self.filtered else found

    def rejected(self) -> Rejected | None:
        """What is recorded of it when it did not become a run."""
        if self.filtered is not None:
            return self.arrival.rejected(Reason.FILTERED, 200, self.filtered.detail)
        if self.accepted is not None and self.accepted.duplicate:
            first = self.accepted.run_id
            return self.arrival.rejected(Reason.DUPLICATE, 200, first_run_id=first)
        return None


def accept_all(arrival: Arrival, store: Store, became: Became) -> Answer:
    """A run for each event that is new and wanted, in one transaction.

    202 when there is a new run, else 200; the answer tells about each event in the
    order of the batch. Nobody waits for the answers of these runs. `store` accepts one
    event, `became` tells what one that is filtered became before. Raises TurnedAway for
    the whole batch, with the place of what is wrong.
    """
    members = [_Member(one) for one in _taken_apart(arrival)]
    for number, member in enumerate(members):
        _ask(member, f"[{number}]", became)
    repeat(lambda: _store(members, store))
    keep_all([row for member in members if (row := member.rejected())])
    return _answer(members)


def _ask(member: _Member, place: str, became: Became) -> None:
    """Whether the trigger wants it, and what it became before if not."""
    try:
        pass_through(WANTED, member.arrival)
    except Filtered as reason:
        member.settled = True
        member.accepted = became(member.arrival)
        if member.accepted is None:
            member.filtered = reason
        elif member.accepted.conflict:
            raise key_reused(member.accepted.run_id).at(place) from None


def _taken_apart(arrival: Arrival) -> list[Arrival]:
    try:
        refuse_heavy(arrival.body)
        texts = cloudevents.members(arrival.body)
        if len(texts) > MAX_EVENTS:
            raise TurnedAway(
                Reason.TOO_LARGE,
                413,
                Code.BODY_TOO_LARGE,
                f"The batch holds more than {MAX_EVENTS} events.",
            )
        arrival.gate = "rate"
        spend(arrival, max(len(texts), 1))
        arrival.gate = "well_formed"
        return [
            arrival.member(text, f"[{number}]") for number, text in enumerate(texts)
        ]
    except BadJSON as error:
        raise not_json(error) from None
    except BadEvent as error:
        raise bad_event(error) from None


def _store(members: Sequence[_Member], store: Store) -> None:
    """All of them or none. A large body stays in its row unless the database is the
    payload store: no other is asked while the transaction is open."""
    with write_transaction():
        for number, member in enumerate(members):
            if member.settled:
                continue
            try:
                member.accepted = store(member.arrival)
                if member.accepted.conflict:
                    raise key_reused(member.accepted.run_id)
            except TurnedAway as error:
                raise error.at(f"[{number}]") from None


def _answer(members: Sequence[_Member]) -> Answer:
    statuses = [member.status for member in members]
    known = ("queued", "duplicate", "filtered")
    status = next((name for name in known if name in statuses), "empty")
    body = {"status": status, "events": [member.told() for member in members]}
    return Answer(202 if status == "queued" else 200, jsonio.dumps(body).encode())
