"""A campaign's progress as a bar: parts of a hundred, drawn without script."""

from __future__ import annotations

from dataclasses import dataclass

from runs.services.campaigns import Progress


@dataclass(frozen=True, slots=True)
class Part:
    """One colour of the bar: how many runs, from where on, and how wide."""

    kind: str
    label: str
    count: int
    x: str
    width: str


def bar_of(done: Progress) -> list[Part]:
    """What became of a campaign's runs, from left to right; all of it is its total."""
    counts = (
        ("succeeded", "succeeded", done.ended - done.failed),
        ("failed", "failed", done.failed),
        ("running", "under way", done.redriven - done.ended),
        ("refused", "refused", done.refused),
        ("left", "left", done.left),
    )
    whole = max(done.total, sum(count for _, _, count in counts), 1)
    parts, before = [], 0
    for kind, label, count in counts:
        at, wide = 100 * before / whole, 100 * count / whole
        parts.append(Part(kind, label, count, f"{at:.3f}", f"{wide:.3f}"))
        before += count
    return parts
