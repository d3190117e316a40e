"""axe-core's rules for access (WCAG), run in the page that the browser shows."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
# No preloading: axe would fetch style sheets and write them into the page, which the
# site's policy refuses, and the browser would complain of axe. No rule here needs it.
OPTIONS = {"resultTypes": ["violations"], "preload": False}
_axe = Axe()


def barriers(page: Page, *, scheme: str = "") -> list[str]:
    """What keeps people out, serious or critical: rule, element and what is wrong.

    `scheme` ("light", "dark"): in these colours instead of the tab's own.
    """
    if scheme:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        # Links come to their colour by and by.
        page.evaluate("document.getAnimations().forEach(each => each.finish())")
    found = _axe.run(page, options=OPTIONS).response
    return [
        line
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for line in _lines(violation)
    ]


def _lines(violation: dict[str, Any]) -> list[str]:
    return [
        f"{violation['id']} at {' '.join(map(str, node['target']))}: "
        f"{' '.join(str(node.get('failureSummary', '')).split())}"
        for node in violation["nodes"]
    ]
