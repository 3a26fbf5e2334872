"""APP-010 and APP-020 on what a host would tell, and the reading of pages, templates and code that they stand on."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verification.checks import typed
from verification.host import Facts
from verification.household import Household
from verification.inventory import ROOT
from verification.remote import escaping
from verification.remote.typed import shown
from verification.tests.conftest import Stage, an_inventory
from verification.tests.test_shape import EXPECTED
from verification.witness import Witness
from verification.words import State

WANTED = EXPECTED["typed"]
MARKUP = {page: {"as text": kinds, "as markup": []} for page, kinds in WANTED["shown"].items()}
LED = {"with the page's token": "/o/OWN/vault/folders/", "without a token": "403", "with a token of its own": "403"}
SCRIPT = {"led to": LED, "made": ["with the page's token"]}
READ = {"in templates": [], "in code": list(WANTED["taken_as_markup"]["in_code"]), "read": {"html": 36, "py": 128}}
MARKS = {"folder": "v3abc"}
TYPED = {"folder": '"onv3abc="\'<script/id=v3abc>'}


def failed(check: Callable[..., None], seen: dict[str, Any], inside: dict[str, Any]) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"taken_as_markup": {"value": inside}})
    host._household, host._household_parts = Household(seen, {}, 3, [], True), frozenset({"markup", "by script"})
    check(*[host, see, EXPECTED][: check.__code__.co_argcount])
    assert see.observations
    return [one.what for one in see.observations if one.state is not State.PASS]


GOOD = {"by script": SCRIPT, "markup": MARKUP}
CHECKS = (
    typed.test_a_form_that_a_script_sends_needs_the_token_of_its_page,
    typed.test_a_script_that_was_typed_is_text_on_every_page,
    typed.test_nothing_is_taken_for_markup_that_nobody_read,
)
FORM, PAGES, CODE = CHECKS


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_right_passes(check: Callable[..., None]) -> None:
    assert failed(check, GOOD, READ) == []


def test_a_form_that_is_taken_without_its_token_is_seen() -> None:
    open_to_all = {"led to": {**LED, "without a token": LED["with the page's token"]}, "made": ["with the page's token", "without a token"]}
    assert failed(FORM, {**GOOD, "by script": open_to_all}, READ)


def test_a_script_on_a_page_is_seen_and_so_is_a_page_that_shows_nothing() -> None:
    page = "/o/OWN/vault/folders/"
    markup = {"as text": ["organisation"], "as markup": ["folder"]}
    assert failed(PAGES, {**GOOD, "markup": {**MARKUP, page: markup}}, READ) == [
        f"scripts that are text on {page}",
        f"scripts that are markup on {page}",
    ]
    assert failed(PAGES, {**GOOD, "markup": {}}, READ)


def test_a_filter_and_a_call_that_nobody_read_are_seen() -> None:
    assert failed(CODE, GOOD, {**READ, "in templates": ["x.html: {{ x|safe }}"]}) == ["what templates leave unescaped"]
    assert failed(CODE, GOOD, {**READ, "in code": [*READ["in code"], "x.py: mark_safe(x)"]}) == ["what code says is markup already"]
    assert failed(CODE, GOOD, {**READ, "read": {"html": 0, "py": 0}})


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (f"<p>{html.escape(TYPED['folder'])}</p>", {"as text": ["folder"], "as markup": []}),
        (f'<input value="{html.escape(TYPED["folder"])}">', {"as text": ["folder"], "as markup": []}),
        (f"<p>{TYPED['folder']}</p>", {"as text": [], "as markup": ["folder"]}),
        (f'<input value="{TYPED["folder"]}">', {"as text": [], "as markup": ["folder"]}),
        (f'<input value="{TYPED["folder"].replace("<", "&lt;")}">', {"as text": [], "as markup": ["folder"]}),
        (f"<input value='{TYPED['folder']}'>", {"as text": [], "as markup": ["folder"]}),
        (f"<title>{TYPED['folder']}</title>", {"as text": [], "as markup": ["folder"]}),
        ("<p>nothing</p>", {"as text": [], "as markup": []}),
    ],
)
def test_text_is_told_from_markup(body: str, found: dict[str, list[str]]) -> None:
    assert shown(body, MARKS, TYPED) == found


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("x.html", "<p>{{ x|safe }}</p>{{ y }}", ["{{ x|safe }}"]),
        ("x.html", "{{ rows | safeseq | join:', ' }}", ["{{ rows | safeseq | join:', ' }}"]),
        ("x.html", "{% autoescape off %}{{ x }}{% endautoescape %}", ["{% autoescape off %}"]),
        ("x.html", "{{ unsafe }}{{ x|default:'safe' }}", []),
        ("x.py", "from django.utils.safestring import mark_safe as ok", ["from django.utils.safestring import mark_safe as ok"]),
        ("x.py", "return format_html('<b>{}</b>', x)  # why\n# mark_safe", ["return format_html('<b>{}</b>', x)"]),
    ],
)
def test_what_is_taken_for_markup_is_found(tmp_path: Path, name: str, text: str, found: list[str]) -> None:
    (tmp_path / name).write_text(text)
    assert escaping.places(tmp_path / name) == found


def test_the_release_that_is_built_here_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "python3.13" / "site-packages" / "casemate"
    package.parent.mkdir(parents=True)
    package.symlink_to(ROOT / "app" / "casemate")
    monkeypatch.setattr(escaping, "PACKAGE", str(tmp_path))
    assert failed(CODE, GOOD, escaping.taken_as_markup({})) == []
