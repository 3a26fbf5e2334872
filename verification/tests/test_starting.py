"""The check of refused starts, on what a host would tell: it passes where each is refused for its reason, and on nothing else."""

import copy
from typing import Any

import pytest

from verification import expectations
from verification.checks import starting
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

EXPECTED = expectations.load("lab", {"site_name": "casemate.test"})
STARTS: dict[str, dict[str, Any]] = {
    "everything": {"status": 0, "says": ""},
    **{
        name: {"status": 1, "says": f"Misconfigured: The database at db:3306 {reason} 'TLS/SSL error')."}
        for reasons in EXPECTED["refused_starts"].values()
        for name, reason in reasons.items()
    },
    **{
        f"without {name}": {"status": 1, "says": f"Misconfigured: The credential {name} is missing in /run/credentials/x."}
        for name in EXPECTED["credentials_of_the_service"]
    },
}


def failed(starts: dict[str, dict[str, Any]]) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = {"refused starts": starts}
    starting.test_a_start_with_something_missing_is_refused_and_says_what(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_a_host_that_refuses_each_for_its_reason_passes() -> None:
    assert failed(STARTS) == []


@pytest.mark.parametrize(
    ("name", "start", "seen"),
    [
        ("everything", {"status": 1, "says": "No space left on device"}, ["status of a start with everything"]),
        ("without keyring-keks", {"status": 0, "says": ""},
         ["status of a start, without keyring-keks", "it says why: without keyring-keks"]),
        ("without audit-keys", {"status": 1, "says": "FileNotFoundError"}, ["it says why: without audit-keys"]),
        (starting.DATABASE, {"status": 0, "says": ""},
         ["status of a start, a database of another authority", "it says why: a database of another authority"]),
    ],
)  # fmt: skip
def test_a_start_that_is_not_refused_is_seen(name: str, start: dict[str, Any], seen: list[str]) -> None:
    assert failed({**copy.deepcopy(STARTS), name: start}) == seen


def test_a_mistake_that_nobody_tried_is_seen() -> None:
    fewer = {name: start for name, start in STARTS.items() if name != "the database's socket"}
    assert failed(fewer) == ["starts that were tried"]


def test_a_credential_that_nobody_tried_to_leave_out_is_seen() -> None:
    fewer = {name: start for name, start in STARTS.items() if name != "without database-app.crt"}
    assert "starts that were tried" in failed(fewer)
