"""Is a TCP port free, and if not, who holds it?"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

LISTEN = "0A"  # TCP_LISTEN as /proc/net/tcp writes it


def why_taken(host: str, port: int) -> str:
    """Why nobody else may listen there; empty when the port is free.

    granian sets SO_REUSEPORT, with which two servers would share a port in silence.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            return str(getattr(error, "strerror", None) or error)
    return ""


def free_port(preferred: int = 0, host: str = "127.0.0.1") -> int:
    """The preferred port when it is free, else one that the kernel chooses."""
    if preferred and not why_taken(host, preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def owner(port: int) -> str:
    """`pid 123: command line` of a listener of ours on this port, else empty."""
    inodes = {f"socket:[{inode}]" for inode in _listening(port)}
    if not inodes:
        return ""
    for folder in Path("/proc").glob("[0-9]*"):
        if _holds(folder, inodes):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
            return f"pid {folder.name}: {command.decode(errors='replace').strip()}"
    return ""


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen on this port (proc(5), /proc/net/tcp)."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _holds(folder: Path, inodes: set[str]) -> bool:
    """Has this process one of these sockets open? False when we may not look."""
    try:
        return any(str(link.readlink()) in inodes for link in (folder / "fd").iterdir())
    except OSError:
        return False
