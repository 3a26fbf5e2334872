"""TEN-012 on what a host would tell: ways that show ones own or fail pass, each that shows more is seen; and so is a guard that sleeps."""

import ast
import copy
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from verification import back_doors
from verification.checks import back_doors as checks
from verification.inventory import ROOT
from verification.tests.test_shape import EXPECTED, failed
from verification.witness import Witness
from verification.words import State

WAYS, GUARD = checks.test_each_way_to_a_row_shows_ones_own_or_fails, checks.test_sql_that_forgets_the_organisation_fails_any_test
SEEN: dict[str, Any] = {f"{model}.{manager}": dict(checks.BY_MANAGER) for model in checks.MODELS for manager in checks.MANAGERS}
SEEN["relations"] = checks.BY_RELATION


def red(seen: dict[str, Any]) -> list[str]:
    return failed(WAYS, {}, tried={"ways to rows of two organisations": seen})


def test_what_is_right_passes() -> None:
    assert red(SEEN) == []


@pytest.mark.parametrize(
    ("name", "way", "came"),
    [
        ("Folder.objects", "in_bulk()", ["foreign", "own"]),
        ("Password._base_manager", "all()", ["foreign", "of others", "own"]),
        ("Password._default_manager", "raw()", ["foreign", "own"]),
        ("PasswordRevision.objects", "count()", 2),
        ("PasswordRevision.objects", "exists() of a foreign one", True),
        ("Folder.objects", "in a thread of its own", 2),
        ("Folder.objects", "all()", []),
        ("relations", "the folder of a foreign password", "an id"),
        ("relations", "save() of a foreign password", None),
    ],
)
def test_a_way_that_shows_more_or_nothing_is_seen(name: str, way: str, came: Any) -> None:
    seen = copy.deepcopy(SEEN)
    seen[name][way] = came
    assert red(seen) == [f"what each way comes to, by {name}"]


def test_a_manager_more_and_one_that_was_not_tried_are_seen() -> None:
    assert red({**SEEN, "Draft.objects": checks.BY_MANAGER}) == ["managers that were tried"]
    assert len(red({name: ways for name, ways in SEEN.items() if name != "relations"})) == 2


def test_the_script_tries_what_the_check_expects() -> None:
    ast.parse(back_doors.SCRIPT)
    tried = re.findall(r'^        "([^"]+)": ', back_doors.SCRIPT, re.MULTILINE)
    assert sorted(tried) == sorted([*checks.BY_MANAGER, *checks.BY_RELATION])


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    for name in ("app/tests/tenant_sql.py", "app/tests/conftest.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def guarded(repository: Path) -> list[str]:
    see = Witness()
    GUARD(repository, see, EXPECTED)
    assert see.observations
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_the_guard_of_this_checkout_passes(tests: Path) -> None:
    assert guarded(tests) == guarded(ROOT) == []


@pytest.mark.parametrize(
    ("where", "old", "new"),
    [
        ("tenant_sql.py", '"vault_password", ', ""),
        ("tenant_sql.py", "(SELECT|INSERT|UPDATE|DELETE)", "(INSERT|UPDATE|DELETE)"),
        ("tenant_sql.py", ' and "organization_id" not in sql', ""),
        ("tenant_sql.py", "return bool(touches) and", "return False and"),
        ("conftest.py", "        if forgets_the_organization(sql):\n", "        if False:\n"),
        ("conftest.py", "@pytest.fixture(autouse=True)\ndef every_statement", "@pytest.fixture\ndef every_statement"),
    ],
)
def test_a_guard_that_sleeps_is_seen(tests: Path, where: str, old: str, new: str) -> None:
    path = tests / "app/tests" / where
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    assert guarded(tests)
