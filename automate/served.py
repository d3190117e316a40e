"""Where `manage.py up` serves here, for the commands of another terminal."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

NAME = "served-at"


def remember(folder: Path, url: str, networks: Iterable[object] = ()) -> None:
    """Write down the address, and the networks that steps may call there.

    It stays after a stop, until the next start.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / NAME).write_text(f"{url}\n{' '.join(map(str, networks))}\n")


def address(folder: Path) -> str:
    """The address last served at; empty where `up` never ran, or wrote no address."""
    url = _lines(folder)[0].strip()
    return url if urlsplit(url).hostname else ""


def networks(folder: Path) -> list[IPv4Network | IPv6Network]:
    """The networks that steps may call there, for warnings alone; else none."""
    try:
        return [ip_network(text) for text in _lines(folder)[1].split()]
    except ValueError:
        return []


def _lines(folder: Path) -> list[str]:
    try:
        text = (folder / NAME).read_text()
    except OSError:
        text = ""
    return [*text.splitlines(), "", ""]
