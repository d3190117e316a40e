"""A breaker: whether steps may call a connection's receiver, which may be dead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import models
from django.db.models import Q

from workflows.models.connection import Connection

WINDOW = 60  # seconds that count
SLOT = 5  # seconds counted together
LEAST = 10  # attempts, before it may open
SHARE = 0.7  # of them failed
FIRST_PAUSE = 30  # seconds until the first probe; then twice as long, and so on
LONGEST_PAUSE = 600

# So many attempts, and failures among them, in the slot that begins at this second.
Slot = tuple[int, int, int]


def slot_of(now: datetime) -> int:
    """The second at which the slot of this moment begins."""
    return int(now.timestamp()) // SLOT * SLOT


def recent(slots: Iterable[Slot], now: datetime) -> list[Slot]:
    """These slots added up by their seconds, without those that count no more."""
    found: dict[int, list[int]] = {}
    for second, attempts, failures in slots:
        if second > now.timestamp() - WINDOW:
            counts = found.setdefault(second, [0, 0])
            counts[0] += attempts
            counts[1] += failures
    return [(second, counts[0], counts[1]) for second, counts in sorted(found.items())]


class Breaker(models.Model):
    """The row of a connection that has had failures; without one it is closed.

    `closed`: steps go through, and `slots` counts them. `open`: none goes through
    before `probe_at`. `probing`: one step, of `probe_run` and `probe_node`, does; if
    nobody says by `probe_at` how it went, another may. `pause` is the time to the next
    probe. `wake_after` is set while steps that were held back are being told that it is
    closed: the last job that knows.

    The methods decide on a row that the caller has locked, and write nothing.
    """

    class State(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        PROBING = "probing"

    # Not a constraint: a failure that comes after its connection was deleted must not
    # fail the transaction that other runs share.
    connection = models.OneToOneField(
        Connection,
        models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="breaker",
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.CLOSED)
    slots = models.JSONField(default=list)
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True)
    pause = models.PositiveIntegerField(default=FIRST_PAUSE)
    probe_run = models.UUIDField(null=True)
    probe_node = models.CharField(max_length=100, blank=True, default="")
    last_error = models.TextField(blank=True, default="")
    last_error_at = models.DateTimeField(null=True)
    wake_after = models.BigIntegerField(null=True)

    class Meta:
        default_permissions = ()  # the engine's row; people only close it
        permissions = (("close_breaker", "Can close the breaker of a connection"),)
        constraints = (
            models.CheckConstraint(
                name="breaker_state_whole",
                condition=Q(state="closed", opened_at=None, probe_at=None)
                | Q(
                    state__in=["open", "probing"],
                    opened_at__isnull=False,
                    probe_at__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="breaker_probe_known",
                condition=Q(state="probing", probe_run__isnull=False)
                | Q(state__in=["closed", "open"], probe_run=None),
            ),
        )

    def __str__(self) -> str:
        return f"breaker of {self.connection_id}"

    @property
    def is_closed(self) -> bool:
        """Whether steps go through."""
        return self.state == self.State.CLOSED

    def is_probe(self, run_id: UUID, node_id: str) -> bool:
        """Whether this step of this run is the one that goes through."""
        return (self.probe_run, self.probe_node) == (run_id, node_id)

    def totals(self) -> tuple[int, int]:
        """Attempts and failures that it has counted."""
        return sum(slot[1] for slot in self.slots), sum(slot[2] for slot in self.slots)

    def failed(self, error: str, now: datetime) -> None:
        """Keep what went wrong last; it is redacted already."""
        self.last_error, self.last_error_at = error[:500], now

    def count(self, slots: Iterable[Slot], now: datetime) -> bool:
        """How attempts went that were no probes; True when that opens it."""
        if not self.is_closed:
            return False
        self.slots = recent([*map(tuple, self.slots), *slots], now)
        attempts, failures = self.totals()
        if attempts < LEAST or failures < SHARE * attempts:
            return False
        self._open(now, now, FIRST_PAUSE)
        return True

    def take_probe(
        self, run_id: UUID, node_id: str, now: datetime, lease: timedelta
    ) -> bool:
        """Let this step through, if it is the moment and nobody else goes."""
        if self.is_closed or self.probe_at is None or self.opened_at is None:
            return False
        again = self.is_probe(run_id, node_id)  # its worker vanished, or it had to wait
        if not again and self.probe_at > now:
            return False
        self.state, self.probe_at = self.State.PROBING, now + lease
        self.probe_run, self.probe_node = run_id, node_id
        return True

    def probed(self, now: datetime, *, good: bool | None) -> None:
        """How the probe went; None: it was not made, the next may be at once."""
        if good:
            self.close()
            return
        opened_at = self.opened_at or now
        pause = min(self.pause * 2, LONGEST_PAUSE) if good is False else 0
        self._open(opened_at, now, pause)

    def close(self) -> None:
        """Steps go through again, and count from nothing."""
        self.state, self.slots = self.State.CLOSED, []
        self.opened_at = self.probe_at = self.probe_run = None
        self.probe_node, self.pause, self.wake_after = "", FIRST_PAUSE, 0

    def _open(self, opened_at: datetime, now: datetime, pause: int) -> None:
        self.state, self.opened_at = self.State.OPEN, opened_at
        self.probe_run, self.probe_node = None, ""
        self.pause = pause or self.pause
        self.probe_at = now + timedelta(seconds=pause)
