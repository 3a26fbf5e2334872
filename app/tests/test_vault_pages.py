"""The vault's pages: what they show, ask and refuse, and that nothing sealed is in any of them."""

import json
import logging
import re
import uuid
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext

from casemate.accounts.models import Session
from casemate.keyring import cipher
from casemate.log import OneLine
from casemate.tenancy.binding import bind
from casemate.vault.models import Folder
from casemate.vault.services import change_password, create_password, trash_password
from tests.browser import Browser
from tests.vault import HOME, MARKS, TRACES, Who, at, fields, state

SignedIn = Callable[[str], Browser]


@pytest.fixture
def many(vault: SimpleNamespace, who: Who) -> SimpleNamespace:
    """acme with 120 passwords."""
    with bind(vault.acme.organization):
        for number in range(118):
            create_password(
                folder_id=vault.acme.folder.pk, name=f"server {number:03d}", parts={"password": "x"}, **who("bob")
            )
    return vault.acme


# The list


def test_the_list_opens_nothing_and_asks_little(
    many: SimpleNamespace, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, opened = signed_in("bob"), []
    monkeypatch.setattr(cipher, "unseal", lambda *_args, **_kwargs: opened.append(1))
    monkeypatch.setattr(cipher, "unwrap", lambda *_args, **_kwargs: opened.append(1))
    for query in ("", "?page=2", "?q=server", f"?folder={many.folder.pk}", f"?folder={many.open.pk}&q=guest&page=1"):
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(f"{HOME}{query}")
        assert answer.status_code == 200
        assert len(queries) <= 8, "\n".join(q["sql"] for q in queries)
        assert not any("`contents`" in q["sql"] for q in queries)
    assert opened == []


def test_a_page_has_fifty(many: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("bob")
    shown = [re.findall(r">(server \d{3}|acme \w+)</a>", browser.get(f"{HOME}?page={n}").text) for n in (1, 2, 3, 9)]
    assert [len(names) for names in shown] == [50, 50, 20, 20]
    assert len(set(sum(shown[:3], []))) == 120  # noqa: RUF017
    assert "120 passwords, 101 to 120" in browser.get(f"{HOME}?page=3").text


def test_every_page_of_the_vault_asks_little(vault: SimpleNamespace, signed_in: SignedIn, who: Who) -> None:
    with bind(vault.acme.organization):
        change_password(
            password_id=vault.acme.password.pk,
            version=1,
            folder_id=vault.acme.folder.pk,
            name="x",
            parts={},
            **who("bob"),
        )
    browser = signed_in("alice")
    tails = ("", "edit/", "delete/", "history/", "reveal/", "history/1/reveal/")
    pages = [HOME, f"{HOME}new/", f"{HOME}trash/", f"{HOME}folders/", f"{HOME}folders/new/"]
    pages += [f"{HOME}folders/{vault.acme.folder.pk}/", *(at(vault.acme, tail) for tail in tails)]
    for page in pages:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(page).status_code == 200, page
        assert len(queries) <= 8, "\n".join([page, *(q["sql"] for q in queries)])
    for page in (at(vault.acme, "reveal/"), at(vault.acme, "copy/")):
        with CaptureQueriesContext(connection) as queries:
            assert browser.post(page, {"reason": "why", "part": "url"}).status_code == 200
        asked = [q["sql"] for q in queries if "SAVEPOINT" not in q["sql"]]
        assert len(asked) <= 8, "\n".join([page, *asked])


def test_a_search_finds_names_and_folders_and_takes_signs_for_signs(
    vault: SimpleNamespace, signed_in: SignedIn
) -> None:
    browser = signed_in("carol")
    for q, found in (
        ("ROUT", 1),
        ("acme", 2),
        ("wifi", 1),
        ("globex", 0),
        ("%", 0),
        ("_", 0),
        ("\\", 0),
        ("canary", 0),
    ):
        page = browser.get(HOME, {"q": q}).text
        assert len(re.findall(r'<li><a href="/o/acme/vault/[0-9a-f-]{36}/">', page)) == found, q
    assert "Nothing is called “canary”" in browser.get(HOME, {"q": "canary"}).text


QUESTIONS = (
    ({"q": "x" * 101}, 200, "at most 100"),
    ({"q": "a\x00"}, 200, "Null characters"),
    ({"q": '"><script>'}, 200, "&quot;&gt;&lt;script&gt;"),
    ({"page": "0"}, 200, "2 passwords"),
    ({"page": "-1"}, 200, "2 passwords"),
    ({"page": "x"}, 200, "2 passwords"),
    ({"page": "9" * 30}, 200, "2 passwords"),
    ({"folder": "x"}, 404, "Nothing here"),
    ({"folder": str(uuid.uuid4())}, 404, "Nothing here"),
    ({"folder": "a\x00"}, 404, "Nothing here"),
)


def test_a_strange_question_gets_an_answer(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("bob")
    for query, status, sentence in QUESTIONS:
        answer = browser.get(HOME, query)
        assert answer.status_code == status, query
        assert sentence in answer.text, query
        assert "<script>" not in answer.text


def test_each_empty_place_says_what_to_do(world: SimpleNamespace, signed_in: SignedIn, who: Who) -> None:
    alice, bob, carol = (signed_in(name) for name in ("alice", "bob", "carol"))
    assert "Make the first folder" in alice.get(HOME).text
    for browser in (bob, carol):
        assert "ask an administrator" in browser.get(HOME).text
    assert "Ask an administrator" in bob.get(f"{HOME}new/").text
    with bind(world.acme):
        Folder.objects.create(name="first")
    assert "Store the first one" in bob.get(HOME).text
    assert "An editor of Acme can store one" in carol.get(HOME).text
    assert "The trash is empty" in carol.get(f"{HOME}trash/").text


# Strangers


PATHS = (
    "{password}/",
    "{password}/edit/",
    "{password}/delete/",
    "{password}/restore/",
    "{password}/history/",
    "{password}/history/1/reveal/",
    "{password}/reveal/",
    "{password}/copy/",
    "folders/{folder}/",
    "?folder={folder}",
)


def test_an_id_of_another_organisation_is_like_one_that_is_none(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    mallory, before = signed_in("mallory"), state()[:3]
    sent = {**fields(vault.globex), "parent": "", "reason": "why", "part": "password"}
    acme = {"password": vault.acme.password.pk, "folder": vault.acme.folder.pk}
    nobody = {"password": uuid.uuid4(), "folder": uuid.uuid4()}

    def ask(home: str, tail: str, known: dict[str, uuid.UUID]) -> list[HttpResponse]:
        path = home + tail.format(**known)
        return [mallory.get(path), mallory.post(path, sent)]

    for tail in PATHS:
        answers = (ask("/o/globex/vault/", tail, known) for known in (acme, nobody))
        for one, other in zip(*answers, strict=True):
            assert one.status_code == other.status_code, tail
            assert one.status_code in {404, 405} or (tail.endswith("copy/") and one.status_code == 302), tail
            assert "acme" not in one.text
        for answer in ask("/o/acme/vault/", tail, acme):
            assert answer.status_code == 404, tail
            assert not any(trace in answer.text for trace in TRACES)
    assert state()[:3] == before


@pytest.mark.parametrize("name", ["mallory", "olga"])
def test_a_stranger_finds_no_vault(vault: SimpleNamespace, signed_in: SignedIn, name: str) -> None:
    browser = signed_in(name)
    for path in (HOME, f"{HOME}new/", f"{HOME}trash/", f"{HOME}folders/", f"{HOME}?q=router"):
        assert browser.get(path).status_code == 404


def test_a_list_holds_ones_own_alone(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    mallory = signed_in("mallory")
    for page in ("", "?q=router", "trash/", "folders/", "new/"):
        text = mallory.get(f"/o/globex/vault/{page}").text
        assert "acme" not in text
        assert str(vault.acme.folder.pk) not in text


# The canary


def test_a_walk_over_every_page_leaves_nothing_sealed_anywhere(
    vault: SimpleNamespace,
    signed_in: SignedIn,
    who: Who,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each marked part is in the answer of a reveal or a copy, and in no other page, row, session or log line."""
    monkeypatch.setattr(logging.getLogger("django"), "propagate", True)
    caplog.set_level(logging.DEBUG)
    browser, rows = signed_in("alice"), vault.acme
    browser.raise_request_exception = False
    made = browser.post(f"{HOME}new/", {**MARKS, "name": "walked", "folder": str(rows.folder.pk)}).url
    edited = browser.post(f"{made}edit/", {**fields(rows), **MARKS, "password": MARKS["password"] + "2"})
    wrong = browser.post(f"{made}edit/", {**fields(rows), "password": MARKS["password"], "name": ""})
    shown = browser.post(f"{made}reveal/", {"reason": "the canary"})
    former = browser.post(f"{made}history/1/reveal/", {"reason": "the canary"})
    copies = [browser.post(f"{made}copy/", {"reason": "the canary", "part": part}) for part in MARKS]
    for answer in (shown, former):
        assert all(trace in answer.text for trace in TRACES)
    assert [json.loads(answer.content)["text"] for answer in copies] == [
        MARKS["password"] + "2",
        *list(MARKS.values())[1:],
    ]
    with bind(rows.organization):
        trash_password(password_id=rows.other.pk, **who("bob"))
    tails = ("", "edit/", "delete/", "history/", "reveal/", "history/1/reveal/", "copy/", "nowhere/")
    walked = [HOME, f"{HOME}?q=walked", f"{HOME}new/", f"{HOME}trash/", f"{HOME}folders/", f"{HOME}folders/new/", "/"]
    walked += [f"{HOME}folders/{rows.folder.pk}/", "/o/acme/members/", *(f"{made}{tail}" for tail in tails)]
    pages = [edited.text, wrong.text, *(browser.get(path).text for path in walked)]
    sessions = [repr(session.get_decoded()) for session in Session.objects.all()]
    lines = [OneLine().format(record) for record in caplog.records]
    tables = [repr(table) for table in state()]
    cookies = [repr(cookie) for cookie in browser.cookies.values()]
    places = {"pages": pages, "sessions": sessions, "log": lines, "tables": tables, "cookies": cookies}
    for place, texts in places.items():
        assert texts or place == "log", place
        assert not [text[:200] for text in texts if any(trace in text for trace in TRACES)], place


def test_no_page_has_anything_that_the_policy_would_stop(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("alice")
    answers = [browser.get(path) for path in (HOME, f"{HOME}new/", at(vault.acme), at(vault.acme, "edit/"))]
    answers.append(browser.post(at(vault.acme, "reveal/"), {"reason": "why"}))
    for answer in answers:
        nonces = set(re.findall(r'nonce="([^"]+)"', answer.text))
        assert len(nonces) == 1
        assert f"script-src 'nonce-{nonces.pop()}'" in answer["Content-Security-Policy"]
        assert answer.text.count("<script") == answer.text.count("<script src=") == 1
        for forbidden in ("<style", " style=", " onclick=", "javascript:"):
            assert forbidden not in answer.text
