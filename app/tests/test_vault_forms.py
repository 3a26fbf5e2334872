"""The vault's forms: what each is for, and a sentence for each way to fill it in wrongly. Nothing is lost by it."""

import json
import uuid
from collections.abc import Callable
from types import SimpleNamespace

from django.utils.html import escape

from casemate.tenancy.binding import bind
from casemate.vault.models import Folder
from tests.browser import Browser
from tests.vault import HOME, TRACES, at, fields, state

SignedIn = Callable[[str], Browser]
FORM = "application/x-www-form-urlencoded"


def test_the_way_of_a_password_through_its_forms(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("bob")
    made = browser.post(f"{HOME}new/", {**fields(vault.acme, name="Firewall"), "password": " s3cret "})
    assert made.status_code == 302
    assert "Firewall" in browser.get(made.url).text
    sent = fields(vault.acme, name="Firewall 2", notes="line\r\nline", remove="url")
    assert browser.post(f"{made.url}edit/", sent).url == made.url
    assert "Version 2" in browser.get(made.url).text
    assert "Version 1" in browser.get(f"{made.url}history/").text
    shown = browser.post(f"{made.url}reveal/", {"reason": "test"}).text
    assert "> s3cret <" in shown
    assert "line\nline" in shown
    assert browser.post(f"{made.url}delete/").url == f"{HOME}trash/"
    assert "Firewall 2" in browser.get(f"{HOME}trash/").text
    assert "Firewall 2" not in browser.get(HOME).text
    assert "In the trash since" in browser.get(made.url).text
    assert browser.get(f"{made.url}edit/").status_code == 404
    refused = browser.post(f"{made.url}reveal/", {"reason": "test"})
    assert refused.status_code == 200
    assert "in the trash" in refused.text
    assert browser.post(f"{made.url}restore/").url == made.url
    assert "Firewall 2" in browser.get(HOME).text


# What is typed into which field, and what the answer says of it.
FOREIGN = "(a folder of the other organisation)"
BAD: dict[str, tuple[dict[str, str], str]] = {
    "no name": ({"name": ""}, "This field is required"),
    "a long name": ({"name": "x" * 121}, "at most 120"),
    "a name with nulls": ({"name": "a\x00b"}, "Null characters"),
    "an invisible name": ({"name": "pay\u202egnp"}, "invisible character"),
    "no folder": ({"folder": ""}, "Choose a folder"),
    "an unknown folder": ({"folder": str(uuid.uuid4())}, "no such folder"),
    "no id": ({"folder": "x"}, "no such folder"),
    "a foreign folder": ({"folder": FOREIGN}, "no such folder"),
    "a long password": ({"password": "x" * 1001}, "at most 1000"),
    "a password with nulls": ({"password": "a\x00"}, "Null characters"),
    "a user name of two lines": ({"user_name": "a\nb"}, "invisible character"),
    "a long user name": ({"user_name": "x" * 255}, "at most 254"),
    "a long address": ({"url": "x" * 2001}, "at most 2000"),
    "long notes": ({"notes": "x" * 5001}, "at most 5000"),
}
BAD_CHANGE: dict[str, tuple[dict[str, str], str]] = {
    "no version": ({"version": ""}, "This field is required"),
    "a word for a version": ({"version": "x"}, "whole number"),
    "version 0": ({"version": "0"}, "greater than or equal"),
    "a huge version": ({"version": "9" * 30}, "less than or equal"),
    "a version to come": ({"version": "2"}, "Alice saved version 1"),
    "the password removed": ({"remove": "password"}, "Only the user name"),
}
BAD_FOLDER: dict[str, tuple[dict[str, str], str]] = {
    "no name": ({"name": ""}, "This field is required"),
    "a long name": ({"name": "x" * 81}, "at most 80"),
    "a name with nulls": ({"name": "a\x00"}, "Null characters"),
    "a name that is taken": ({"name": "ACME servers"}, "already a folder of that name"),
    "an unknown place": ({"parent": str(uuid.uuid4())}, "no such folder"),
    "a foreign place": ({"parent": FOREIGN}, "no such folder"),
    "no id": ({"parent": "' OR 1=1 --"}, "no such folder"),
}


def with_foreign(vault: SimpleNamespace, typed: dict[str, str]) -> dict[str, str]:
    return {field: str(vault.globex.folder.pk) if value == FOREIGN else value for field, value in typed.items()}


def refused(browser: Browser, path: str, sent: dict[str, str], sentence: str) -> str:
    """The page of a refused form; the script of the page is told the same."""
    answer = browser.post(path, sent)
    assert answer.status_code == 200, sentence
    assert sentence in answer.text
    told = json.loads(browser.post(path, sent, HTTP_ACCEPT="application/json").content)
    assert sentence in json.dumps(told["errors"])
    return answer.text


def test_a_password_filled_in_wrongly(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("bob")
    before = state()
    forms = {f"{HOME}new/": BAD, at(vault.acme, "edit/"): BAD | BAD_CHANGE}
    for path, cases in forms.items():
        for typed, sentence in cases.values():
            own = {"name": '<b>"kept"', "password": "typed-secret", "user_name": "kept user"}
            sent = fields(vault.acme, **{**own, **with_foreign(vault, typed)})
            page = refused(browser, path, sent, sentence)
            assert "typed-secret" not in page, "what was typed as a password never comes back"
            assert all(escape(sent[field]) in page for field in {"name", "user_name"} - typed.keys())
            assert "<b>" not in page
    assert state() == before


def test_a_folder_filled_in_wrongly(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("adam")
    before = state()
    for path in (f"{HOME}folders/new/", f"{HOME}folders/{vault.acme.open.pk}/"):
        for typed, sentence in BAD_FOLDER.values():
            page = refused(browser, path, {"name": "<i>kept</i>", "parent": "", **with_foreign(vault, typed)}, sentence)
            assert "name" in typed or "&lt;i&gt;kept&lt;/i&gt;" in page
            assert "<i>" not in page
    itself = {"name": "x", "parent": str(vault.acme.open.pk)}
    refused(browser, f"{HOME}folders/{vault.acme.open.pk}/", itself, "no such folder")
    assert state() == before


def test_two_editors_of_one_form(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    path, bob, adam = at(vault.acme, "edit/"), signed_in("bob"), signed_in("adam")
    sent = fields(vault.acme, name="adams name", user_name="adams user", password="adams secret", remove="notes")
    assert bob.post(path, fields(vault.acme, name="bobs name")).status_code == 302
    page = refused(adam, path, sent, "Bob saved version 2")
    assert 'value="adams name"' in page
    assert 'value="adams user"' in page
    assert "adams secret" not in page
    assert 'name="version" value="2"' in page
    assert 'value="notes" id="id_remove_2" checked' in page
    told = json.loads(adam.post(path, sent, HTTP_ACCEPT="application/json").content)
    assert told["version"] == "2", "the script puts it into the form, which kept the secret"
    assert adam.post(path, {**sent, "version": told["version"]}).status_code == 302


def test_the_script_is_told_where_to_go(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    answer = signed_in("bob").post(at(vault.acme, "edit/"), fields(vault.acme), HTTP_ACCEPT="application/json")
    assert json.loads(answer.content) == {"go": at(vault.acme)}


def test_a_folder_is_made_and_changed(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("adam")
    assert browser.post(f"{HOME}folders/new/", {"name": "<b>new</b>", "reason_required": "on"}).status_code == 302
    assert "&lt;b&gt;new&lt;/b&gt;" in browser.get(f"{HOME}folders/").text
    path = f"{HOME}folders/{vault.acme.open.pk}/"
    assert browser.post(path, {"name": "guests", "parent": ""}).status_code == 302
    with bind(vault.acme.organization):
        folder = Folder.objects.get(pk=vault.acme.open.pk)
    assert (folder.name, folder.parent_id, folder.reason_required) == ("guests", None, False)


MALFORMED = [
    (FORM, b"name=%ff%fe&password=%00&folder=%c3%28&reason=%ff"),
    (FORM, b"\xff\xfe\x00\x01"),
    (FORM + "; charset=utf-16", "name=a".encode("utf-16")),
    (FORM, b"&".join(b"a%d=1" % n for n in range(60))),
    (FORM, b"name=" + b"x" * 70_000),
    (FORM, b"name=a&name=&folder[]=1&reason=a&reason="),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="nothing"\r\n\r\nno end'),
    ("application/json", b'{"name": {"$ne": null}}'),
    ("", b""),
]


def test_a_malformed_body_is_answered_and_changes_nothing(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("alice")
    browser.raise_request_exception = False
    before = state()
    tails = ("edit/", "reveal/", "copy/")
    for content_type, body in MALFORMED:
        for path in (f"{HOME}new/", f"{HOME}folders/new/", *(at(vault.acme, tail) for tail in tails)):
            answer = browser.generic("POST", path, body, content_type=content_type)
            assert answer.status_code in {200, 400, 413}, (path, body[:50])
            assert not any(trace in answer.text for trace in TRACES)
    assert state() == before, "a page of 200 was the form again"
