"""What every payload store promises, over all four of them."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest

from automate.lib.ids import uuid7
from automate.lib.payloads import (
    PayloadMissing,
    PayloadStore,
    get_ring,
    made_at,
)
from tests.runs.drains import together
from tests.runs.stores import KINDS

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("store", KINDS, indirect=True),
]


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=2)


def test_what_was_put_is_got_back(store: PayloadStore) -> None:
    first, second = store.put(b"one"), store.put(b"\x00\xfftwo")

    assert first != second
    assert store.get(first) == b"one"
    assert store.get(second) == b"\x00\xfftwo"


def test_nothing_is_a_payload_too(store: PayloadStore) -> None:
    assert store.get(store.put(b"")) == b""


def test_what_was_never_put_is_missing(store: PayloadStore) -> None:
    store.put(b"another")
    reference = uuid7()

    with pytest.raises(PayloadMissing, match=str(reference)):
        store.get(reference)


def test_what_was_deleted_is_missing_and_the_others_stay(store: PayloadStore) -> None:
    gone, also, stays = store.put(b"1"), store.put(b"2"), store.put(b"3")

    store.delete([gone, also])

    for item in (gone, also):
        with pytest.raises(PayloadMissing):
            store.get(item)
    assert store.get(stays) == b"3"


def test_deleting_what_is_not_there_is_no_error(store: PayloadStore) -> None:
    store.delete([uuid7()])
    store.delete([])
    gone, stays = store.put(b"1"), store.put(b"2")
    store.delete([gone, uuid7()])
    store.delete([gone])

    assert list(store.references(soon())) == [stays]
    assert store.get(stays) == b"2"


def test_writing_again_takes_the_place_of_what_was_there(store: PayloadStore) -> None:
    reference = store.put(b"under the old key" * 100)

    store.write(reference, b"new")

    assert store.get(reference) == b"new"
    assert list(store.references(soon())) == [reference]


def test_many_are_got_together_each_with_its_fate(store: PayloadStore) -> None:
    there = [store.put(str(number).encode()) for number in range(20)]
    missing = uuid7()

    found = store.get_many([*there, missing])

    assert [found[item] for item in there] == [b"%d" % n for n in range(20)]
    assert isinstance(found[missing], PayloadMissing)


def test_a_payload_of_25_mib_comes_back_whole(store: PayloadStore) -> None:
    data = os.urandom(25 * 1024 * 1024)

    found = store.get(store.put(data))

    assert hashlib.sha256(found).digest() == hashlib.sha256(data).digest()


def test_references_are_those_put_before_a_moment(store: PayloadStore) -> None:
    old = store.put(b"old")
    new = store.put(b"new")
    while made_at(new) == made_at(old):  # the clock of references has milliseconds
        store.delete([new])
        new = store.put(b"new")
    between = made_at(new)

    assert list(store.references(between)) == [old]
    assert len(list(store.references(soon()))) == 2
    assert list(store.references(made_at(old))) == []


def test_references_of_an_empty_store_are_none(store: PayloadStore) -> None:
    assert list(store.references(soon())) == []


@pytest.mark.slow
def test_more_than_a_page_is_listed_and_deleted(store: PayloadStore) -> None:
    number = 1_050 if store.kind != "s3" else 1_001
    there = {store.put(b"x") for _ in range(number)}

    assert set(store.references(soon())) == there
    store.delete(there)
    assert list(store.references(soon())) == []


def test_threads_do_not_disturb_each_other(store: PayloadStore) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            data = f"{number}-{turn}".encode() * 500
            reference = store.put(data)
            assert store.get(reference) == data
            store.delete([reference])

    together(*(lambda number=number: work(number) for number in range(6)))

    assert list(store.references(soon())) == []


def test_a_payload_is_never_seen_half(store: PayloadStore) -> None:
    whole = {bytes([65 + number]) * 200_000 for number in range(3)}
    reference = store.put(next(iter(whole)))

    def write() -> None:
        for data in whole:
            store.write(reference, data)

    def read() -> None:
        for _ in range(20):
            assert store.get(reference) in whole

    together(write, read, read)


def test_the_ring_writes_to_the_first_store(store: PayloadStore) -> None:
    assert get_ring().writer.kind == store.kind
    reference = store.put(b"x")
    assert get_ring().get(store.kind, reference) == b"x"
