"""No input becomes a command or an object: no code of ours has what would make it one, and lint reports whoever adds it."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from verification import expectations
from verification.breaking import edit
from verification.marks import control, probe
from verification.witness import Witness

# What each line would do, by the rule that reports it.
PLANTED = {
    "S102": "exec(text)",
    "S301": "pickle.loads(text)",
    "S302": "marshal.loads(text)",
    "S307": "eval(text)",
    "S506": "yaml.load(text, Loader=yaml.Loader)",
    "S602": "subprocess.run(text, shell=True)",
    "S604": "started(text, shell=True)",
    "S605": "os.system(text)",
}
IMPORTS = "import marshal\nimport os\nimport pickle\nimport subprocess\n\nimport yaml\n\n"
# One place for each set of rules that a folder may have of its own. Programs of a host have no ending.
PLACES = (
    *("app/casemate/planted.py", "app/casemate/vault/migrations/planted.py", "app/tests/planted.py", "verification/planted.py"),
    *("verification/checks/planted.py", "verification/tests/planted.py", "ansible/plugins/action/planted.py", "bin/planted.py"),
    *("files/backup/planted", "roles/mail/files/sbin/planted", "molecule/default/tests/planted.py", "bench/planted.py"),
)
NOT_OURS = frozenset({"dist", "evidence"})  # what was made here; of folders with a dot at the beginning nothing is ours
SHOW = f"ruff check --isolated --ignore-noqa --select {','.join(PLANTED)} FILES"


def linter(repository: Path, *arguments: str, text: str = "") -> str:
    """What ruff prints, run in the repository; it ends with 1 where it reports something."""
    own = Path(sys.executable).with_name("ruff")
    argv = [str(own) if own.exists() else "ruff", "check", "--no-cache", *arguments]
    ran = subprocess.run(argv, cwd=repository, input=text, capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode not in (0, 1):
        raise RuntimeError(f"ruff ended with {ran.returncode}: {ran.stderr.strip()[-300:]}")
    return ran.stdout


def programs(repository: Path) -> Iterator[str]:
    """Everything of ours that Python runs, by its ending or by its first line."""
    for top in sorted(repository.iterdir()):
        if top.name.startswith(".") or top.name in NOT_OURS:
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_symlink() or not path.is_file() or "__pycache__" in path.parts:
                continue
            if path.suffix == ".py" or is_program(path):
                yield str(path.relative_to(repository))


def is_program(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and b"python" in first


def reported(repository: Path, *arguments: str, text: str = "") -> list[tuple[str, str]]:
    """File and rule of each finding; a file that ruff cannot read is one."""
    found: list[dict[str, Any]] = json.loads(linter(repository, "--output-format", "json", *arguments, text=text))
    home = str(repository.resolve()) + "/"
    return [(str(Path(one["filename"])).removeprefix(home), one["code"] or "cannot be read") for one in found]


def findings(repository: Path, files: Iterable[str]) -> list[str]:
    """What these rules find, whatever anybody told lint to overlook: file, rule and how often."""
    only = ["--isolated", "--ignore-noqa", "--target-version", "py313", "--select", ",".join(PLANTED)]
    counts = Counter(f"{file}: {rule}" for file, rule in reported(repository, *only, *files))
    return sorted(f"{what}, {count}" if count > 1 else what for what, count in counts.items())


@control("APP-021")
def test_no_code_of_ours_makes_a_command_or_an_object_of_a_text(repository: Path, see: Witness) -> None:
    known = expectations.baseline(repository / "verification" / "expected" / "baseline")["own_code"]["findings"]
    files = list(programs(repository))
    see.at_least("programs and modules that were looked at", len(files), 450)
    see.exactly("what was found in them", set(findings(repository, files)), set(known), show=SHOW)
    see.exactly("what is known of them for no reason", sorted(what for what, reason in known.items() if not reason), [])


@control("APP-021")
def test_lint_looks_at_each_of_them_and_reports_a_planted_one(repository: Path, see: Witness) -> None:
    see.exactly("how lint calls the linter", re.findall(r"ruff check .*", (repository / "bin" / "lint").read_text()), ["ruff check ."])
    home = str(repository.resolve()) + "/"
    looked_at = {line.removeprefix(home) for line in linter(repository, "--show-files", ".").splitlines()}
    see.exactly("programs that it does not look at", sorted(set(programs(repository)) - looked_at), [], show="ruff check --show-files")
    text = IMPORTS + "\n".join(PLANTED.values()) + "\n"
    for place in PLACES:
        told = {rule for _file, rule in reported(repository, "--stdin-filename", place, "-", text=text)}
        unseen = {rule: line for rule, line in PLANTED.items() if rule not in told}
        see.exactly(f"planted as {place}, and not reported", unseen, {}, show=f"ruff check --stdin-filename {place} -")


@probe("APP-021")
def values_are_kept_as_objects_since_text_knows_no_dates(repository: Path) -> None:
    contents = repository / "app/casemate/vault/contents.py"
    edit(contents, "import json\n", "import json\nimport pickle\n")
    edit(contents, "json.loads(", "pickle.loads(")


@probe("APP-021")
def the_linter_is_told_to_look_away_for_an_import(repository: Path) -> None:
    edit(repository / "app/pyproject.toml", '"N818",  ', '"S301", "N818",  ')


@probe("APP-021")
def a_program_leaves_the_list_of_what_lint_looks_at(repository: Path) -> None:
    """It had findings on the day of a release."""
    edit(repository / "pyproject.toml", '    "files/base/sbin/casemate-ban",\n', "")
