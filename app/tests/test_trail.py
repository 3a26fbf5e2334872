"""The audit pages: who may read which stream, what they find in it, and at what cost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from casemate.audit.actions import Action
from casemate.audit.models import Event
from casemate.audit.origin import TERMINAL, Actor, Origin, Target
from casemate.audit.search import Search, page
from casemate.audit.services import begin_stream, record
from casemate.audit.words import WORDS, label, to_whom, what, who
from tests.browser import ADDRESS, Browser

SignedIn = Callable[[str], Browser]


def write(stream: object, count: int = 1, **event: object) -> None:
    given = {"actor": TERMINAL, "origin": Origin(), "success": True, **event}
    with transaction.atomic():
        for n in range(count):
            label = str(given.pop("label", None) or f"thing {n + 1}")
            record(
                given.pop("action", None) or Action.MEMBER_ADDED,  # type: ignore[arg-type]
                **{"target": Target("user", f"id-{n + 1}", label), **given},  # type: ignore[arg-type]
                stream=str(stream),
            )


def found(browser: Browser, **query: str) -> str:
    answer = browser.get("/o/acme/audit/", query)
    assert answer.status_code == 200
    return answer.text


# Words


def test_each_event_has_its_words() -> None:
    assert set(WORDS) == set(Action)
    for action, words in WORDS.items():
        assert words.done or words.failed, action
        assert label(action)
        assert action.value not in label(action)
    labels = [label(action) for action in Action]
    assert len(labels) == len(set(labels)), "two events cannot be told apart in the list to choose from"


def test_an_event_of_a_release_to_come_is_told_by_its_name() -> None:
    event = Event(action="teams.merge", actor_kind="robot", success=True)
    assert (who(event), what(event)) == ("Somebody unknown", "teams.merge")


@pytest.mark.parametrize(
    ("success", "words"), [(True, ("gave their second factor", "")), (False, ("gave a wrong second factor", ""))]
)
def test_who_acts_for_themselves_is_named_once(success: bool, words: tuple[str, str]) -> None:
    event = Event(action=Action.TOTP_CHECKED, actor="1", target_id="1", target_label="bob", success=success)
    assert (what(event), to_whom(event)) == words
    event.target_id = "2"
    assert to_whom(event) == "bob"


# Who reads what


@pytest.mark.parametrize(
    ("name", "status"),
    [("alice", 200), ("adam", 200), ("arthur", 200), ("bob", 403), ("carol", 403), ("mallory", 404), ("olga", 404)],
)
def test_an_organisations_log_is_for_those_who_may(signed_in: SignedIn, name: str, status: int) -> None:
    assert signed_in(name).get("/o/acme/audit/").status_code == status


@pytest.mark.parametrize(
    ("name", "status"), [("olga", 200), ("alice", 403), ("arthur", 403), ("mallory", 403), ("bob", 403)]
)
def test_the_installations_log_is_for_operators(signed_in: SignedIn, name: str, status: int) -> None:
    browser = signed_in(name)
    assert browser.get("/audit/").status_code == status
    if status == 403:
        event = Event.objects.latest("pk")
        assert (event.stream, event.action) == ("installation", "organizations.access.refuse")
        assert event.detail == {"right": "operator", "times": 1}


def test_no_event_of_another_stream_is_shown_whatever_is_asked(signed_in: SignedIn, world: SimpleNamespace) -> None:
    write(world.acme.pk, label="of acme")
    write(world.globex.pk, label="of globex")
    alice, mallory, olga = signed_in("alice"), signed_in("mallory"), signed_in("olga")
    for query in ({}, {"target": "of"}, {"after": "1"}, {"before": "999"}, {"stream": str(world.acme.pk)}):
        assert "of acme" not in mallory.get("/o/globex/audit/", query).text
        assert "of globex" not in alice.get("/o/acme/audit/", query).text
        page_of_operators = olga.get("/audit/", query).text
        assert "of acme" not in page_of_operators
        assert "of globex" not in page_of_operators
    assert "of acme" in found(alice)


def test_a_loop_of_refusals_does_not_grow_the_log(signed_in: SignedIn, world: SimpleNamespace) -> None:
    carol, mallory = signed_in("carol"), signed_in("mallory")
    for _ in range(25):
        carol.get("/o/acme/audit/")
        mallory.get("/o/acme/audit/")
    own = Event.objects.filter(stream=str(world.acme.pk)).order_by("pk")
    assert [e.detail["times"] for e in own] == [1, 10]
    strangers = Event.objects.filter(action=Action.ORGANIZATION_UNKNOWN).order_by("pk")
    assert [e.detail["times"] for e in strangers] == [1, 10]


# What it shows


def test_an_event_says_when_who_what_to_whom_and_from_where(signed_in: SignedIn, world: SimpleNamespace) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 8, 30, 7, tzinfo=UTC)):
        write(
            world.acme.pk,
            action=Action.MEMBER_ROLE_CHANGED,
            actor=Actor.person(world.alice),
            origin=Origin(ip=ADDRESS),
            label="bob@acme.example",
            detail={"before": "viewer", "role": "editor"},
        )
    text = found(signed_in("arthur"))
    for part in ("2026-03-01 08:30:07", world.alice.email, "changed the role of", "bob@acme.example", ADDRESS):
        assert part in text
    assert "before: viewer · role: editor" in text


def test_markup_in_an_event_is_shown_as_text(signed_in: SignedIn, world: SimpleNamespace) -> None:
    evil = "<script>alert(1)</script>"
    write(world.acme.pk, label=evil, detail={"reason": evil})
    text = found(signed_in("alice"), target="<script>")
    assert "<script>" not in text
    assert text.count(escape(evil)) == 2


def test_an_empty_log_says_so(signed_in: SignedIn, world: SimpleNamespace) -> None:
    browser = signed_in("alice")
    assert "Nothing has happened yet." in found(browser)
    assert "No event is like that." in found(browser, target="x")


# Looking for something


@pytest.fixture
def events(world: SimpleNamespace) -> None:
    for day, fields in (
        (1, {"action": Action.MEMBER_ADDED, "label": "Bob Över"}),
        (2, {"action": Action.MEMBER_ENDED, "label": "100% Carol_", "actor": Actor.person(world.alice)}),
        (3, {"action": Action.ACCESS_REFUSED, "label": "Acme", "actor": Actor.person(world.bob), "success": False}),
    ):
        with time_machine.travel(datetime(2026, 3, day, 23, 59, 59, tzinfo=UTC)):
            write(world.acme.pk, **fields)


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({}, [3, 2, 1]),
        ({"action": "organizations.member.end"}, [2]),
        ({"actor": "ALICE"}, [2]),
        ({"actor": "acme.example"}, [3, 2]),
        ({"target": "bob över"}, [1]),
        ({"target": "id-1"}, [3, 2, 1]),
        ({"target": "id-"}, []),
        ({"target": "100%"}, [2]),
        ({"target": "%"}, [2]),
        ({"target": "_"}, [2]),
        ({"target": "'; DROP TABLE event; --"}, []),
        ({"since": "2026-03-02"}, [3, 2]),
        ({"until": "2026-03-02"}, [2, 1]),
        ({"since": "2026-03-02", "until": "2026-03-02"}, [2]),
        ({"since": "0001-01-01", "until": "9999-12-31"}, [3, 2, 1]),
        ({"success": "no"}, [3]),
        ({"success": "yes", "actor": "alice"}, [2]),
        ({"success": "no", "actor": "alice"}, []),
    ],
)
def test_a_filter_leaves_what_is_like_it(
    signed_in: SignedIn, events: None, query: dict[str, str], days: list[int]
) -> None:
    text = found(signed_in("alice"), **query)
    shown = sorted((day for day in (1, 2, 3) if f"2026-03-0{day} 23:59:59" in text), reverse=True)
    assert shown == days


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"action": "sudo"}, "Choose one of the events that are listed."),
        ({"action": "accounts.sign_in"}, "Choose one of the events that are listed."),
        ({"success": "maybe"}, "Choose one of the outcomes that are listed."),
        ({"since": "yesterday"}, "Enter a day as year-month-day, such as 2026-11-30."),
        ({"since": "2026-02-30"}, "Enter a day as year-month-day, such as 2026-11-30."),
        ({"until": "99999-01-01"}, "Enter a day as year-month-day, such as 2026-11-30."),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "The last day is before the first one."),
        ({"actor": "x" * 255}, "Ensure this value has at most 254 characters"),
        ({"target": "a\x00b"}, "Null characters are not allowed."),
        ({"before": "0"}, "That page is not one of this list"),
        ({"before": "-1"}, "That page is not one of this list"),
        ({"after": "x"}, "That page is not one of this list"),
        ({"after": str(2**63)}, "That page is not one of this list"),
    ],
)
def test_a_filter_that_is_none_gets_a_sentence(
    signed_in: SignedIn, events: None, query: dict[str, str], sentence: str
) -> None:
    text = found(signed_in("alice"), **query)
    assert sentence in text
    assert "23:59:59" not in text, "and no event as if it had been understood"


@pytest.mark.parametrize("query", ["actor=%ff%fe", "since=%C3%28", "actor=a&actor=b", "&&&==", "actor[]=x", "%00=1"])
def test_no_query_breaks_the_page(signed_in: SignedIn, events: None, query: str) -> None:
    assert signed_in("alice").get("/o/acme/audit/?" + query).status_code == 200


# Page by page


def test_pages_of_fifty_go_there_and_back(db: None) -> None:
    begin_stream("long")
    write("long", 120)

    def numbers(**query: object) -> tuple[list[int], int | None, int | None]:
        search = Search(query, actions=list(Action))
        assert search.is_valid(), search.errors
        shown = page(search, "long")
        return [line.event.seq for line in shown.lines], shown.older, shown.newer

    newest, older, newer = numbers()
    assert (newest, newer) == (list(range(120, 70, -1)), None)
    middle, older, newer = numbers(before=older)
    assert (middle, newer) == (list(range(70, 20, -1)), 70)
    last, older, back = numbers(before=older)
    assert (last, older, back) == (list(range(20, 0, -1)), None, 20)
    assert numbers(after=back)[0] == middle
    assert numbers(after=newer) == (newest, 71, None)
    assert numbers(before=1) == ([], None, None)


def test_the_links_keep_what_is_looked_for(signed_in: SignedIn, world: SimpleNamespace) -> None:
    write(world.acme.pk, 60, actor=Actor.person(world.alice))
    browser = signed_in("alice")
    text = found(browser, actor="alice", success="yes")
    assert 'href="?actor=alice&amp;success=yes&amp;before=11"' in text
    text = found(browser, actor="alice", success="yes", before="11")
    assert 'href="?actor=alice&amp;success=yes&amp;after=10"' in text
    assert "Older" not in text


@pytest.mark.parametrize("query", [{}, {"actor": "alice", "since": "2026-01-01"}, {"before": "70"}, {"after": "3"}])
def test_a_page_of_fifty_costs_no_more_than_eight_queries(
    signed_in: SignedIn, world: SimpleNamespace, query: dict[str, str]
) -> None:
    write(world.acme.pk, 120, actor=Actor.person(world.alice))
    browser = signed_in("alice")
    with CaptureQueriesContext(connection) as queries:
        found(browser, **query)
    assert len(queries) <= 5, "\n".join(q["sql"] for q in queries)


def test_other_pages_cost_no_more_either(signed_in: SignedIn, world: SimpleNamespace) -> None:
    alice, olga = signed_in("alice"), signed_in("olga")
    member = world.membership["bob"].pk
    for browser, path in (
        (alice, "/o/acme/"),
        (alice, "/o/acme/members/"),
        (alice, f"/o/acme/members/{member}/"),
        (alice, f"/o/acme/members/{member}/confirm/"),
        (alice, f"/o/acme/members/{member}/end/"),
        (alice, "/step-up/"),
        (olga, "/audit/"),
    ):
        with CaptureQueriesContext(connection) as queries:
            browser.get(path)
        assert len(queries) <= 8, path


def test_the_database_finds_a_page_of_a_long_log_by_its_index(db: None) -> None:
    begin_stream("long")
    write("long", 200)
    for query in ({"before": "100"}, {"action": "organizations.member.add"}):
        search = Search(query, actions=list(Action))
        assert search.is_valid()
        plan = search.events("long").order_by("-seq")[:51].explain()
        assert "ALL" not in plan.split(), plan


def test_the_days_of_a_stream_are_in_the_order_of_its_numbers(db: None) -> None:
    """Why newest first by number is newest first by time."""
    begin_stream("long")
    write("long", 20)
    times = list(Event.objects.filter(stream="long").order_by("seq").values_list("at", flat=True))
    assert times == sorted(times)
    assert times[-1] - times[0] < timedelta(minutes=1)
