import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from casemate.audit.actions import Action
from casemate.audit.chain import canonical, mac_of, verify
from casemate.audit.models import GENESIS, ChainHead, Event
from casemate.audit.origin import STRANGER, TERMINAL, Actor, Origin, Target
from casemate.audit.services import committed, record
from casemate.audit.text import visible
from casemate.configuration import KeySet


@pytest.fixture
def stream(db: None) -> str:
    """A stream of its own: the installation's goes on through all tests."""
    return new_stream("test")


def new_stream(name: str) -> str:
    ChainHead.objects.create(stream=name, seq=0, mac=GENESIS)
    return name


def write(stream: str, count: int = 1) -> list[Event]:
    with transaction.atomic():
        return [
            record(Action.SMOKE_TESTED, actor=TERMINAL, origin=Origin(), success=True, stream=stream)
            for _ in range(count)
        ]


def test_events_are_numbered_and_chained(stream: str) -> None:
    first, second = write(stream, 2)
    assert (first.seq, first.prev) == (1, GENESIS)
    assert (second.seq, second.prev) == (2, first.mac)
    report = verify(stream)
    assert (report.events, report.problems) == (2, [])


def test_an_empty_stream_is_intact_and_one_without_a_head_is_not(stream: str) -> None:
    assert verify(stream).intact
    assert verify("nowhere").problems == ["The stream has no head."]


def test_an_event_keeps_what_it_was_told(stream: str, world: SimpleNamespace) -> None:
    with transaction.atomic():
        record(
            Action.SIGNED_IN,
            actor=Actor.person(world.alice),
            origin=Origin(ip="192.0.2.7", user_agent="Firefox", path="/sign-in/"),
            target=Target.person(world.bob),
            success=True,
            detail={"result": "right", "ended": 3, "again": True},
            stream=stream,
        )
    event = Event.objects.get(stream=stream)
    assert (event.actor, event.actor_label) == (str(world.alice.pk), "alice@acme.example")
    assert (event.target_type, event.target_label) == ("user", "bob@acme.example")
    assert (event.action, event.ip, event.path) == ("accounts.sign_in", "192.0.2.7", "/sign-in/")
    assert event.detail == {"result": "right", "ended": 3, "again": True}
    assert verify(stream).intact


@pytest.mark.django_db(transaction=True)
def test_an_event_cannot_be_recorded_outside_a_transaction() -> None:
    with pytest.raises(RuntimeError, match="in the transaction"):
        record(Action.SIGNED_IN, actor=STRANGER, origin=Origin(), success=True)


@pytest.mark.parametrize("name", ["password", "totp_seed", "Token", "api_key", "session_id", "code"])
def test_a_detail_with_the_name_of_a_secret_is_refused(stream: str, name: str) -> None:
    with pytest.raises(ValueError, match="keeps no secrets"), transaction.atomic():
        record(Action.SIGNED_IN, actor=STRANGER, origin=Origin(), success=True, detail={name: "x"}, stream=stream)


def test_an_action_outside_the_list_is_refused(stream: str) -> None:
    with pytest.raises(ValueError, match="is not a valid Action"), transaction.atomic():
        record("accounts.invented", actor=STRANGER, origin=Origin(), success=True, stream=stream)  # type: ignore[arg-type]


def test_what_is_rolled_back_leaves_no_event_and_no_gap(stream: str) -> None:
    write(stream)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        write(stream)
        _ = 1 / 0
    write(stream)
    report = verify(stream)
    assert (report.events, report.problems) == (2, [])


@pytest.mark.parametrize(
    "change",
    [
        lambda stream: Event.objects.filter(stream=stream).update(success=False),
        lambda stream: Event.objects.filter(stream=stream).delete(),
        lambda stream: ChainHead.objects.filter(stream=stream).delete(),
        lambda stream: ChainHead.objects.filter(stream=stream).update(seq=1, mac=GENESIS),
        lambda stream: ChainHead.objects.filter(stream=stream).update(seq=9),
        lambda stream: ChainHead.objects.filter(stream=stream).update(stream="other"),
        lambda stream: ChainHead.objects.filter(stream=stream).update(mac=GENESIS),
    ],
)
def test_the_database_refuses_to_change_the_log(stream: str, change: Callable[[str], object]) -> None:
    write(stream, 2)
    with (
        pytest.raises(DatabaseError, match=r"An audit event is never|The head of an audit chain"),
        transaction.atomic(),
    ):
        change(stream)
    assert verify(stream).intact


def test_a_number_is_given_once(stream: str) -> None:
    (event,) = write(stream)
    event.pk = None
    with pytest.raises(DatabaseError, match="one_event_a_number"), transaction.atomic():
        event.save(force_insert=True)


