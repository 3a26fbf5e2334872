"""X-07: a dry run that finds something, fails or writes is red."""

from typing import Any

import pytest

from verification import mending
from verification.checks import repeating
from verification.inventory import Inventory
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

GOOD: dict[str, Any] = {"would change": [], "failed": "", "files": 1300, "touched": []}


def states(seen: dict[str, Any]) -> set[State]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = {"a dry run": seen}
    repeating.test_a_dry_run_on_this_host_finds_nothing_to_change(host, see)
    repeating.test_and_leaves_every_file_as_it_was(host, see)
    return {observation.state for observation in see.observations}


def test_one_that_finds_nothing_and_writes_nothing_passes() -> None:
    assert states(GOOD) == {State.PASS}


@pytest.mark.parametrize(
    "change",
    [
        {"would change": ["Write the sites"]},
        {"failed": "fatal: [casemate]: UNREACHABLE!"},
        {"touched": ["/etc/nginx/nginx.conf"]},
        {"files": 3},
    ],
    ids=["finds something", "fails", "writes", "looks at hardly anything"],
)
def test_everything_else_is_red(change: dict[str, Any]) -> None:
    assert State.FAIL in states(GOOD | change)


def test_a_dry_run_is_ansibles_check_mode_and_a_converge_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    class Ran:
        returncode, stdout, stderr = 0, "TASK [Write]\nchanged: [stage]\n", ""

    def run(argv: list[str], **_options: Any) -> Ran:
        ran.append(argv)
        return Ran()

    monkeypatch.setattr("verification.mending.subprocess.run", run)
    inventory: Inventory = an_inventory()
    assert mending.converge(inventory, "stage", [], dry=True) == (["Write"], "")
    assert mending.converge(inventory, "stage", ["nginx"]) == (["Write"], "")
    assert [("--check" in argv) for argv in ran] == [True, False]
