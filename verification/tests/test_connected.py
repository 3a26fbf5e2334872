"""DB-005 to DB-007, on what a host would tell: what the application's connection is, and what becomes of it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from verification import expectations
from verification.checks import connected
from verification.host import Facts
from verification.remote import connected as remote
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

EXPECTED = expectations.load("lab", {"site_name": "casemate.test"})
SETTINGS: dict[str, Any] = {
    "values": {"DATABASES": copy.deepcopy(EXPECTED["settings"]["values"]["DATABASES"])},
    "its own connection goes over": "TLSv1.3",
    "from its credential": {connected.PASSWORD: True},
}
SEARCH = {"searched_for": ["audit-keys", connected.PASSWORD], "places": ["audit-keys in /etc/somewhere"]}
DROPPED = {"before": [204], "after": [204], "later": [204], "dropped": 7, "left": 0, "kept": 5, "made": 2}
Change = Callable[[dict[str, Any]], Any]


def failed(change: Change = lambda _settings: None, waits: str = "900", places: list[str] | None = None) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    settings = copy.deepcopy(SETTINGS)
    change(settings)
    search = {**SEARCH, "places": SEARCH["places"] if places is None else places}
    facts = {"settings": settings, "secrets_in_sight": search, "database_variables": {"wait_timeout": waits}}
    host.inside = Facts({name: {"value": value} for name, value in facts.items()})
    connected.test_the_connection_is_set_to_verify_authority_and_name(host, see, EXPECTED)
    connected.test_the_password_is_the_credentials_and_stands_nowhere_else(host, see)
    connected.test_connections_are_kept_for_less_than_the_server_waits_and_tested_before(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def of_the_database(**changed: Any) -> Change:
    return lambda settings: settings["values"]["DATABASES"]["default"].update(changed)


def with_options(**changed: Any) -> Change:
    return lambda settings: settings["values"]["DATABASES"]["default"]["OPTIONS"].update(changed)


def test_the_written_settings_pass_and_another_secret_that_is_found_is_not_the_passwords_fault() -> None:
    assert failed() == []


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (of_the_database(HOST="localhost"), "name by which it is reached"),
        (with_options(ssl_mode="REQUIRED"), "how much of the other side is verified"),
        (with_options(ssl={}), "authority"),
        (lambda settings: settings.update({"its own connection goes over": ""}), "what its own connection goes over"),
        (lambda settings: settings["from its credential"].update({connected.PASSWORD: False}), "the password in use is the credential's"),
        (of_the_database(CONN_MAX_AGE=0), "seconds that a connection is kept"),
        (of_the_database(CONN_MAX_AGE=601), "seconds that it is kept at the most"),
        (of_the_database(CONN_HEALTH_CHECKS=False), "it is tested before each request"),
    ],
)
def test_a_setting_that_is_another_is_seen(change: Change, seen: str) -> None:
    assert failed(change) == [seen]


def test_a_connection_that_is_kept_for_ever_outlives_every_wait_of_the_server() -> None:
    both = ["seconds that it is kept at the most", "seconds by which the server waits longer"]
    assert failed(of_the_database(CONN_MAX_AGE=None)) == both
    assert failed(waits="300") == both[1:]


@pytest.mark.parametrize("place", [f"{connected.PASSWORD} in environ of gunicorn", "what nobody knows in a file"])
def test_a_place_where_the_password_stands_is_seen(place: str) -> None:
    assert failed(places=[place]) == ["environments, arguments, files and parts of the release in which it stands"]


def noticed(**changed: Any) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried = {"dropped connections": {**DROPPED, **changed}}
    connected.test_nobody_notices_that_the_server_dropped_them(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_a_drop_that_nobody_notices_passes() -> None:
    assert noticed() == []


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"after": [204, 503]}, "statuses of the requests that follow"),
        ({"dropped": 0}, "kept connections that the server dropped"),
        ({"left": 1}, "of these, connections that are still there"),
        ({"kept": 0}, "connections that were there before these and after"),
        ({"made": 40}, "connections that were made for them"),
    ],
)
def test_an_error_and_a_connection_for_each_request_are_seen(changed: dict[str, Any], seen: str) -> None:
    assert noticed(**changed) == [seen]


def test_what_was_dropped_is_waited_for_and_what_stays_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{4, 5, 9}, {5, 9}, {9}]
    monkeypatch.setattr(remote, "kept", lambda: answers.pop(0) if len(answers) > 1 else answers[0])
    assert remote.gone_or_left({4, 5}) == set()
    monkeypatch.setattr(remote, "LONGEST", 0.1)
    assert remote.gone_or_left({9}) == {9}
