"""What a stranger can send. Never a 500, and nothing changes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casemate.accounts.models import EnrolmentLink, Session, TotpDevice, User
from casemate.accounts.services import issue_enrolment_link
from tests.browser import Browser

FORM = "application/x-www-form-urlencoded"
PATHS = [
    "/",
    "/sign-in/",
    "/sign-in/verify/",
    "/sign-out/",
    "/enrol/totp/",
    "/enrol/x/",
    "/csp-reports/",
    "a link that works",
]


@pytest.fixture
def link(db: None, browser: Browser) -> str:
    """A link that works and was opened: its form is the most that a stranger could reach."""
    _user, token = issue_enrolment_link(email="carol@example.org")
    browser.get(f"/enrol/{token}/")
    return f"/enrol/{token}/"


def state() -> tuple[object, ...]:
    return tuple(list(model.objects.order_by("pk").values()) for model in (User, EnrolmentLink, TotpDevice, Session))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"email=%ff%fe&password=%00&code=%c3%28"),
        (FORM, b"\xff\xfe\x00\x01"),
        (FORM + "; charset=utf-16", "email=a".encode("utf-16")),
        (FORM + "; charset=nonsense", b"email=a"),
        (FORM, b"&".join(b"a%d=1" % n for n in range(60))),
        (FORM, b"email=" + b"x" * 70_000),
        (FORM, b"email=" + b"x" * 60_000 + b"@example.org&password=" + b"y" * 300),
        (FORM, b"email=a%40b.example&email=c&password[]=1&password=%F0%9F%92%A9"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\nno end'),
        ("multipart/form-data", b"no boundary"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\ndata\r\n--x--\r\n',
        ),
        ("application/json", b'{"email": {"$ne": null}}'),
        ("text/xml", b"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>"),
        ("", b""),
    ],
)
def test_a_malformed_body_is_answered_with_a_page(link: str, path: str, content_type: str, body: bytes) -> None:
    path = link if path == "a link that works" else path
    browser, before = Browser(raise_request_exception=False), state()
    answer = browser.generic("POST", path, body, content_type=content_type)
    assert answer.status_code in {200, 302, 400, 404, 405, 413, 415}
    assert state() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_COOKIE": "__Host-sessionid=\x00\xff; __Host-csrftoken=" + "x" * 4000},
        {"HTTP_COOKIE": "__Host-sessionid=" + "a" * 5000},
        {"HTTP_COOKIE": "=;;;=="},
        {"HTTP_USER_AGENT": "x" * 9000 + "\u202e\x1b[31m"},
        {"HTTP_X_REAL_IP": "' OR 1=1 --"},
        {"HTTP_ACCEPT_LANGUAGE": "x" * 5000},
        {"HTTP_REFERER": "\x00"},
        {"HTTP_HOST": "casemate.test\x00"},
        {"HTTP_HOST": "casemate.test@evil.example"},
        {"HTTP_X_FORWARDED_HOST": "evil.example"},
        {"CONTENT_LENGTH": "-1"},
        {"CONTENT_LENGTH": "junk"},
    ],
)
def test_malformed_headers_are_answered_with_a_page(db: None, headers: dict[str, str]) -> None:
    browser = Browser(raise_request_exception=False)
    for method in (browser.get, browser.post):
        answer = method("/sign-in/", {"email": "a@b.example", "password": "x"}, **headers)
        assert answer.status_code in {200, 400}
        assert b"evil.example" not in answer.content


@pytest.mark.parametrize("path", ["/%00", "/%ff", "/" + "a" * 9000, "/..%2f..%2fetc/passwd", "/sign-in"])
def test_a_strange_address_is_not_found_or_ours(db: None, path: str) -> None:
    answer = Browser(raise_request_exception=False).get(path)
    assert answer.status_code in {301, 404}
    if answer.status_code == 301:
        assert answer.url == "/sign-in/"


TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=300)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=st.dictionaries(st.sampled_from(["email", "password", "code", "again"]), TEXT))
@pytest.mark.django_db
def test_no_text_in_any_field_breaks_a_form(browser: Browser, fields: dict[str, str]) -> None:
    for path in ("/sign-in/", "/enrol/x/"):
        assert browser.post(path, fields).status_code in {200, 404, 429}


def test_a_name_with_markup_is_shown_as_text(browser: Browser, db: None) -> None:
    _user, token = issue_enrolment_link(email="carol@example.org", name="<script>alert(1)</script>")
    page = browser.get(f"/enrol/{token}/").text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_address_with_markup_comes_back_as_text(browser: Browser, db: None) -> None:
    answer = browser.post("/sign-in/", {"email": '"><script>alert(1)</script>@example.org', "password": "x"})
    assert "<script>" not in answer.text
