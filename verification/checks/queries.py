"""SQL that the application writes itself: each place was read, and lint refuses a statement that is put together from strings."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verification import expectations
from verification.breaking import edit
from verification.marks import control, probe
from verification.witness import Witness

# What takes SQL as text. The linter's rules know some of these by their arguments; here each call counts, whatever it is given.
TAKES_SQL = re.compile(r"(?:\b(?:RawSQL|RunSQL)|\.(?:raw|extra|execute|executemany|callproc))\(")
RULES = frozenset({"S608", "S610", "S611"})  # strings that become SQL, extra(), RawSQL
QUIET = re.compile(r"noqa: [A-Z0-9, ]*S6(?:08|10|11)\b")
NOT_LINTED = frozenset({"dist", "evidence"})  # what was made here; of folders with a dot at the beginning nothing is ours
SHOW = "grep -rnE '(raw|extra|execute|executemany|callproc|RawSQL|RunSQL)[(]' app/casemate"


def own_sql(repository: Path) -> dict[str, Any]:
    known: dict[str, Any] = expectations.baseline(repository / "verification" / "expected" / "baseline")["own_sql"]
    return known


@control("DB-012")
def test_each_call_that_takes_sql_is_one_that_was_read(repository: Path, see: Witness) -> None:
    package = repository / "app" / "casemate"
    found = {f"{path.relative_to(package)}: {call}" for path in sorted(package.rglob("*.py")) for call in calls(path.read_text())}
    known = own_sql(repository)["calls"]
    see.exactly("calls that take SQL", found, set(known), show=SHOW)
    see.exactly("calls that are known for no reason", sorted(call for call, reason in known.items() if not reason), [], show=SHOW)


@control("DB-012")
def test_lint_refuses_sql_that_is_put_together(repository: Path, see: Witness) -> None:
    known = own_sql(repository)
    see.exactly("how lint calls the linter", re.findall(r"ruff check .*", (repository / "bin" / "lint").read_text()), ["ruff check ."])
    for place in ("pyproject.toml", "app/pyproject.toml"):
        rules = tomllib.loads((repository / place).read_text())["tool"]["ruff"]["lint"]
        see.exactly(f"rules of {place} that are on", in_force(rules), RULES, show=f"grep -A 3 tool.ruff.lint {place}")
        left_out = {f"{place}: {files}" for files, codes in rules.get("per-file-ignores", {}).items() if silenced(codes)}
        wanted = {entry for entry in known["not_linted"] if entry.partition(": ")[0] == place}
        see.exactly(f"files that {place} leaves out", left_out, wanted, show=f"grep S6 {place}")
    quiet = {f"{path.relative_to(repository)}: {count}" for path, count in quiet_lines(repository)}
    see.exactly("files with lines that are left out, and how many", quiet, set(known["quiet_lines"]), show="git grep -n 'noqa.*S6'")
    reasons = {**known["not_linted"], **known["quiet_lines"]}
    see.exactly("what is left out for no reason", sorted(name for name, reason in reasons.items() if not reason), [])


def calls(source: str) -> Iterator[str]:
    """Each call that takes SQL, whole and on one line. By its text: the application's Python may be newer than the controller's."""
    for match in TAKES_SQL.finditer(source):
        depth, end = 1, match.end()
        while depth and end < len(source):
            depth += {"(": 1, ")": -1}.get(source[end], 0)
            end += 1
        begin = re.search(r"[\w.]*$", source[: match.end() - 1])
        yield " ".join(source[begin.start() if begin else match.start() : end].split())


def in_force(rules: dict[str, Any]) -> set[str]:
    """Which of the rules are selected, and neither ignored as a whole nor left out by a list that is added."""
    return {rule for rule in RULES if rule.startswith(tuple(rules["select"])) and rule not in silenced(rules.get("ignore", []))}


def silenced(codes: list[str]) -> set[str]:
    """The rules that these codes, or beginnings of codes, turn off."""
    return {rule for rule in RULES if rule.startswith(tuple(codes))}


def quiet_lines(repository: Path) -> Iterator[tuple[Path, int]]:
    """The files in which lint is told to look away, and on how many lines."""
    folders = [path for path in sorted(repository.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.name not in NOT_LINTED else ():
            if not path.is_file() or path.suffix in (".pyc", ".png", ".gz"):
                continue
            if count := len(QUIET.findall(path.read_text(errors="replace"))):
                yield path, count


@probe("DB-012")
def somebody_writes_the_search_of_the_audit_log_as_sql(repository: Path) -> None:
    """It was slow once, and a statement of one's own was quicker."""
    by_the_model = "events = Event.objects.filter(stream=stream)"
    by_hand = "events = Event.objects.raw(f\"SELECT * FROM event WHERE stream = '{stream}'\")"
    edit(repository / "app/casemate/audit/search.py", by_the_model, by_hand)


@probe("DB-012")
def the_linter_is_told_to_look_away(repository: Path) -> None:
    edit(repository / "app/pyproject.toml", '"N818",  ', '"S608", "N818",  ')
