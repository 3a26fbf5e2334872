"""The check of refused starts, on what a host would tell: it passes where each is refused for its reason, and on nothing else."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verification import expectations
from verification.checks import starting
from verification.host import Facts
from verification.remote import starting as remote
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


ANY = starting.test_a_start_with_something_missing_is_refused_and_says_what
WEAK, IN_USE = starting.test_no_start_succeeds_without_a_secret_or_with_a_weak_one, starting.test_each_value_in_use_is_the_credentials
SECRETS = ["audit-keys", "database-app-password", "django-secret-key", "keyring-keks", "limiter-app-password"]


def failed(starts: dict[str, dict[str, Any]], check: Callable[..., None] = ANY, in_use: dict[str, list[str]] | None = None) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = {"refused starts": starts}
    host.inside = Facts({"settings": {"value": {"credentials of secrets in use": in_use or {name: [name] for name in SECRETS}}}})
    check(host, see, EXPECTED)
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


def test_a_host_that_refuses_weak_secrets_and_falls_back_to_none_passes() -> None:
    assert failed(STARTS, WEAK) == []
    assert failed(STARTS, IN_USE) == []


@pytest.mark.parametrize("secret", SECRETS)
def test_each_secret_is_tried_in_a_weak_form(secret: str) -> None:
    assert any(f"The credential {secret} " in reason for reason in EXPECTED["refused_starts"]["of weak secrets"].values())


@pytest.mark.parametrize("name", [*EXPECTED["refused_starts"]["of weak secrets"], *(f"without {name}" for name in SECRETS)])
def test_a_start_with_a_weak_secret_or_without_it_is_seen(name: str) -> None:
    assert failed({**STARTS, name: {"status": 0, "says": ""}}, WEAK) == [f"status of a start, {name}", f"it says why: {name}"]


def test_a_value_that_comes_from_elsewhere_is_seen() -> None:
    for name in SECRETS:
        assert failed(STARTS, IN_USE, {**{one: [one] for one in SECRETS}, name: []})


def test_each_mistake_that_is_expected_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "output", lambda *_argv: (tmp_path / "other.crt").write_text(""))
    made = remote._mistakes(tmp_path, [f"LoadCredentialEncrypted={name}:/etc/credstore.encrypted/{name}" for name in SECRETS])
    assert set(made) == {name for reasons in EXPECTED["refused_starts"].values() for name in reasons}
    for name, reason in EXPECTED["refused_starts"]["of weak secrets"].items():
        (secret,) = (one for one in SECRETS if f"The credential {one} " in reason)
        own = [line for line in made[name] if f"={secret}:" in line]
        assert len(made[name]) == len(SECRETS)
        assert [line.partition(":")[0] for line in own] == [f"LoadCredential={secret}"]
