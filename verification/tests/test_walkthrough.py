"""docs/write-a-control.md, walked as it stands: its example goes into a copy of the checkout step by step, and its commands run there.

What needs a host (`casemate verify`, `make probe`) is not run here: the facts are the page's own, and the probe meets a host that is a
folder. That a real host turns red and is mended, only `make probe` shows.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from verification import cli, register
from verification.breaking import edit
from verification.copies import Copy, a_copy
from verification.inventory import ROOT

PAGE = (ROOT / "docs" / "write-a-control.md").read_text()
(ENTRY,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
LOOKS = r"""re.findall(r'<html lang="(\w+)"', body)"""
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
ID = "UI-014"
IMPORTS = """
from verification.checks import web
from verification.host import Facts
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State
"""
DOUBT = """
from verification import marks
from verification.checks import web
from verification.doubt import doubt
from verification.host import Facts
from verification.rehearsal import Stage, an_inventory

stage = Stage(an_inventory())
answer = {"status": 200, "headers": [], "body": '<!doctype html><html lang="en">'}
stage.hosts[0].outside = Facts({"answers": {"value": dict.fromkeys(web.KINDS, answer)}})
found = doubt(marks.load().checks["UI-014"][0], stage, stage.hosts[0])
print(found.turned_red, found.never_red, found.not_seen)
"""
BREAK = """
from pathlib import Path
from verification import marks
from verification.breaking import edit
from verification.ssh import Ran

class Folder:
    def sudo(self, command): return Ran(0, "app/casemate/templates/base.html", "")
    def replace(self, path, old, new): edit(Path(path), old, new)

marks.load().probes["UI-014"][0].function(Folder())
"""


@pytest.fixture(scope="module")
def copy() -> Iterator[Copy]:
    with a_copy() as copy:
        yield copy


def run(copy: Copy, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "COLUMNS": "200", "HOME": str(copy.root)}
    argv = [sys.executable, "-E", "-s", "-B", *arguments]
    return subprocess.run(argv, cwd=copy.root, env=environment, capture_output=True, text=True, check=False)


def block(start: str) -> str:
    (found,) = [text for text in BLOCKS if text.startswith(start)]
    return str(found)


def explained(copy: Copy) -> str:
    return " ".join(run(copy, "-m", "verification.cli", "explain", ID).stdout.split())


def judged(copy: Copy, *arguments: str) -> tuple[int, str]:
    ran = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)
    return ran.returncode, ran.stdout


def test_the_number_of_the_example_is_free() -> None:
    assert ID not in register.load(), f"{ID} stands: the page needs another example"


def test_its_steps_lead_from_a_new_entry_to_a_control_that_can_fail(copy: Copy) -> None:
    whole = ("verification/tests/test_register.py", "verification/tests/test_batches.py", "-k", "sound or says_why or spoils or order")
    entries, module = copy.root / "controls" / "ui.yml", copy.root / "verification" / "checks" / "web.py"
    entries.write_text(entries.read_text() + ENTRY)
    assert "nothing is claimed of it yet" in explained(copy)

    edit(entries, ENTRY, ENTRY.replace("status: planned", "status: implemented"))
    status, said = judged(copy, *whole)
    assert (status, f"['{ID}'] == []" in said) == (1, True), "implemented before its check stands: named"

    module.write_text(f"{module.read_text()}\n\n{block('@control')}")
    assert "checked every page says in which language it is" in explained(copy)
    assert "no probe yet" in explained(copy)
    status, said = judged(copy, *whole)
    assert (status, f"['{ID}'] == []" in said) == (1, True), "a check that nothing has seen red: named"

    module.write_text(f"{module.read_text()}\n\n{block(f'@probe({chr(34)}{ID}')}")
    assert "broken by somebody copies the first lines of an old page (make probe ID=UI-014)" in explained(copy)
    assert judged(copy, *whole)[0] == 0

    (copy.root / "verification" / "tests" / "test_ui_014.py").write_text(IMPORTS + block("def states("))
    assert judged(copy, "verification/tests/test_ui_014.py")[0] == 0
    edit(module, LOOKS, '["en"]')
    assert judged(copy, "verification/tests/test_ui_014.py")[0] == 1, "its test sees a check that looks at nothing"
    edit(module, 'kind}", ["en"]', f'kind}}", {LOOKS}')

    assert run(copy, "-c", DOUBT).stdout == "3 () \n", "one observation of three answers, and each can fail"
    assert run(copy, "-c", BREAK).returncode == 0
    assert "lang=" not in (copy.root / "app" / "casemate" / "templates" / "base.html").read_text(), "the probe finds its line"

    (copy.root / "docs" / "controls.md").write_text(run(copy, "-m", "verification.cli", "controls", "--markdown").stdout)
    assert judged(copy, "verification/tests/test_documents.py", "-k", "page_of_the_controls")[0] == 0


def test_the_example_of_a_probe_of_the_repository_is_the_one_that_runs() -> None:
    assert block('@probe("X-05")') in (ROOT / "verification" / "checks" / "verifier.py").read_text()


@pytest.mark.parametrize("command", sorted({*re.findall(r"`(casemate [^`>]+?)(?: >[^`]*)?`", PAGE)}))
def test_a_command_that_the_page_names_is_one(command: str) -> None:
    cli._parser().parse_args(command.split()[1:])


@pytest.mark.parametrize("target", sorted({*re.findall(r"`make ([a-z-]+)", PAGE)}))
def test_a_target_that_the_page_names_is_one(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
