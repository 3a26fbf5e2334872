"""APP-003 and APP-014, on what a host would tell: from where forms are taken, and in which order middleware stands."""

import ast
import sys
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from verification import expectations
from verification.checks import application
from verification.host import Facts
from verification.remote import edge
from verification.remote.shape import SHAPE
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


ORDER, ANSWERS = EXPECTED["settings"]["values"]["MIDDLEWARE"], EXPECTED["answers_of_middleware"]


def order(middleware: list[str], answers: dict[str, Any]) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"settings": {"value": {"middleware": middleware}}, "answers_of_middleware": {"value": answers}})
    application.test_middleware_stands_in_its_written_order(host, see, EXPECTED)
    application.test_what_one_answers_by_itself_has_the_headers_of_those_before_it(host, see, EXPECTED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def with_headers(name: str, headers: list[str]) -> dict[str, Any]:
    return {**ANSWERS, name: {**ANSWERS[name], "headers": sorted(headers)}}


def test_the_written_order_passes_whatever_else_an_answer_says_of_itself() -> None:
    assert order(ORDER, ANSWERS) == []
    assert order(ORDER, with_headers("in clear", [*ANSWERS["in clear"]["headers"], "date", "content-length"])) == []


@pytest.mark.parametrize("seen", [[ORDER[1], ORDER[0], *ORDER[2:]], ORDER[:-1], [*ORDER, "shop.middleware.Basket"], [*ORDER, ORDER[8]]])
def test_another_order_one_too_few_and_one_too_many_are_seen(seen: list[str]) -> None:
    assert order(seen, ANSWERS) == ["middleware from the outermost to the innermost"]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_header_that_comes_too_late_for_an_answer_is_seen(name: str) -> None:
    assert order(ORDER, with_headers(name, ANSWERS[name]["headers"][1:])) == [f"policy headers: {name}"]
    assert order(ORDER, with_headers(name, [*ANSWERS[name]["headers"], "cache-control"])) == [f"policy headers: {name}"]
    assert order(ORDER, {**ANSWERS, name: {**ANSWERS[name], "status": 200}}) == [f"status: {name}"]


def test_an_answer_that_nobody_fetched_is_seen() -> None:
    fewer = {name: answer for name, answer in ANSWERS.items() if name != "in clear"}
    assert order(ORDER, fewer)[0] == "answers of middleware that were fetched"


def test_the_order_is_read_from_what_django_puts_together() -> None:
    """Without Django: each layer knows the next one, wrapped as Django wraps it, and the innermost is no middleware."""
    tree = ast.parse(SHAPE)
    tree.body = [part for part in tree.body if isinstance(part, ast.FunctionDef) and part.name == "order"]

    class Inner:
        def __init__(self, following: Any) -> None:
            self.get_response = SimpleNamespace(__wrapped__=following)

    class Outer(Inner):
        pass

    chain = SimpleNamespace(__wrapped__=Outer(Inner(len)))
    handlers = ModuleType("django.core.handlers.wsgi")
    vars(handlers)["WSGIHandler"] = lambda: SimpleNamespace(_middleware_chain=chain)
    names: dict[str, Any] = {}
    exec(compile(tree, "shape", "exec"), names)  # noqa: S102  its own text
    with patch.dict(sys.modules, {"django.core.handlers.wsgi": handlers}):
        found = names["order"]()
    assert [name.rpartition(".")[2] for name in found] == ["Outer", "Inner"]
