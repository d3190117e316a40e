"""The gates of the edge: each lets an event pass or says why not.

A gate takes the Arrival and raises TurnedAway or Filtered; it may note on it what it
found out. Their order is the edge's contract: size while reading, then whose it is,
then who sent it, and only then anything that tells about the trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from webhooks.arrival import Arrival
from webhooks.gates.body import encoding, fits, size, well_formed
from webhooks.gates.sender import challenge, known, signature
from webhooks.gates.trigger import active, method, rate, required_headers
from webhooks.gates.wanted import condition, event

Gate = Callable[[Arrival], None]

GATES: tuple[Gate, ...] = (
    size,
    encoding,
    known,
    signature,
    fits,
    challenge,
    method,
    active,
    rate,
    required_headers,
    well_formed,
)
# Those that each event of a batch passes by itself.
WANTED: tuple[Gate, ...] = (event, condition)


def pass_through(gates: Iterable[Gate], arrival: Arrival) -> None:
    """Let the event pass these gates; raises TurnedAway or Filtered."""
    for gate in gates:
        arrival.gate = gate.__name__
        gate(arrival)
