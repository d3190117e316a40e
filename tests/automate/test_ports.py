"""Free ports, taken ports and who holds them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from automate import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_is_free() -> None:
    assert ports.why_taken("127.0.0.1", ports.free_port()) == ""


def test_a_port_held_with_reuseport_is_taken_all_the_same(taken: int) -> None:
    assert "in use" in ports.why_taken("127.0.0.1", taken)
    assert "in use" in ports.why_taken("0.0.0.0", taken)


def test_the_owner_is_named_by_pid_and_command(taken: int) -> None:
    owner = ports.owner(taken)

    assert owner.startswith(f"pid {os.getpid()}: ")
    assert "python" in owner


def test_nobody_owns_a_free_port() -> None:
    assert ports.owner(ports.free_port()) == ""


def test_the_preferred_port_is_chosen_when_it_is_free(taken: int) -> None:
    free = ports.free_port()

    assert ports.free_port(free) == free
    assert ports.free_port(taken) != taken


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("192.0.2.1", 8000)])
def test_an_impossible_address_has_a_reason(host: str, port: int) -> None:
    assert ports.why_taken(host, port)
