"""A start with a database that cannot be verified is refused; one that is merely away is waited for."""

from typing import Any

import pytest
from django.db import OperationalError, connection

from casemate.configuration import Environment, Misconfigured
from casemate.starting import verify_database


@pytest.mark.django_db(transaction=True)
def test_the_database_that_is_ours_lets_the_service_start_without_a_connection_to_share() -> None:
    connection.ensure_connection()
    verify_database()
    assert connection.connection is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (2026, "TLS/SSL error: unable to get local issuer certificate"),
        (1045, "Access denied for user 'casemate_app'@'localhost'"),
        (1049, "Unknown database 'casemate'"),
    ],
)
def test_a_database_that_cannot_be_verified_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refused() -> Any:
        raise OperationalError(number, words)

    monkeypatch.setattr(connection, "ensure_connection", refused)
    with pytest.raises(Misconfigured, match=words.replace("(", ".")) as stopped:
        verify_database()
    assert connection.settings_dict["HOST"] in str(stopped.value)


def test_a_database_that_is_away_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> Any:
        raise OperationalError(2003, "Can't connect to server on 'db.casemate.internal' (111)")

    monkeypatch.setattr(connection, "ensure_connection", away)
    monkeypatch.setattr("logging.Logger.propagate", True, raising=False)
    verify_database()
    assert "does not answer yet" in caplog.text


@pytest.mark.parametrize(
    ("host", "sentence"),
    [("localhost", "takes the socket, without TLS"), ("127.0.0.1", "an address is no name"), ("::1", "pattern")],
)
def test_a_database_without_a_name_to_verify_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: str, sentence: str
) -> None:
    """Port, TLS and the authority would be set, and not all of them used."""
    monkeypatch.setenv("CASEMATE_DATABASE_HOST", host)
    with pytest.raises(Misconfigured, match=rf"CASEMATE_DATABASE_HOST: .*{sentence}"):
        Environment.read()
