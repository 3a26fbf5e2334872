"""APP-029 on what a host would tell: what was tested passes, each other thing is seen; and the numbers agree with the lock."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from verification.checks import versions as checks
from verification.inventory import ROOT
from verification.remote import release
from verification.tests.test_shape import EXPECTED, failed

TOLD = checks.test_the_command_for_versions_prints_what_runs_and_it_is_what_was_tested
LOADED = checks.test_the_service_runs_from_the_release_that_is_asked
SAID = "Django 6.1.3\nPython 3.13.5\ngunicorn 27.0.1\nMariaDB 11.8.3-MariaDB-0+deb13u1 from Debian"
GOOD: dict[str, Any] = {
    "versions_told": {"status": 0, "said": SAID},
    "release": {"packages": ["asgiref 3.13.0", "django 6.1.3", "gunicorn 27.0.1"], "folder": "1.2"},
    "database_variables": {"version": "11.8.3-MariaDB-0+deb13u1 from Debian"},
    "release_loaded": {"releases": ["1.2"], "programs": ["/usr/bin/python3.13"]},
}


def test_what_is_right_passes() -> None:
    assert failed(TOLD, GOOD) == []
    assert failed(LOADED, GOOD) == []


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("versions_told", "status", 1),
        ("versions_told", "said", SAID.replace("Django 6.1.3", "Django 5.2.8")),
        ("versions_told", "said", SAID.replace("Django 6.1.3", "Django 6.1.2")),
        ("versions_told", "said", SAID.replace("Python 3.13.5", "Python 3.12.1")),
        ("versions_told", "said", SAID.replace("gunicorn 27.0.1\n", "")),
        ("versions_told", "said", SAID.replace("MariaDB 11.8.3", "MariaDB 11.8.4")),
        ("versions_told", "said", ""),
        ("release", "packages", ["asgiref 3.13.0", "django 6.1.3"]),
        ("database_variables", "version", "12.3.2-MariaDB"),
    ],
)
def test_another_version_is_seen(section: str, name: str, value: Any) -> None:
    facts = copy.deepcopy(GOOD)
    facts[section][name] = value
    assert failed(TOLD, facts)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("releases", ["1.1"]),
        ("releases", ["1.1", "1.2"]),
        ("releases", ["1.2 (gone since)"]),
        ("releases", []),
        ("programs", ["/usr/bin/python3.14"]),
    ],
)
def test_a_service_of_another_release_is_seen(name: str, value: list[str]) -> None:
    facts = copy.deepcopy(GOOD)
    facts["release_loaded"][name] = value
    assert failed(LOADED, facts)


def test_what_was_tested_is_what_the_lock_names_and_the_application_says() -> None:
    lock = dict(re.findall(r"^(\w+)==(\S+)", (ROOT / "app/requirements/runtime.in").read_text(), re.MULTILINE))
    for product in ("Django", "gunicorn"):
        assert checks.series(lock[product]) == EXPECTED["tested"][product]
    own = (ROOT / "app/casemate/security/versions.py").read_text()
    told = re.search(r"^TESTED = \{(.*)\}$", own, re.MULTILINE)
    assert told
    assert dict(re.findall(r'"(\w+)": "([\d.]+)"', told[1])) == EXPECTED["tested"]
    assert EXPECTED["tested"]["MariaDB"] == EXPECTED["database"]["series"]


def test_what_processes_have_loaded_is_read_from_their_maps() -> None:
    maps = (
        "7f00-7f01 r-xp 00000000 08:01 42    /opt/casemate/releases/1.2/venv/lib/python3.13/site-packages/_x.so\n"
        "7f02-7f03 r-xp 00000000 08:01 43    /usr/lib/x86_64-linux-gnu/libc.so.6\n"
        "7f04-7f05 r-xp 00000000 08:01 44    /opt/casemate/releases/1.1/venv/lib/python3.13/site-packages/_y.so (deleted)\n"
    )
    assert release.LOADED.findall(maps) == [("1.2", ""), ("1.1", " (deleted)")]
    assert release.PROCESSES.is_relative_to(Path("/sys/fs/cgroup"))
