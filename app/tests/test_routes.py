"""Every address of the URL configuration, asked by everyone: one without a row here fails."""

from types import SimpleNamespace

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from tests.browser import Browser

# What GET answers: anonymous · after the password, before the second factor · bob, editor of acme, wholly signed in.
# A text is where it redirects to.
UNKNOWN = "00000000-0000-4000-8000-000000000000"
SIGN_IN, VERIFY, HOME = "/sign-in/", "/sign-in/verify/", "/"
EXPECTED: dict[str, tuple[str, tuple[int | str, int | str, int | str]]] = {
    "profile": ("/", (SIGN_IN, VERIFY, 200)),
    "sign-in": ("/sign-in/", (200, 200, HOME)),
    "verify": ("/sign-in/verify/", (SIGN_IN, 200, HOME)),
    "by-backup-code": ("/sign-in/backup-code/", (SIGN_IN, 200, HOME)),
    "backup-codes": ("/backup-codes/", (SIGN_IN, VERIFY, 200)),
    "own-password": ("/password/", (SIGN_IN, VERIFY, 200)),
    "step-up": ("/step-up/", (SIGN_IN, VERIFY, 200)),
    "sessions": ("/sessions/", (SIGN_IN, VERIFY, 200)),
    "sign-out": ("/sign-out/", (SIGN_IN, 405, 405)),
    "enrol-totp": ("/enrol/totp/", (SIGN_IN, VERIFY, HOME)),
    "enrol": ("/enrol/no-such-token/", (404, 404, 404)),
    "organization": ("/o/acme/", (SIGN_IN, VERIFY, "/o/acme/vault/")),
    "audit": ("/audit/", (SIGN_IN, VERIFY, 403)),
    "organization-audit": ("/o/acme/audit/", (SIGN_IN, VERIFY, 403)),
    "members": ("/o/acme/members/", (SIGN_IN, VERIFY, 200)),
    "member": (f"/o/acme/members/{UNKNOWN}/", (SIGN_IN, VERIFY, 403)),
    "member-confirm": (f"/o/acme/members/{UNKNOWN}/confirm/", (SIGN_IN, VERIFY, 403)),
    "member-end": (f"/o/acme/members/{UNKNOWN}/end/", (SIGN_IN, VERIFY, 403)),
    "vault": ("/o/acme/vault/", (SIGN_IN, VERIFY, 200)),
    "password-new": ("/o/acme/vault/new/", (SIGN_IN, VERIFY, 200)),
    "vault-trash": ("/o/acme/vault/trash/", (SIGN_IN, VERIFY, 200)),
    "folders": ("/o/acme/vault/folders/", (SIGN_IN, VERIFY, 200)),
    "folder-new": ("/o/acme/vault/folders/new/", (SIGN_IN, VERIFY, 403)),
    "folder": (f"/o/acme/vault/folders/{UNKNOWN}/", (SIGN_IN, VERIFY, 403)),
    "password": (f"/o/acme/vault/{UNKNOWN}/", (SIGN_IN, VERIFY, 404)),
    "password-edit": (f"/o/acme/vault/{UNKNOWN}/edit/", (SIGN_IN, VERIFY, 404)),
    "password-delete": (f"/o/acme/vault/{UNKNOWN}/delete/", (SIGN_IN, VERIFY, 404)),
    "password-restore": (f"/o/acme/vault/{UNKNOWN}/restore/", (SIGN_IN, VERIFY, 405)),
    "password-history": (f"/o/acme/vault/{UNKNOWN}/history/", (SIGN_IN, VERIFY, 404)),
    "revision-reveal": (f"/o/acme/vault/{UNKNOWN}/history/1/reveal/", (SIGN_IN, VERIFY, 404)),
    "password-reveal": (f"/o/acme/vault/{UNKNOWN}/reveal/", (SIGN_IN, VERIFY, 404)),
    "password-copy": (
        f"/o/acme/vault/{UNKNOWN}/copy/",
        (SIGN_IN, VERIFY, f"/o/acme/vault/{UNKNOWN}/reveal/"),
    ),
    "csp-reports": ("/csp-reports/", (405, 405, 405)),
    "violations": ("/violations/", (SIGN_IN, VERIFY, 403)),
    "healthz": ("/healthz", (204, 204, 204)),
}


def names(resolver: URLResolver) -> list[str]:
    found = []
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            found += names(entry)
        else:
            assert isinstance(entry, URLPattern)
            assert entry.name, f"{entry.pattern} has no name"
            found.append(entry.name)
    return found


def seen(browser: Browser, path: str) -> int | str:
    answer = browser.get(path)
    return answer.url if answer.status_code == 302 else answer.status_code


def test_every_route_has_a_row() -> None:
    assert sorted(names(get_resolver())) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("who", ["anonymous", "password only", "signed in"])
def test_each_address_answers_each_kind_of_person(world: SimpleNamespace, name: str, who: str) -> None:
    browser = Browser()
    if who == "password only":
        browser.give_password(world.bob)
    elif who == "signed in":
        browser.sign_in(world.bob)
    path, answers = EXPECTED[name]
    assert seen(browser, path) == dict(zip(["anonymous", "password only", "signed in"], answers, strict=True))[who]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_no_address_answers_an_unknown_method(alice: Browser, method: str) -> None:
    for path, _answers in EXPECTED.values():
        assert getattr(alice, method)(path).status_code == 405, path


# What a browser sends by itself, from no form; its own tests say that it changes nothing else.
WITHOUT_TOKEN = {"csp-reports"}


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - WITHOUT_TOKEN))
def test_every_form_demands_its_token(world: SimpleNamespace, name: str) -> None:
    browser = Browser(enforce_csrf_checks=True)
    answer = browser.post(EXPECTED[name][0], {"email": world.bob.email, "password": "x"})
    assert answer.status_code == 403
    assert "That form is no longer valid" in answer.text


def test_the_second_factor_cannot_be_skipped(world: SimpleNamespace) -> None:
    browser = Browser()
    browser.give_password(world.bob)
    for path, _answers in EXPECTED.values():
        assert "Last sign-in" not in browser.get(path, follow=True).text


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/sign-in/verify/", "/enrol/totp/", "/enrol/x/", "/nowhere"])
def test_a_page_asks_the_database_at_most_8_times(alice: Browser, path: str) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        alice.get(path)
    asked = [q for q in queries if "SAVEPOINT" not in q["sql"]]
    assert len(asked) <= 8, "\n".join(q["sql"] for q in asked)


def test_signing_in_is_an_exchange_of_few_queries(world: SimpleNamespace) -> None:
    browser = Browser()
    with CaptureQueriesContext(connection) as queries:
        browser.sign_in(world.bob)
    assert len([q for q in queries if "SAVEPOINT" not in q["sql"]]) <= 36


def test_health_is_refused_while_the_database_is_gone(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    def gone() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", gone)
    assert Browser().get("/healthz").status_code == 503
