"""What only one kind of store has to get right."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from automate.checks import payloads as payload_checks
from automate.lib import s3
from automate.lib.ids import uuid7
from automate.lib.payloads import (
    PayloadMissing,
    PayloadStoreAway,
    get_ring,
    parse,
)
from automate.lib.payloads.files import SIGN, FileStore
from automate.lib.payloads.s3 import S3Store
from tests.object_store import fresh
from tests.processes import HANGS
from tests.runs.drains import in_thread, together, until

# --- files --------------------------------------------------------------------------


def test_files_and_folders_are_their_owners_alone(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "payloads"
    reference = FileStore(root).put(b"x")

    name = reference.hex
    path = root / name[-2:] / name[-4:-2] / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (root, path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_write_leaves_nothing_but_its_file(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    for _ in range(5):
        store.put(b"x")

    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]

    assert len(names) == 6
    assert not [name for name in names if name.startswith(".")]


def test_an_empty_folder_where_a_store_was_is_a_lost_mount(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "mount")
    reference = store.put(b"x")
    (tmp_path / "mount").rename(tmp_path / "elsewhere")
    (tmp_path / "mount").mkdir()

    with pytest.raises(PayloadStoreAway):
        store.get(reference)

    (tmp_path / "mount" / SIGN).touch()
    with pytest.raises(PayloadMissing):
        store.get(reference)


def test_what_a_dead_writer_left_half_done_is_removed_in_time(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    reference = store.put(b"x")
    name = reference.hex
    left = tmp_path / name[-2:] / name[-4:-2] / f".{name}-half"
    left.write_bytes(b"hal")
    now = datetime.now(UTC)

    assert list(store.references(now + timedelta(minutes=30))) == [reference]
    assert left.exists()
    list(store.references(now + timedelta(hours=2)))
    assert not left.exists()


def test_strangers_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    reference = store.put(b"x")
    folder = tmp_path / "ab" / "cd"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README").write_text("not ours")

    later = datetime.now(UTC) + timedelta(minutes=1)
    assert list(store.references(later)) == [reference]
    assert (folder / "README").exists()


# --- S3 -----------------------------------------------------------------------------


def test_stores_in_one_bucket_do_not_see_each_other(bucket: str) -> None:
    one, other = parse(fresh(bucket)), parse(fresh(bucket))
    reference = one.put(b"x")

    assert list(other.references(datetime.now(UTC) + timedelta(minutes=1))) == []
    with pytest.raises(PayloadMissing):
        other.get(reference)


@pytest.mark.parametrize(
    "url",
    ["s3://a:b@no-such-bucket?{}", "s3://a:b@bucket?endpoint=http://127.0.0.1:9"],
    ids=["no bucket", "no server"],
)
def test_a_bucket_that_is_not_there_is_away_not_empty(bucket: str, url: str) -> None:
    store = parse(url.format(bucket.partition("?")[2]))

    with pytest.raises(PayloadStoreAway):
        store.get(uuid7())
    with pytest.raises(PayloadStoreAway):
        store.put(b"x")


class _Silent:
    """Accepts connections and never answers."""

    def __enter__(self) -> str:
        import socket

        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def test_a_hanging_bucket_holds_up_one_thread_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are told at once. Shown to fail when each of them tries."""
    monkeypatch.setattr(s3, "READ_TIMEOUT", 300.0)
    told: list[bool] = []

    def ask() -> None:
        with pytest.raises(PayloadStoreAway):
            store.get(uuid7())
        told.append(True)

    with _Silent() as endpoint:
        store = S3Store(s3.parse(f"s3://a:b@bucket?endpoint={endpoint}"))
        store._failing = True
        threads = [in_thread(ask) for _ in range(8)]
        until(lambda: len(told) == 7)
    for thread in threads:  # the last one's connection is cut by now
        thread.join(HANGS)

    s3.forget_clients()
    assert len(told) == 8


def test_a_store_that_is_back_is_used_at_once(bucket: str) -> None:
    store = parse(fresh(bucket))
    assert isinstance(store, S3Store)
    store._failing = True

    reference = store.put(b"x")

    assert store.get(reference) == b"x"
    together(*[lambda: store.get(reference)] * 6)


# --- the setting --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urls", "says"),
    [
        ([], "no store"),
        (["disk"], "known: database, files, memory, s3"),
        (["files://server/folder"], "files:///absolute/path"),
        (["files:///"], "files:///absolute/path"),
        (["s3://"], "s3://bucket"),
        (["database:x"], "takes no address"),
        (["memory:x"], "takes no address"),
    ],
)
def test_a_setting_that_cannot_be_meant_stops_the_start(
    settings: Settings, urls: list[str], says: str
) -> None:
    settings.PAYLOAD_STORES = urls

    (found,) = payload_checks()

    assert found.id == "automate.E012"
    assert says in found.msg
    with pytest.raises(ImproperlyConfigured):
        get_ring()


def test_memory_is_refused_by_the_checks(settings: Settings) -> None:
    settings.PAYLOAD_STORES = ["memory"]

    assert [item.id for item in payload_checks()] == ["automate.E013"]


def test_a_negative_limit_is_refused(settings: Settings) -> None:
    settings.INLINE_LIMIT = -1

    assert [item.id for item in payload_checks()] == ["automate.E014"]


def test_files_lie_in_the_var_folder_unless_told_otherwise(
    settings: Settings, tmp_path: Path
) -> None:
    settings.VAR_DIR = tmp_path
    settings.PAYLOAD_STORES = ["files"]

    get_ring().writer.put(b"x")

    assert (tmp_path / "payloads" / SIGN).exists()


def test_a_kind_that_the_setting_does_not_name_is_away(settings: Settings) -> None:
    settings.PAYLOAD_STORES = ["memory"]

    with pytest.raises(PayloadStoreAway, match="no store of the kind s3"):
        get_ring().get("s3", uuid7())


def test_of_two_stores_of_one_kind_each_is_asked(
    settings: Settings, tmp_path: Path
) -> None:
    old = FileStore(tmp_path / "old")
    reference = old.put(b"x")
    settings.PAYLOAD_STORES = [f"files://{tmp_path}/new", f"files://{tmp_path}/old"]
    new = get_ring().writer.put(b"y")

    assert get_ring().get("files", reference) == b"x"
    get_ring().rewrite("files", reference, b"z")
    assert old.get(reference) == b"z"
    get_ring().delete("files", [reference, new])
    with pytest.raises(PayloadMissing):
        get_ring().get("files", reference)


# --- kill -9 ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["files", "s3"])
def test_a_kill_between_put_and_commit_leaves_an_orphan_alone(
    kind: str, request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> None:
    from runs import maintenance
    from runs.models import PayloadUse

    url = f"files://{tmp_path}/payloads"
    if kind == "s3":
        url = fresh(request.getfixturevalue("bucket"))
    code = (
        "import os, signal, django; django.setup();"
        "from runs.services.bodies import put_aside; put_aside(b'x' * 100_000);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "AUTOMATE_PAYLOAD_STORE": url}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    settings.PAYLOAD_STORES = [url]
    now = datetime.now(UTC)

    assert ended.returncode == -signal.SIGKILL
    assert len(list(get_ring().writer.references(now + timedelta(days=2)))) == 1
    assert not PayloadUse.objects.exists()
    assert maintenance.purge(now=now)["orphaned_payloads"] == 0
    then = now + timedelta(days=1, minutes=1)
    assert maintenance.purge(now=then)["orphaned_payloads"] == 1
    assert list(get_ring().writer.references(now + timedelta(days=2))) == []
