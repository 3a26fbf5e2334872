"""DB-002, VAULT-014, VAULT-017, VAULT-018: what the program that makes a host's secrets does, by itself, and what the checks make of it.

systemd-creds is a program of these tests, which seals nothing.
"""

import ast
import base64
import json
import os
import secrets
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from verification import expectations
from verification.checks import born
from verification.host import Facts
from verification.inventory import ROOT
from verification.remote import born as remote
from verification.remote.shape import SHAPE
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

EXPECTED = expectations.load("lab", {"site_name": "casemate.test"})
ACCOUNTS = EXPECTED["read_inside"]["statements"]
CREDS = '#!/bin/sh\nfor last; do :; done\ncase $1 in encrypt) cat > "$last";; decrypt) shift; cat "$2";; esac\n'
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="the program gives what it makes to root")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """The host's own program and names; called, it replaces a text in the program."""
    (tmp_path / "systemd-creds").write_text(CREDS)
    (tmp_path / "systemd-creds").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    own = tmp_path / "casemate-credentials"
    own.write_text((ROOT / "files/credentials/casemate-credentials").read_text())
    own.chmod(0o755)
    for name, value in {"PROGRAM": str(own), "MEMORY": str(tmp_path), "NAMES": ROOT / "files/credentials/names.yml"}.items():
        monkeypatch.setattr(remote, name, value)
    monkeypatch.setattr(remote, "STORE", tmp_path / "store")
    if os.geteuid() == 0:
        remote.ensured(remote.STORE, remote.NAMES)
    else:
        remote.STORE.mkdir()
        (remote.STORE / remote.KEY).write_text("the key of this host")
        for account in ACCOUNTS:
            (remote.STORE / remote.of_account(account)).write_text(f"the password of {account}")

    def replace(old: str, new: str) -> None:
        assert old in own.read_text()
        own.write_text(own.read_text().replace(old, new))

    return replace


