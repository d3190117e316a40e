from __future__ import annotations

import base64
import itertools
import os
import threading
import time
from uuid import RFC_4122, UUID

import pytest

from automate.lib import ids


def milliseconds(value: UUID) -> int:
    return value.int >> 80


def test_a_uuid7_has_the_version_the_variant_and_the_time_of_rfc_9562() -> None:
    before = time.time_ns() // 1_000_000
    value = ids.uuid7()
    after = time.time_ns() // 1_000_000
    assert value.version == 7
    assert value.variant == RFC_4122
    assert before <= milliseconds(value) <= after + 1


def test_uuid7s_of_a_process_rise() -> None:
    values = [ids.uuid7() for _ in range(20_000)]
    assert all(a < b for a, b in itertools.pairwise(values))
    texts = [str(value) for value in values]
    assert texts == sorted(texts)


def test_uuid7s_rise_although_the_clock_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ids, "_generate", ids._Generator())
    times = iter([5_000_000_000, 4_000_000_000, 1_000_000_000])
    monkeypatch.setattr(time, "time_ns", lambda: next(times))
    values = [ids.uuid7() for _ in range(3)]
    assert values == sorted(values)
    assert len(set(values)) == 3
    assert {milliseconds(value) for value in values} == {5000}


def test_a_millisecond_that_ran_out_of_numbers_borrows_from_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = ids._Generator()
    monkeypatch.setattr(ids, "_generate", generator)
    monkeypatch.setattr(time, "time_ns", lambda: 5_000_000_000)
    first = ids.uuid7()
    generator._counter = (1 << 42) - 1
    second = ids.uuid7()
    assert first < second
    assert milliseconds(second) == 5001
    assert second.version == 7
    assert second.variant == RFC_4122


def test_uuid7s_of_threads_differ() -> None:
    found: list[UUID] = []
    rows: list[list[UUID]] = []

    def make() -> None:
        mine = [ids.uuid7() for _ in range(2_000)]
        rows.append(mine)
        found.extend(mine)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 16_000
    assert all(row == sorted(row) for row in rows)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_goes_on_with_numbers_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ids, "_generate", ids._Generator())
    ids.uuid7()
    reader, writer = os.pipe()
    # Held across the fork, as another thread would hold it.
    with ids._generate._lock:
        child = os.fork()
        if child == 0:
            os.write(writer, ids.uuid7().bytes)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        theirs = UUID(bytes=file.read())
    os.waitpid(child, 0)
    mine = ids.uuid7()
    counter = (1 << 76) - 1
    assert theirs.int & counter != mine.int & counter
    assert theirs.version == 7


def test_a_key_is_url_safe_and_as_long_as_asked() -> None:
    keys = {ids.new_key() for _ in range(500)}
    assert len(keys) == 500
    for key in keys:
        assert key[0].isalnum()
        assert len(base64.urlsafe_b64decode(key + "==")) == 16
        assert key.replace("-", "").replace("_", "").isalnum()
    assert len(base64.urlsafe_b64decode(ids.new_key(256) + "=")) == 32


def test_a_key_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        ids.new_key(32)


def test_a_secret_is_24_bytes_in_the_form_of_standard_webhooks() -> None:
    secret = ids.new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 24
    assert ids.new_secret() != secret
