"""What a request leaves in the log: one id from nginx to here, an error's only record, what strangers were refused."""

import json
import logging
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from casemate import limiter
from casemate.accounts import views
from casemate.audit.models import Event
from casemate.log import OneLine
from tests.browser import ADDRESS, PASSWORD, Browser

GIVEN = "0123456789abcdef" * 2
Lines = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What was logged so far, as the lines of the journal; or only what a logger of that name said."""
    monkeypatch.setattr(logging.getLogger("django"), "propagate", True)
    written: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(json.loads(OneLine().format(record)))

    handler = Keep()
    logging.getLogger().addHandler(handler)

    def of(logger: str = "") -> list[dict[str, Any]]:
        return [line for line in written if line["logger"].startswith(logger)]

    yield of
    logging.getLogger().removeHandler(handler)


# One id


def test_every_line_of_a_request_has_the_id_that_nginx_gave_it(world: SimpleNamespace, lines: Lines) -> None:
    browser = Browser(HTTP_X_REQUEST_ID=GIVEN)
    browser.post("/sign-in/", {"email": world.alice.email, "password": "wrong"})
    browser.get("/no-such-page/")
    assert {line["logger"] for line in lines()} >= {"casemate.sign_in", "django.request", "casemate.refused"}
    assert {line["request_id"] for line in lines()} == {GIVEN}


@pytest.mark.parametrize("given", ["", "x" * 32, GIVEN + "0", GIVEN.upper(), GIVEN + '", "x": "', "password=hunter2"])
def test_an_id_of_another_form_is_not_taken(given: str, db: None, lines: Lines) -> None:
    Browser(HTTP_X_REQUEST_ID=given).get("/no-such-page/")
    found = {line["request_id"] for line in lines()}
    assert len(found) == 1
    assert given not in found
    assert len(found.pop()) == 32


# An error


def broken(**_arguments: object) -> None:
    beside = "a-local-" + "value"
    raise RuntimeError(f"could not open, api_key={beside}")


def test_an_error_gives_the_visitor_the_id_of_its_one_record(
    world: SimpleNamespace, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views.services, "check_password", broken)
    browser = Browser(raise_request_exception=False, HTTP_X_REQUEST_ID=GIVEN)
    answer = browser.post("/sign-in/?token=in-the-query", {"email": world.alice.email, "password": PASSWORD})
    assert answer.status_code == 500
    assert GIVEN in answer.text
    assert "Traceback" not in answer.text
    (record,) = [line for line in lines() if line["level"] == "error"]
    assert (record["request_id"], record["logger"]) == (GIVEN, "django.request")
    assert "in broken" in record["traceback"]
    for secret in (PASSWORD, "a-local-value", "in-the-query", world.alice.email):
        assert secret not in json.dumps(record)


# What strangers are refused


def told(lines: Lines) -> list[tuple[str, int]]:
    return [(line["address"], line["times"]) for line in lines("casemate.refused")]


def test_what_a_stranger_is_refused_is_counted_by_address(db: None, lines: Lines) -> None:
    browser = Browser()
    for path in (
        "/",
        "/audit/",
        "/no-such-page/",
        "/o/acme/vault/",
        "/sign-in/verify/",
        "/enrol/x/",
        "/sign-out/",
        "/a/",
        "/b/",
    ):
        browser.get(path)
    Browser(enforce_csrf_checks=True).post("/sign-in/", {"email": "x@y.example"})
    Browser(address="2001:db8:1:2:3::4").get("/audit/")
    assert told(lines) == [(ADDRESS, 1), (ADDRESS, 10), ("2001:db8:1:2::", 1)]
    assert not Event.objects.filter(action="organizations.access.refuse").exists()


def test_what_a_stranger_may_see_is_not_counted(db: None, lines: Lines) -> None:
    browser = Browser()
    browser.get("/sign-in/")
    browser.get("/healthz")
    assert told(lines) == []


def test_a_person_who_is_signed_in_is_no_stranger(alice: Browser, lines: Lines) -> None:
    before = told(lines)
    for path in ("/no-such-page/", "/audit/", "/o/globex/vault/"):
        assert alice.get(path).status_code in (403, 404)
    alice.post("/sign-out/")
    assert told(lines) == before


def test_strangers_are_told_of_while_the_limiter_is_away(
    db: None, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_arguments: object, **_named: object) -> None:
        raise limiter.LimiterDown

    monkeypatch.setattr(limiter, "hit", away)
    for _ in range(2):
        assert Browser().get("/audit/").status_code == 302
    assert told(lines) == [(ADDRESS, 1), (ADDRESS, 1)]


def test_each_refusal_of_a_member_is_an_event(signed_in: Callable[[str], Browser]) -> None:
    signed_in("carol").get("/o/acme/audit/")
    signed_in("mallory").get("/o/acme/audit/")
    signed_in("bob").get("/audit/")
    refused = Event.objects.filter(success=False, action__startswith="organizations.access").order_by("pk")
    assert [(event.actor_label.partition("@")[0], event.action) for event in refused] == [
        ("carol", "organizations.access.refuse"),
        ("mallory", "organizations.access.unknown"),
        ("bob", "organizations.access.refuse"),
    ]
