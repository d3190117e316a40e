"""What both kinds of storage promise."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.storage import Storage

from automate import env
from automate.lib import s3
from automate.lib.filestore import storage_setting
from automate.lib.filestore.new import NewFile
from tests.automate.lib.filestore.conftest import storage_of
from tests.runs.drains import together


def read(storage: Storage, name: str) -> bytes:
    with storage.open(name) as file:
        return bytes(file.read())


class TestBoth:
    def test_what_is_stored_is_read_byte_for_byte(self, storage: Storage) -> None:
        data = bytes(range(256)) * 5_000
        assert storage.save("a/b/größe 1.bin", NewFile(data)) == "a/b/größe 1.bin"
        assert read(storage, "a/b/größe 1.bin") == data
        assert storage.exists("a/b/größe 1.bin")
        assert storage.size("a/b/größe 1.bin") == len(data)

    def test_nothing_is_a_file_too(self, storage: Storage) -> None:
        storage.save("empty", NewFile(b""))
        assert read(storage, "empty") == b""

    def test_a_name_that_is_taken_is_refused_and_no_other_is_chosen(
        self, storage: Storage
    ) -> None:
        storage.save("a/x", NewFile(b"first"))
        with pytest.raises(FileExistsError):
            storage.save("a/x", NewFile(b"second"))
        assert read(storage, "a/x") == b"first"
        assert storage.listdir("a")[1] == ["x"]

    def test_overwriting_replaces(self, storage: Storage) -> None:
        for data in (b"a longer first one", b"second"):
            storage.save("x", NewFile(data, overwrite=True))
        assert read(storage, "x") == b"second"

    def test_of_many_at_once_one_is_stored(self, storage: Storage) -> None:
        def save(number: int) -> Any:
            try:
                return storage.save("x", NewFile(b"%d" % number))
            except FileExistsError:
                return None

        said = together(*(lambda n=n: save(n) for n in range(8)))
        assert [name for name in said if name] == ["x"]
        assert read(storage, "x") == b"%d" % said.index("x")

    @pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x"])
    def test_nothing_is_written_outside_of_its_place(
        self, name: str, storage: Storage
    ) -> None:
        with pytest.raises((SuspiciousOperation, OSError)):
            storage.save(name, NewFile(b"x"))

    def test_places_are_kept_apart(self, url: str, tmp_path: Path) -> None:
        storage_of(url).save("x", NewFile(b"x"))
        other = url.replace("/files", "/other").replace("?", "/below?")
        assert not storage_of(other).exists("x")


class TestFolders:
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return storage_of(f"file://{tmp_path}")

    def test_a_file_that_was_not_written_whole_does_not_appear(
        self, storage: Storage, tmp_path: Path
    ) -> None:
        class Broken(NewFile):
            def chunks(self, chunk_size: int | None = None) -> Any:
                yield b"half"
                raise OSError("the source broke")

        with pytest.raises(OSError, match="broke"):
            storage.save("a/x", Broken(b""))
        assert list((tmp_path / "a").iterdir()) == []

    @pytest.mark.parametrize("overwrite", [True, False])
    def test_nothing_else_is_left_behind(
        self, overwrite: bool, storage: Storage, tmp_path: Path
    ) -> None:
        storage.save("a/x", NewFile(b"x", overwrite=overwrite))
        (found,) = (tmp_path / "a").iterdir()
        assert stat.S_IMODE(found.stat().st_mode) == 0o644
        assert found.stat().st_nlink == 1

    def test_a_file_cannot_be_a_folder(self, storage: Storage) -> None:
        storage.save("a", NewFile(b"x"))
        with pytest.raises(NotADirectoryError):
            storage.save("a/b", NewFile(b"x"))
        with pytest.raises(NotADirectoryError):
            storage.save("a/b/c", NewFile(b"x"))

    def test_file_systems_without_links_do_too(
        self, storage: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise PermissionError(1, "no links here")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
        storage.save("x", NewFile(b"x"))
        with pytest.raises(FileExistsError):
            storage.save("x", NewFile(b"y"))
        assert read(storage, "x") == b"x"


class TestBuckets:
    def test_the_content_type_is_kept(self, bucket: str) -> None:
        storage: Any = storage_of(bucket)
        storage.save("t.bin", NewFile(b"x", content_type="text/csv", overwrite=True))
        place = s3.parse(bucket)
        found = s3.client(place).head_object(
            Bucket=place.name, Key=f"{place.prefix}t.bin"
        )
        assert found["ContentType"] == "text/csv"

    def test_two_storages_of_a_bucket_share_its_connections(self, bucket: str) -> None:
        first: Any = storage_of(bucket)
        second: Any = storage_of(bucket)
        assert first.connection is second.connection


class TestTheSetting:
    def test_without_a_url_it_is_the_usual_folder(self, tmp_path: Path) -> None:
        assert storage_setting("", tmp_path)["OPTIONS"] == {"location": str(tmp_path)}

    @pytest.mark.parametrize(
        "url",
        ["files", "file://", "file:///", "file://host/x", "ftp://x", "s3://", "s3:x"],
    )
    def test_what_is_no_place_is_told_with_its_setting(
        self, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AUTOMATE_FILES_URL", url)
        with pytest.raises(ImproperlyConfigured, match=r"^AUTOMATE_FILES_URL: "):
            env.files(tmp_path)

    def test_the_refusal_quotes_no_credentials(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AUTOMATE_FILES_URL", "s3://KEY:hunter22@b?endpoint=x")
        with pytest.raises(ImproperlyConfigured) as caught:
            env.files(tmp_path)
        assert "hunter22" not in str(caught.value)

    def test_what_a_bucket_needs_is_not_loaded_until_it_is_used(self) -> None:
        code = (
            "import os, sys, django; django.setup();"
            "from django.core.files.storage import storages;"
            "import workflows.actions.base as base; base.all_actions();"
            "print('boto3' in sys.modules);"
            "storages['default'].connection; print('boto3' in sys.modules)"
        )
        url = "s3://b?endpoint=http://127.0.0.1:9&region=eu"
        environment = {**os.environ, "AUTOMATE_FILES_URL": url}
        line = [sys.executable, "-c", code]
        loaded = subprocess.check_output(line, env=environment, text=True)
        assert loaded.split() == ["False", "True"], "before its use, and after it"
