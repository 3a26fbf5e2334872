"""APP-003, on what a host would tell: from where forms are taken."""

from typing import Any

import pytest

from verification import expectations
from verification.checks import application
from verification.host import Facts
from verification.remote import edge
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import State

DECLARED = {"site_name": "casemate.test"}
EXPECTED = expectations.load("lab", DECLARED)
PAGE = 'HTTP/1.1 200 OK\r\nSet-Cookie: __Host-csrftoken=abc; Path=/; Secure\r\n\r\n<input name="csrfmiddlewaretoken" value="xyz">'


def forms(further: list[str], **changed: Any) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    seen = {**EXPECTED["forms_from"], **changed}
    host.inside = Facts({"forms_by_origin": {"value": seen}, "settings": {"value": {"further origins": further}}})
    application.test_a_form_is_taken_from_our_own_origin_and_from_no_other(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_forms_from_our_own_origin_alone_pass() -> None:
    assert forms([]) == []


@pytest.mark.parametrize("said", [name for name, status in EXPECTED["forms_from"].items() if status == 403])
def test_a_form_from_elsewhere_that_is_taken_is_seen(said: str) -> None:
    assert forms([], **{said: 200}) == [f"status of a form from: {said}"]


def test_a_form_of_our_own_that_is_refused_is_seen_and_so_is_an_origin_that_somebody_trusts() -> None:
    assert forms([], **{"our own origin": 403}) == ["status of a form from: our own origin"]
    assert forms(["https://*.casemate.test"]) == ["further origins that are trusted"]
    assert forms([], elsewhere=200) == ["where forms said to come from"]


def test_each_place_that_is_tried_has_its_answer() -> None:
    assert EXPECTED["read_inside"]["tried_origins"].keys() == EXPECTED["forms_from"].keys()


def asked(monkeypatch: pytest.MonkeyPatch, expected: dict[str, Any]) -> tuple[dict[str, int], list[tuple[list[str], str]]]:
    """What came of forms that are sent to an application which refuses all with a Referer, and what was sent."""
    sent = []

    def received(_path: str, _site: str, _scheme: str, *, more: tuple[str, ...] = (), form: str = "") -> bytes:
        if not form:
            return PAGE.encode()
        sent.append((list(more), form))
        return b"HTTP/1.1 403 Forbidden\r\n\r\n" if "Referer" in str(more) else b"HTTP/1.1 200 OK\r\n\r\n"

    monkeypatch.setattr(edge, "_received", received)
    return edge.forms_by_origin(expected["read_inside"]), sent


def test_a_form_carries_its_cookie_its_token_and_where_it_comes_from_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses, sent = asked(monkeypatch, EXPECTED)
    assert statuses["our own origin"] == 200
    assert statuses["no origin, our own page"] == 403
    assert sent[0] == (["Cookie: __Host-csrftoken=abc", "Origin: https://casemate.test"], "csrfmiddlewaretoken=xyz")
    assert len(sent) == len(EXPECTED["forms_from"])


def test_nothing_is_sent_to_an_application_that_is_not_casemates(monkeypatch: pytest.MonkeyPatch) -> None:
    other = expectations.load("lab", {**DECLARED, "application": "other"})
    assert asked(monkeypatch, other) == ({}, [])
