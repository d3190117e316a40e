"""Files that a command is given, and what it tells of them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


def files_of(names: Collection[str], suffixes: Collection[str]) -> list[str]:
    """The names, a folder as its files of these suffixes, sorted.

    A folder without any stays, for `read` to refuse.
    """
    found: list[str] = []
    for name in names:
        inner = _inside(Path(name), suffixes) if Path(name).is_dir() else []
        found += inner or [name]
    return found


def _inside(folder: Path, suffixes: Collection[str]) -> list[str]:
    paths = sorted(folder.iterdir())
    return [
        str(path)
        for path in paths
        if path.suffix.lower() in suffixes and not path.is_dir()
    ]


def read(name: str, most: int) -> bytes:
    """The file's bytes (- is standard input), one more than `most`. Raises OSError."""
    if name == "-":
        return sys.stdin.buffer.read(most + 1)
    if Path(name).is_dir():
        raise OSError(errno.ENOENT, "no file to import is in this folder", name)
    with Path(name).open("rb") as opened:
        return opened.read(most + 1)


@contextmanager
def telling() -> Iterator[None]:
    """Output whose reader may go (`| head`): the rest is told to nobody, quietly."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is buffered still goes somewhere when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