def head_to(stream: str, seq: int) -> None:
    """Walk the head on to an event, as its trigger demands: one by one."""
    for event in Event.objects.filter(stream=stream, seq__lte=seq).order_by("seq"):
        ChainHead.objects.filter(stream=stream).update(seq=event.seq, mac=event.mac)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"success": False}, "Event 2 was changed."),
        ({"target_label": "nobody"}, "Event 2 was changed."),
        ({"at": datetime(2020, 1, 1, tzinfo=UTC)}, "Event 2 was changed."),
        ({"mac": "f" * 64}, "Event 2 was changed."),
        ({"prev": "f" * 64}, "Event 2 does not follow the one before it."),
        ({"key_id": "99"}, "Event 2 was signed with the key 99, which is not among the credentials."),
        ({"seq": 7}, "Event 2 is missing: the next one is 3."),
    ],
)
def test_verify_finds_what_was_changed(stream: str, changes: dict[str, object], problem: str) -> None:
    previous = GENESIS
    for seq in (1, 2, 3):
        event = signed(stream, seq, previous)
        previous = event.mac
        for name, value in (changes if seq == 2 else {}).items():
            setattr(event, name, value)
        event.save(force_insert=True)
    head_to(stream, 1)
    assert verify(stream).problems[0] == problem


def signed(stream: str, seq: int, previous: str) -> Event:
    key_id, key = settings.AUDIT_KEYS.newest
    event = Event(
        stream=stream,
        seq=seq,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        actor_kind="terminal",
        action=Action.SMOKE_TESTED.value,
        success=True,
        key_id=key_id,
        prev=previous,
    )
    event.mac = mac_of(event, key)
    return event


def test_verify_finds_a_cut_off_tail(stream: str) -> None:
    first = signed(stream, 1, GENESIS)
    first.save(force_insert=True)
    head_to(stream, 1)
    ChainHead.objects.filter(stream=stream).update(seq=2, mac="a" * 64)
    assert verify(stream).problems == ["The head says 2 events; the last ones are gone or are others."]


def test_an_older_key_still_verifies_and_the_newest_one_signs(stream: str, settings: Any) -> None:
    write(stream)
    older, _key = settings.AUDIT_KEYS.newest
    newest = str(int(older) + 1)
    settings.AUDIT_KEYS = KeySet({**settings.AUDIT_KEYS, newest: b"k" * 32}, name="audit-keys")
    write(stream)
    assert list(Event.objects.filter(stream=stream).values_list("key_id", flat=True)) == [older, newest]
    assert verify(stream).intact


@pytest.mark.django_db(transaction=True)
def test_two_writers_share_one_chain() -> None:
    stream, each = new_stream("two-writers"), 40
    problems: list[BaseException] = []

    def writer() -> None:
        try:
            for _ in range(each):
                committed(lambda: write(stream))()
        except BaseException as problem:  # noqa: BLE001  told in the main thread
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=writer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert problems == []
    report = verify(stream)
    assert (report.events, report.problems) == (2 * each, [])


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_is_tried_again_and_another_error_is_not() -> None:
    tries = []

    @committed
    def unlucky(number: int, failures: int) -> str:
        tries.append(number)
        if len(tries) <= failures:
            raise OperationalError(number, "told by the database")
        return "done"

    assert unlucky(1213, 2) == "done"
    assert len(tries) == 3
    tries.clear()
    with pytest.raises(OperationalError):
        unlucky(1205, 99)
    assert len(tries) == 5
    tries.clear()
    with pytest.raises(OperationalError):
        unlucky(1142, 99)
    assert len(tries) == 1


@pytest.mark.django_db(transaction=True)
def test_a_committed_service_refuses_to_be_part_of_a_larger_transaction() -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        committed(lambda: None)()


@given(text=st.text(max_size=80), limit=st.integers(min_value=1, max_value=40))
def test_text_of_strangers_stays_one_bounded_visible_line(text: str, limit: int) -> None:
    shown = visible(text, limit)
    assert len(shown) <= limit
    assert shown.isprintable()
    assert visible(shown, limit) == shown


def test_text_shows_what_cannot_be_seen() -> None:
    assert visible("a\nb\x00c\u202ed", 40) == "a\\nb\\x00c\\u202ed"
    assert visible("x" * 50, 10) == "xxxxxxxxx…"


def test_the_canonical_form_is_fixed(stream: str) -> None:
    """A changed form would break every chain that exists."""
    event = signed(stream, 1, GENESIS)
    event.key_id = "1"
    assert canonical(event) == (
        b'{"action":"audit.smoke","actor":"","actor_kind":"terminal","actor_label":"",'
        b'"at":"2026-01-01T00:00:00.000000+00:00","detail":{},"ip":"","key_id":"1","path":"","seq":1,'
        b'"stream":"test","success":true,"target_id":"","target_label":"","target_type":"","user_agent":""}'
    )
