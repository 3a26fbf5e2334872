"""APP-021 on sources of its own: each line that makes a command or an object of a text is found, and nobody can hide one from lint."""

import shutil
from pathlib import Path

import pytest

from verification.checks import our_code
from verification.inventory import ROOT
from verification.witness import Witness
from verification.words import State

CHECKS = (
    our_code.test_no_code_of_ours_makes_a_command_or_an_object_of_a_text,
    our_code.test_lint_looks_at_each_of_them_and_reports_a_planted_one,
)


def red(repository: Path) -> list[str]:
    see = Witness()
    for check in CHECKS:
        check(repository, see)
    return [one.what for one in see.observations if one.state is State.FAIL]


def test_this_checkout_passes() -> None:
    assert red(ROOT) == []


@pytest.mark.parametrize("rule", our_code.PLANTED)
def test_each_planted_line_is_found_by_its_rule_whatever_lint_was_told(tmp_path: Path, rule: str) -> None:
    (tmp_path / "x.py").write_text(f"{our_code.IMPORTS}{our_code.PLANTED[rule]}  # noqa\n")
    assert our_code.findings(tmp_path, ["x.py"]) == [f"x.py: {rule}"]


def test_two_in_one_file_are_counted_and_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("eval(a)\neval(b)\n")
    (tmp_path / "y.py").write_text("def (\n")
    found = our_code.findings(tmp_path, ["x.py", "y.py"])
    assert found[0] == "x.py: S307, 2"
    assert found[1].startswith("y.py: ")


def test_programs_are_known_by_ending_and_by_first_line(tmp_path: Path) -> None:
    for name, text in {
        "a.py": "",
        "bin/run": "#!/usr/bin/env python3\n",
        "bin/shell": "#!/bin/bash\n# python\n",
        "notes.txt": "python\n",
        ".hidden/x.py": "",
        "dist/x.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(our_code.programs(tmp_path)) == ["a.py", "bin/run"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """What lint needs to know of this checkout, and few files."""
    for name in ("pyproject.toml", "app/pyproject.toml", "bin/lint", "app/casemate/vault/contents.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "verification/expected", tmp_path / "verification/expected")
    return tmp_path


FEW = ["programs and modules that were looked at", "what was found in them"]


def test_of_few_files_nothing_else_is_red(small: Path) -> None:
    assert red(small) == FEW


@pytest.mark.parametrize(
    ("where", "old", "new", "said"),
    [
        ("app/pyproject.toml", '"N818",  ', '"S301", "N818",  ', "planted as app/casemate/planted.py, and not reported"),
        ("pyproject.toml", '"S603",', '"S603", "S602",', "planted as bin/planted.py, and not reported"),
        ("pyproject.toml", '"verification/checks/**" = ["S101"]', '"verification/checks/**" = ["S1"]',
         "planted as verification/checks/planted.py, and not reported"),
        ("app/pyproject.toml", '"**/migrations/*" = ["E501"]', '"**/migrations/*" = ["S"]',
         "planted as app/casemate/vault/migrations/planted.py, and not reported"),
        ("pyproject.toml", 'extend-exclude = ["dist"', 'extend-exclude = ["app", "dist"', "programs that it does not look at"),
        ("bin/lint", "ruff check .", "ruff check . --extend-ignore S602", "how lint calls the linter"),
    ],
)  # fmt: skip
def test_who_makes_lint_look_away_is_seen(small: Path, where: str, old: str, new: str, said: str) -> None:
    path = small / where
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert said in red(small)


@pytest.mark.parametrize("probe", range(3))
def test_each_probe_is_seen(small: Path, probe: int) -> None:
    (small / "files/base/sbin").mkdir(parents=True)
    shutil.copy(ROOT / "files/base/sbin/casemate-ban", small / "files/base/sbin")
    breaks = (
        our_code.values_are_kept_as_objects_since_text_knows_no_dates,
        our_code.the_linter_is_told_to_look_away_for_an_import,
        our_code.a_program_leaves_the_list_of_what_lint_looks_at,
    )[probe]
    before = our_code.findings(small, our_code.programs(small))
    breaks(small)
    assert red(small) != FEW or our_code.findings(small, our_code.programs(small)) != before
