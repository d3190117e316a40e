"""clients/python as a package of its own: installed by pip, used as its README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.makers import make_key, make_user

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.django_db(transaction=True),
]
PACKAGE = Path(settings.BASE_DIR) / "clients" / "python"


def test_it_is_installed_and_does_what_its_readme_says(
    url: str, at_work: None, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    leave = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(PACKAGE, source, ignore=leave)
    pip = "pip install --quiet --no-index --no-deps --no-build-isolation --target"
    line = [sys.executable, "-m", *pip.split(), str(target), str(source)]
    subprocess.run(line, check=True, timeout=180)
    assert (target / "automate_client" / "py.typed").exists()

    [example] = re.findall(
        r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL
    )
    key = make_key(make_user(is_superuser=True), "admin")
    told = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(target),
            "AUTOMATE_URL": url,
            "AUTOMATE_KEY": key,
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines() == ["{'total': 15}", "succeeded {'total': 42}"]
