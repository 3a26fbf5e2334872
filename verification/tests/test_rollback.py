"""X-08: what a rollback would do is known, and is what it should be; what was kept for it is root's alone."""

import copy
from typing import Any

import pytest

from verification import expectations
from verification.checks import rollback
from verification.host import Facts
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import NotApplicable, State

EXPECTED = expectations.load("baseline", {})
WANTED = EXPECTED["rollback"]
GOOD: dict[str, Any] = {
    "refused": "",
    "rights": {"casemate-as-found": "root:root 0700", "bare.json": "root:root 0600", "found.json": "root:root 0600"},
    "plan": {
        "back": ["etc/ssh/sshd_config", "etc/bash.bashrc"],
        "away": [*WANTED["policy"], *(path for paths in WANTED["policy_of"].values() for path in paths)],
        "left to their makers": [],
        "never looked at": WANTED["never"],
        "stays": {
            "data": [*WANTED["data"], *(path for paths in WANTED["data_of"].values() for path in paths)],
            "accounts": {"people and services": [*WANTED["accounts"], "casemate"], "groups": []},
            "packages": [f"package-{number}" for number in range(30)],
        },
    },
}


def states(seen: dict[str, Any]) -> set[State]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"rollback": {"value": seen}})
    rollback.test_a_rollback_would_take_the_policy_back_and_leave_the_data(host, see, EXPECTED)
    rollback.test_what_was_kept_for_it_is_roots_alone(host, see, EXPECTED)
    return {observation.state for observation in see.observations}


def but(change: Any) -> dict[str, Any]:
    seen = copy.deepcopy(GOOD)
    change(seen)
    return seen


def test_a_rollback_of_all_that_is_ours_and_nothing_else_passes() -> None:
    assert states(GOOD) == {State.PASS}


def test_a_file_that_somebody_else_changed_too_may_stay() -> None:
    def theirs(seen: dict[str, Any]) -> None:
        seen["plan"]["away"].remove("etc/sudoers.d/60-casemate")
        seen["plan"]["left to their makers"].append("etc/sudoers.d/60-casemate")

    assert states(but(theirs)) == {State.PASS}


@pytest.mark.parametrize(
    "change",
    [
        lambda seen: seen["plan"]["away"].remove("etc/sudoers.d/60-casemate"),
        lambda seen: seen["plan"]["away"].append("etc/credstore.encrypted/kek-1"),
        lambda seen: seen["plan"].update({"never looked at": ["etc/passwd"]}),
        lambda seen: seen["plan"]["stays"]["data"].remove("/etc/credstore.encrypted"),
        lambda seen: seen["plan"]["stays"]["accounts"].clear(),
        lambda seen: seen["plan"]["stays"]["packages"].clear(),
        lambda seen: seen["rights"].update({"casemate-as-found": "root:root 0755"}),
        lambda seen: seen["rights"].update({"found.tar.gz": "root:root 0644"}),
        lambda seen: seen["rights"].clear(),
    ],
    ids=["of ours, forgotten", "a key", "what it looks at", "data", "accounts", "packages", "open folder", "open archive", "nothing kept"],
)
def test_what_is_forgotten_and_what_would_be_lost_is_red(change: Any) -> None:
    assert State.FAIL in states(but(change))


def test_one_that_would_be_refused_is_red() -> None:
    seen = {"refused": "found.tar.gz is not what was kept", "rights": GOOD["rights"]}
    assert State.FAIL in states(seen)


def test_it_is_not_asked_of_a_host_that_an_earlier_release_converged_first() -> None:
    with pytest.raises(NotApplicable, match="before it kept anything"):
        states({"never": "an earlier release had converged this host before it kept anything", "rights": {}})
