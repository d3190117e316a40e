"""When a failed step is tried again: a pure function of the policy and the dice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a step is tried; times in seconds.

    `waits`, when given, is the list of waits itself and ends with the tries; `max` caps
    what is computed or asked for, never a wait that somebody wrote down.
    """

    max_attempts: int = 5
    backoff: str = "exponential"
    initial: float = 2.0
    max: float = 600.0
    jitter: float = 0.2
    waits: tuple[float, ...] = ()

    @classmethod
    def of(cls, *layers: Mapping[str, Any] | None) -> RetryPolicy:
        """The defaults overridden by each layer in turn; unknown keys are ignored."""
        merged: dict[str, Any] = {}
        for layer in layers:
            merged.update(layer or {})
        known = {name: merged[name] for name in cls.__slots__ if name in merged}
        if "waits" in known:
            known["waits"] = tuple(float(wait) for wait in known["waits"])
            known.setdefault("max_attempts", len(known["waits"]) + 1)
        return cls(**known)


def delay_after(
    policy: RetryPolicy,
    attempt: int,
    *,
    retry_after: float | None = None,
    dice: float = 0.5,
) -> float | None:
    """Seconds until the try after number `attempt`; None when tries are used up.

    `dice` in [0, 1] picks the place within the jitter. What the receiver asked for
    (`Retry-After`, RFC 9110 section 10.2.3) is a lower bound, capped like the rest.
    """
    if attempt >= policy.max_attempts:
        return None
    cap = max((policy.max, *policy.waits))
    delay = min(_planned(policy, attempt), cap)
    delay *= 1 + policy.jitter * (2 * dice - 1)
    if retry_after is not None:
        delay = max(delay, retry_after)
    return min(max(delay, 0.0), cap)


def _planned(policy: RetryPolicy, attempt: int) -> float:
    if policy.waits:
        return policy.waits[min(attempt, len(policy.waits)) - 1]
    if policy.backoff == "fixed":
        return policy.initial
    # 2 ** 64 seconds are beyond any cap; a larger exponent would only overflow.
    return policy.initial * float(2 ** min(attempt - 1, 64))