def keys() -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = {"keys that are made": remote.keys_made({})}
    born.test_keys_come_from_the_systems_random_source_alone(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def again() -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = {"secrets made again": remote.secrets_made_again({})}
    born.test_a_second_run_changes_no_secret_and_makes_just_the_one_that_is_missing(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_keys_of_the_program_are_long_and_of_the_source_alone(program: Callable[[str, str], None]) -> None:
    assert keys() == []


@pytest.mark.parametrize(
    ("new", "seen"),
    [
        ("(str(time.time_ns()) * 4).encode()", "keys of a source that says the same twice"),
        ("secrets.token_urlsafe(24).encode()", "characters of a new key"),
        ('b"django-insecure-" + b"0123456789" * 5', "keys of a source that says something else"),
    ],
)
def test_a_key_of_something_else_is_seen(program: Callable[[str, str], None], new: str, seen: str) -> None:
    program("secrets.token_urlsafe(48).encode()", new)
    assert seen in keys()


def passwords() -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = {"passwords that are made": remote.passwords_made({"statements": ACCOUNTS})}
    born.test_passwords_come_from_the_systems_random_source_alone(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_passwords_of_the_program_are_long_unlike_and_of_the_source_alone(program: Callable[[str, str], None]) -> None:
    assert passwords() == []


@pytest.mark.parametrize(
    ("new", "seen"),
    [
        ("secrets.token_urlsafe(9).encode()", ["bytes of each new password"]),
        ("base64.urlsafe_b64encode(str(time.time_ns()).zfill(32).encode())[:-1]", ["passwords of a source that says the same twice"]),
        (
            'b"casemate" * 5 + b"123"',
            ["passwords of two new installations and of this host that are one", "passwords of a source that says something else"],
        ),
    ],
)
def test_a_password_of_something_else_is_seen(program: Callable[[str, str], None], new: str, seen: list[str]) -> None:
    program("secrets.token_urlsafe(32).encode()", new)
    assert set(seen) <= set(passwords())


@pytest.mark.parametrize(
    ("text", "count"), [("A" * 43, 32), ("Migrate-2026", 9), ("Migrate-2026!", 0), ("a" * 13, 0), ("a b", 0), ("", 0), ("é" * 20, 0)]
)
def test_a_text_stands_for_bytes_or_for_none(text: str, count: int) -> None:
    assert len(remote.drawn(text.encode())) == count


def in_force(monkeypatch: pytest.MonkeyPatch, **changed: str) -> list[str]:
    """What is seen of random passwords; `changed` gives an account another one, which the server does not know."""
    values = {remote.of_account(account): base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=") for account in ACCOUNTS}
    values |= {remote.of_account(account): text.encode() for account, text in changed.items()}
    monkeypatch.setattr(remote, "opened", lambda _store, name: values[name])
    refused = dict.fromkeys(changed, "refused 1045")
    monkeypatch.setattr(remote, "as_account", lambda account, _script: f"own\t{refused.get(account, 'accepted over TLSv1.3')}\n")
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"database_passwords": {"value": remote.database_passwords({"statements": ACCOUNTS})}})
    born.test_each_account_has_random_bytes_of_its_own_as_password(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_random_passwords_that_the_server_takes_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_force(monkeypatch) == []


def test_a_password_that_somebody_chose_that_two_share_or_that_the_server_does_not_take_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "what the server says to casemate_migrate with it"
    chosen = ["bytes of the password of casemate_migrate", "different bytes in the password of casemate_migrate", said]
    random, alike = "".join(map(chr, range(48, 58))) + "".join(map(chr, range(65, 91))) + "_-abcde", "a" * 43
    assert in_force(monkeypatch, migrate="Migrate-2026") == chosen
    assert in_force(monkeypatch, migrate=random) == [said]
    assert "different bytes in the password of casemate_app" in in_force(monkeypatch, app=alike)
    assert "passwords that are another account's as well" in in_force(monkeypatch, app=random, migrate=random)


@as_root
def test_a_second_run_changes_nothing(program: Callable[[str, str], None]) -> None:
    before = remote.digests(remote.STORE)
    assert again() == []
    assert remote.digests(remote.STORE) == before, "what was tried was tried in a copy"


@as_root
def test_a_key_that_is_made_anew_each_time_is_seen_and_the_hosts_own_stays(program: Callable[[str, str], None]) -> None:
    program("if not path.exists():", f'if not path.exists() or credential.name == "{born.KEY}":')
    before = remote.digests(remote.STORE)
    assert "secrets that a second run changes" in again()
    assert remote.digests(remote.STORE) == before


def searched(text: bytes, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    values = [(name, f"the value of {name}".encode()) for name in (*born.SEARCHED, "audit-keys")]
    monkeypatch.setattr(remote, "credentials", lambda _services: values)
    packed = base64.b64encode(zlib.compress(text)).decode()
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = {"secrets in the checkout": remote.secrets_in_text({"packed": packed, "names": born.SEARCHED, "words": [born.KNOWN]})}
    born.in_the_checkout(host, see, born.KEY)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_a_key_in_the_checkout_is_seen_and_so_is_a_search_that_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = born.KNOWN.encode()
    assert searched(b"a file\n" + known, monkeypatch) == []
    assert searched(known + b"\nSECRET_KEY = 'the value of django-secret-key'", monkeypatch) == [f"{born.KEY} in the checkout's files"]
    assert searched(b"another file", monkeypatch) == ["the same search finds what is there"]


def test_what_the_search_must_find_is_there() -> None:
    assert born.KNOWN in (ROOT / "files/systemd/casemate.service").read_text()


def in_use(**changed: Any) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    key = {"characters": 64, "different": 41, "others": 0, **changed}
    settings = {"key": key, "from its credential": {born.KEY: changed.get("own", True)}}
    search = {"searched_for": [born.KEY, "audit-keys"], "places": changed.get("places", [])}
    host.inside = Facts({"settings": {"value": settings}, "secrets_in_sight": {"value": search}})
    born.test_the_key_in_use_is_long_and_stands_in_no_file(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({}, []),
        ({"own": False}, ["the key in use is the credential's"]),
        ({"characters": 49}, ["its characters"]),
        ({"different": 10}, ["different characters in it"]),
        ({"others": 1}, ["other keys whose signatures count"]),
        ({"places": [f"{born.KEY} in /etc/x"]}, ["environments, arguments, files and parts of the release in which it stands"]),
    ],
)
def test_a_key_that_is_short_somebody_elses_or_in_a_file_is_seen(changed: dict[str, Any], seen: list[str]) -> None:
    assert in_use(**changed) == seen


OWN = {name: [name] for name in born.of_the_application(EXPECTED)}
KEK = b"the thirty-two bytes of this key"


def at_rest(monkeypatch: pytest.MonkeyPatch, in_use: dict[str, list[str]], *without: str, **changed: bytes) -> list[str]:
    """What is seen of secrets of which each is another, but for those that `changed` gives a value and those that are not there."""
    values = {name: os.urandom(40).hex().encode() for name in EXPECTED["credentials"] if name not in without}
    values["keyring-keks"] = json.dumps({"1": base64.b64encode(KEK).decode(), "2": base64.b64encode(os.urandom(32)).decode()}).encode()
    values |= {name.replace("_", "-"): value for name, value in changed.items()}
    monkeypatch.setattr(remote, "opened", lambda _store, name: values[name])
    monkeypatch.setattr(remote, "STORE", MagicMock(iterdir=lambda: [Path(name) for name in values]))
    host, see = Stage(an_inventory()).hosts[0], Witness()
    stored = remote.secrets_at_rest({})
    host.inside = Facts({"settings": {"value": {"credentials of secrets in use": in_use}}, "secrets_at_rest": {"value": stored}})
    born.test_each_secret_is_a_credential_and_a_value_of_its_own(host, see, EXPECTED)
    assert KEK.decode() not in str(see.observations)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_secrets_of_one_use_each_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(OWN) == {"audit-keys", "database-app-password", "django-secret-key", "keyring-keks", "limiter-app-password"}
    assert at_rest(monkeypatch, OWN) == []


@pytest.mark.parametrize("places", [["audit-keys"], ["audit-keys", "django-secret-key"], []])
def test_a_secret_that_is_anothers_or_no_credentials_is_seen(places: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = "credentials in which the value stands that is in use as django-secret-key"
    assert at_rest(monkeypatch, {**OWN, "django-secret-key": places}) == [seen]


@pytest.mark.parametrize(
    "value", [KEK, KEK.hex().encode(), base64.b64encode(KEK), base64.urlsafe_b64encode(KEK).rstrip(b"="), b"1;" + KEK.hex().encode()]
)
def test_a_value_that_is_there_twice_is_seen_however_it_is_written(value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert at_rest(monkeypatch, OWN, backup_repository_password=value) == ["secrets that have a value in common"]


def test_a_secret_that_was_not_compared_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert at_rest(monkeypatch, OWN, "audit-keys") == ["secrets that were not compared"]


def test_the_credentials_of_what_is_in_use_are_found_by_its_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Django: settings of our own, and a folder as systemd makes it."""
    tree = ast.parse(SHAPE)
    tree.body = [part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name == "in_use"]
    audit, texts = os.urandom(32), {name: secrets.token_urlsafe(32) for name in OWN}
    texts |= {"keyring-keks": json.dumps({"1": base64.b64encode(KEK).decode()}), "database-app.key": "-----BEGIN PRIVATE KEY-----"}
    texts["audit-keys"] = json.dumps({"7": base64.b64encode(audit).decode()})
    for name, text in texts.items():
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    settings = SimpleNamespace(
        SECRET_KEY=texts["django-secret-key"],
        DATABASES={"default": {"PASSWORD": texts["database-app-password"]}},
        LIMITER_PASSWORD=texts["limiter-app-password"],
        KEYRING_KEKS={"1": KEK},
        AUDIT_KEYS={"7": audit},
    )
    names: dict[str, Any] = {"settings": settings, "base64": base64, "os": os, "Path": Path}
    exec(compile(tree, "shape", "exec"), names)  # noqa: S102  its own text
    assert names["in_use"]() == OWN
    settings.SECRET_KEY, settings.AUDIT_KEYS = texts["audit-keys"], {}
    assert names["in_use"]() == {**OWN, "django-secret-key": ["audit-keys"], "audit-keys": []}
