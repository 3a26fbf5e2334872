"""DB-012 on sources of its own: a call that takes SQL is found however it is written, and lint cannot be quieted unseen."""

import shutil
from pathlib import Path

import pytest

from verification.checks import queries
from verification.inventory import ROOT
from verification.witness import Witness
from verification.words import State

CHECKS = (queries.test_each_call_that_takes_sql_is_one_that_was_read, queries.test_lint_refuses_sql_that_is_put_together)
CALLS = {
    'cursor.execute("SELECT 1")': ['cursor.execute("SELECT 1")'],
    "cursor.execute(\n    f'SELECT {column} FROM t WHERE id = %s',\n    [key(row)],\n)\n": [
        "cursor.execute( f'SELECT {column} FROM t WHERE id = %s', [key(row)], )"
    ],
    "Event.objects.raw(text)": ["Event.objects.raw(text)"],
    "rows.extra(where=[text])": ["rows.extra(where=[text])"],
    "rows.annotate(n=RawSQL(text, ()))": ["RawSQL(text, ())"],
    "migrations.RunSQL(text)": ["migrations.RunSQL(text)"],
    "def f[V: int](v: V) -> V: return connection.cursor().callproc(v)": [".callproc(v)"],
    "connection.execute_wrapper(guard); log.info('x', extra={'a': 1}); raw(1)": [],
}


def red(repository: Path) -> list[str]:
    see = Witness()
    for check in CHECKS:
        check(repository, see)
    return [one.what for one in see.observations if one.state is State.FAIL]


@pytest.mark.parametrize("source", CALLS)
def test_a_call_that_takes_sql_is_found_whole(source: str) -> None:
    assert list(queries.calls(source)) == CALLS[source]


def test_this_checkout_passes() -> None:
    assert red(ROOT) == []


@pytest.mark.parametrize(
    ("where", "old", "new", "said"),
    [
        ("app/casemate/health.py", '"SELECT 1"', 'f"SELECT {1}"', "calls that take SQL"),
        ("app/pyproject.toml", '"RUF", "S", "SIM"', '"RUF", "S1", "SIM"', "rules of app/pyproject.toml that are on"),
        ("app/pyproject.toml", '"**/migrations/*" = ["E501"]', '"**/migrations/*" = ["S6"]', "files that app/pyproject.toml leaves out"),
        ("pyproject.toml", '"S603",', '"S603", "S608",', "rules of pyproject.toml that are on"),
        ("bin/lint", "ruff check .", "ruff check . --extend-ignore S608", "how lint calls the linter"),
        ("app/casemate/health.py", "import", "# noqa" + ": B008, S608\nimport", "files with lines that are left out, and how many"),
    ],
)
def test_what_makes_it_red(tmp_path: Path, where: str, old: str, new: str, said: str) -> None:
    for name in ("app", "bin", "files/backup", "molecule/default/tests", "verification/expected"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / where
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert red(tmp_path) == [said]
