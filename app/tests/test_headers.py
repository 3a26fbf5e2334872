import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpResponse

from casemate import errors
from casemate.accounts import views
from casemate.accounts.services import issue_enrolment_link
from casemate.log import OneLine
from tests.browser import Browser

OWNED = {
    "Content-Security-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Cache-Control",
}


def broken(*_args: Any, **_kwargs: Any) -> HttpResponse:
    raise ZeroDivisionError


@pytest.fixture(
    params=["page", "redirect", "form", "404", "405", "400 host", "403 form", "410", "500", "health", "too large"]
)
def answer(request: pytest.FixtureRequest, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> HttpResponse:
    """One of each kind of answer."""
    browser = Browser(raise_request_exception=False)
    kind = request.param
    if kind == "page":
        browser.sign_in(world.alice)
        return browser.get("/")
    if kind == "500":
        monkeypatch.setattr(views.services, "open_link", broken)
    if kind == "403 form":
        browser = Browser(enforce_csrf_checks=True)
    return {
        "redirect": lambda: browser.get("/"),
        "form": lambda: browser.get("/sign-in/"),
        "404": lambda: browser.get("/nowhere"),
        "405": lambda: browser.put("/sign-in/"),
        "400 host": lambda: browser.get("/", HTTP_HOST="elsewhere.example"),
        "403 form": lambda: browser.post("/sign-in/"),
        "410": lambda: browser.get("/enrol/x/"),
        "500": lambda: browser.get("/enrol/x/"),
        "health": lambda: browser.get("/healthz"),
        "too large": lambda: browser.post("/sign-in/", {"email": "x" * 70_000}),
    }[kind]()


def test_every_kind_of_answer_has_each_header_once(answer: HttpResponse) -> None:
    names = [name for name, _value in answer.items()]
    assert set(names) >= OWNED
    assert len(names) == len({name.lower() for name in names})
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "no-store" in answer["Cache-Control"]
    assert "camera=()" in answer["Permissions-Policy"]


def test_hsts_is_left_to_nginx(answer: HttpResponse) -> None:
    assert "Strict-Transport-Security" not in answer


def test_the_policy_allows_nothing_but_our_own_styles_pictures_and_forms(answer: HttpResponse) -> None:
    policy = dict(part.partition(" ")[::2] for part in answer["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
        "upgrade-insecure-requests": "",
        "report-uri": "/csp-reports/",
        "report-to": "csp",
    }
    assert answer["Reporting-Endpoints"] == 'csp="/csp-reports/"'
    assert "Content-Security-Policy-Report-Only" not in answer


def test_no_page_has_anything_that_the_policy_would_stop(answer: HttpResponse) -> None:
    for forbidden in ("<script", "<style", " style=", " onclick=", "javascript:", "http://"):
        assert forbidden not in answer.content.decode().replace("http://www.w3.org/2000/svg", "")


def test_the_set_up_page_has_nothing_that_the_policy_would_stop(world: SimpleNamespace, db: None) -> None:
    browser = Browser()
    _user, token = issue_enrolment_link(email="carol@example.org")
    browser.post(f"/enrol/{token}/", {"password": "seven quiet otters row", "again": "seven quiet otters row"})
    page = browser.get("/enrol/totp/").text
    assert "<svg" in page
    for forbidden in ("<script", "<style", " style=", " onclick=", "javascript:"):
        assert forbidden not in page


@pytest.mark.parametrize(
    ("status", "view"),
    [(400, errors.bad_request), (403, errors.forbidden), (404, errors.not_found), (500, errors.server_error)],
)
def test_each_error_has_one_sentence_and_no_detail(rf: Any, status: int, view: Any) -> None:
    answer = view(rf.get("/"))
    assert answer.status_code == status
    assert answer.content.decode().count("<h1>") == 1
    assert "Traceback" not in answer.content.decode()


def test_a_record_is_one_line_of_the_log_whatever_is_in_it() -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 0, "a\nb %s", ("c\r\nd",), None)
    record.address = "192.0.2.7\n"
    record.request = "never"
    line = OneLine().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "a\nb c\r\nd"
    assert "never" not in line


@pytest.mark.parametrize("kind", ["refused form", "server error"])
def test_the_log_never_holds_a_link_that_still_works(
    kind: str, db: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _user, token = issue_enrolment_link(email="carol@example.org")
    if kind == "server error":
        monkeypatch.setattr(views.services, "open_link", broken)
    monkeypatch.setattr(logging.getLogger("django"), "propagate", True)
    Browser(enforce_csrf_checks=True, raise_request_exception=False).post(f"/enrol/{token}/")
    Browser(raise_request_exception=False).get(f"/enrol/{token}/")
    lines = "".join(OneLine().format(record) for record in caplog.records)
    assert "/enrol/-/" in lines
    assert token not in lines
