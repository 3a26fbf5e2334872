"""The pages that show a secret, and what they answer where they do not."""

import json
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.html import escape

from casemate.audit.models import Event
from tests.browser import Browser
from tests.vault import MARKS, REASON, TRACES, at, flip

SignedIn = Callable[[str], Browser]


def test_the_page_shows_it_once_and_keeps_it_nowhere(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    answer = signed_in("bob").post(at(vault.acme, "reveal/"), {"reason": REASON})
    assert answer.status_code == 200
    assert all(trace in answer.text for trace in TRACES)
    assert "<b>" not in answer.text
    assert answer["Cache-Control"] == "no-store"
    assert answer["Refresh"] == f"30; url=/o/acme/vault/{vault.acme.password.pk}/"


def test_the_form_keeps_what_was_typed(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("bob")
    for reason, sentence in (("", "asks why"), ('">' + "x" * 201, "at most 200"), ("why\x00b", "Null")):
        answer = browser.post(at(vault.acme, "reveal/"), {"reason": reason})
        assert answer.status_code == 200
        assert sentence in answer.text
        assert f'value="{escape(reason)}"' in answer.text or not reason
        assert not any(trace in answer.text for trace in TRACES)


def test_a_stale_second_factor_is_asked_for_again(vault: SimpleNamespace, signed_in: SignedIn, settings: Any) -> None:
    browser = signed_in("bob")
    settings.STEP_UP_AGE = timedelta(seconds=-1)
    for way in ("reveal/", "copy/", "history/1/reveal/"):
        answer = browser.post(at(vault.acme, way), {"reason": REASON, "part": "password"})
        assert (answer.status_code, unquote(answer.url)) == (303, f"/step-up/?next={at(vault.acme, way)}")


def test_a_copy_answers_the_script_of_the_page(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("bob")
    answer = browser.post(at(vault.acme, "copy/"), {"reason": REASON, "part": "user_name"})
    assert json.loads(answer.content) == {"text": MARKS["user_name"]}
    assert answer["Cache-Control"] == "no-store"
    assert Event.objects.latest("pk").action == "vault.password.copy"
    for fields, status, sentence in (
        ({"part": "password"}, 200, "asks why"),
        ({"part": "organization", "reason": REASON}, 200, "not one of the available choices"),
        ({"part": "password", "reason": "x" * 201}, 200, "at most 200"),
    ):
        answer = browser.post(at(vault.acme, "copy/"), fields)
        assert answer.status_code == status
        assert sentence in json.loads(answer.content)["sentence"]


@pytest.mark.django_db(transaction=True)
def test_the_page_of_a_value_that_was_changed(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    flip("vault_password", vault.acme.organization)
    browser = signed_in("bob")
    answer = browser.post(at(vault.acme, "reveal/"), {"reason": REASON})
    assert answer.status_code == 500
    assert "it was changed in the database, or its key is gone" in answer.text
    answer = browser.post(at(vault.acme, "copy/"), {"reason": REASON, "part": "password"})
    assert (answer.status_code, "text" in json.loads(answer.content)) == (500, False)


@pytest.mark.django_db(transaction=True)
def test_the_page_while_the_log_cannot_be_written(
    vault: SimpleNamespace, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = signed_in("bob")
    browser.raise_request_exception = False

    def lost(_self: Any) -> None:
        raise OperationalError(2013, "Lost connection to server during query")

    monkeypatch.setattr(BaseDatabaseWrapper, "_commit", lost)
    answer = browser.post(at(vault.acme, "reveal/"), {"reason": REASON})
    assert answer.status_code == 500
    assert not any(trace in answer.text for trace in TRACES)


def test_the_page_of_someone_in_haste(vault: SimpleNamespace, signed_in: SignedIn, two_each: None) -> None:
    browser = signed_in("bob")
    for _ in range(2):
        browser.post(at(vault.acme, "reveal/"), {"reason": REASON})
    answer = browser.post(at(vault.acme, "reveal/"), {"reason": REASON})
    assert answer.status_code == 429
    assert "Wait 1 min, then go on" in answer.text


def test_who_saw_this_stands_on_the_page(vault: SimpleNamespace, signed_in: SignedIn) -> None:
    browser = signed_in("bob")
    assert "Nobody has looked at it" in browser.get(at(vault.acme)).text
    browser.post(at(vault.acme, "reveal/"), {"reason": "<script>alert(1)</script>"})
    page = browser.get(at(vault.acme)).text
    assert "bob@acme.example" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    viewers = signed_in("carol").get(at(vault.acme)).text
    assert "bob@acme.example" not in viewers, "a viewer is not told who the members are"
    assert "Your role shows what there is" in viewers
