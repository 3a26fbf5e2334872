"""Five wrong tries from one address lock it out for an hour: for that person, at that address, and nowhere else."""

import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from casemate import limiter
from casemate.accounts.lockout import neighbourhood
from casemate.accounts.models import TotpDevice, User
from casemate.audit.models import Event
from casemate.log import OneLine
from tests.browser import ADDRESS, PASSWORD, Browser, code_of

SENTENCE = "There were too many tries from your address; wait 60 minutes."
WRONG = "The e-mail address or the password is not right."
ELSEWHERE = "198.51.100.4"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(datetime(2026, 5, 1, 12, 0, 5, tzinfo=UTC), tick=False) as clock:
        yield clock


@pytest.fixture
def unlimited(monkeypatch: Any) -> None:
    """The limiter out of the way: its limits are higher, but frozen clocks do not move valkey's."""
    monkeypatch.setattr(limiter, "require", lambda *_args, **_kwargs: None)


def wrong(browser: Browser, email: str, times: int = 1) -> list[int]:
    return [browser.post("/sign-in/", {"email": email, "password": "wrong"}).status_code for _ in range(times)]


def test_the_fifth_wrong_password_locks_and_the_right_one_comes_too_late(world: SimpleNamespace) -> None:
    browser = Browser()
    assert wrong(browser, world.alice.email, 5) == [200, 200, 200, 200, 429]
    answer = browser.give_password(world.alice)
    assert (answer.status_code, answer["Retry-After"]) == (429, "3600")
    assert SENTENCE in answer.text
    assert browser.get("/").url == "/sign-in/"


def test_another_address_is_not_locked_out_and_neither_is_another_person(world: SimpleNamespace) -> None:
    wrong(Browser(), world.alice.email, 5)
    assert Browser(address=ELSEWHERE).give_password(world.alice).status_code == 302
    assert Browser().give_password(world.bob).status_code == 302


def test_an_unknown_person_is_answered_like_a_known_one(world: SimpleNamespace) -> None:
    def pages(email: str) -> list[tuple[int, str]]:
        browser = Browser()
        found = []
        for _ in range(6):
            answer = browser.post("/sign-in/", {"email": email, "password": "wrong"})
            found.append((answer.status_code, SENTENCE if SENTENCE in answer.text else WRONG))
        return found

    assert pages(world.alice.email) == pages("nobody@acme.example")
    one, other = (
        Browser().post("/sign-in/", {"email": e, "password": "x"}) for e in (world.alice.email, "nobody@acme.example")
    )
    assert one.text == other.text, "not a byte of the locked page depends on the person"


@pytest.mark.parametrize(("minutes", "status"), [(59, 429), (61, 302)])
def test_a_lock_ends_after_an_hour_however_often_someone_tried_meanwhile(
    world: SimpleNamespace, clock: Any, unlimited: None, minutes: int, status: int
) -> None:
    browser = Browser()
    wrong(browser, world.alice.email, 5)
    clock.shift(timedelta(minutes=30))
    assert wrong(browser, world.alice.email) == [429]
    clock.shift(timedelta(minutes=minutes - 30))
    assert browser.give_password(world.alice).status_code == status


def test_a_whole_sign_in_begins_the_count_anew_and_the_password_alone_does_not(world: SimpleNamespace) -> None:
    wrong(Browser(), world.alice.email, 4)
    Browser().give_password(world.alice)
    assert AccessAttempt.objects.get().failures_since_start == 4
    Browser().sign_in(world.alice)
    assert not AccessAttempt.objects.exists()
    assert wrong(Browser(), world.alice.email, 4) == [200] * 4


def test_wrong_codes_count_like_wrong_passwords(world: SimpleNamespace, clock: Any) -> None:
    thief = Browser(address=ELSEWHERE)
    thief.give_password(world.alice)
    answers = []
    for failures in range(5):
        answers.append(thief.give_code("000000").status_code)
        clock.shift(2**failures)
    assert answers == [200, 200, 200, 200, 429]
    assert thief.give_code(code_of(world.alice)).status_code == 429
    assert thief.give_password(world.alice).status_code == 429
    assert Browser().sign_in(world.alice).url == "/", "the owner comes in from elsewhere, the codes' wait being over"


def test_a_locked_out_address_does_not_make_the_owner_wait(world: SimpleNamespace, clock: Any) -> None:
    thief = Browser(address=ELSEWHERE)
    thief.give_password(world.alice)
    wrong(thief, world.alice.email, 5)
    for _ in range(3):
        assert thief.give_code("000000").status_code == 429
    assert TotpDevice.objects.get(user=world.alice).throttling_failure_count == 0


def test_who_has_the_password_keeps_its_owner_waiting_for_minutes_and_not_for_days(
    world: SimpleNamespace, clock: Any
) -> None:
    device = TotpDevice.objects.get(user=world.alice)
    for _ in range(40):
        device.accept("000000")
    assert device.seconds_to_wait() == 256


def test_one_address_that_tries_everybody_is_locked_out(world: SimpleNamespace) -> None:
    browser = Browser()
    answers = [wrong(browser, f"person{n}@acme.example")[0] for n in range(20)]
    assert answers == [200] * 19 + [429]
    assert browser.give_password(world.alice).status_code == 429
    assert Browser(address=ELSEWHERE).give_password(world.alice).status_code == 302


def test_a_sign_in_does_not_wash_the_address_clean(world: SimpleNamespace) -> None:
    """Mallory signs in between, with an account of her own."""
    browser = Browser()
    for n in range(19):
        wrong(browser, f"person{n}@acme.example")
    Browser().sign_in(world.mallory)
    assert wrong(browser, "person20@acme.example") == [429]


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_who_has_one_address_of_a_network_has_them_all(address: str, counts_as: str) -> None:
    assert neighbourhood(address) == counts_as


def test_an_intruder_does_not_step_aside_within_a_network(world: SimpleNamespace) -> None:
    answers = [wrong(Browser(address=f"2001:db8::{n}"), world.alice.email)[0] for n in range(1, 6)]
    assert answers == [200, 200, 200, 200, 429]


def test_another_browser_or_header_begins_no_new_count(world: SimpleNamespace) -> None:
    for n in range(4):
        Browser(HTTP_USER_AGENT=f"Firefox {n}", HTTP_X_FORWARDED_FOR=f"192.0.2.{n}").post(
            "/sign-in/", {"email": world.alice.email.upper(), "password": "wrong"}
        )
    assert wrong(Browser(), world.alice.email) == [429]
    assert AccessAttempt.objects.count() == 1


def test_nothing_that_was_typed_is_kept(world: SimpleNamespace) -> None:
    browser = Browser(HTTP_USER_AGENT="canary-agent", HTTP_ACCEPT="canary-accept")
    browser.post("/sign-in/?canary=query", {"email": world.alice.email, "password": "canary-password"})
    browser.post("/sign-in/", {"email": "canary-in-the-wrong-field", "password": "x"})
    browser.post("/sign-in/", {"email": "canary in the wrong field", "password": "x", "canary": "field"})
    assert "canary" not in str(list(AccessAttempt.objects.values()))
    assert not AccessLog.objects.exists()
    assert not AccessFailureLog.objects.exists()


def test_the_event_of_a_lock_is_written_once(world: SimpleNamespace) -> None:
    wrong(Browser(), world.alice.email, 8)
    told = [(e.target_label, e.ip, e.detail) for e in Event.objects.filter(action="accounts.lock_out")]
    assert told == [(world.alice.email, ADDRESS, {})]
    results = Event.objects.filter(action="accounts.password.check").order_by("pk").values_list("detail", flat=True)
    assert [r["result"] for r in results] == ["wrong"] * 4 + ["locked"] * 4


# What fail2ban reads


def sign_in_lines(caplog: Any) -> list[dict[str, str]]:
    return [json.loads(OneLine().format(r)) for r in caplog.records if r.name == "casemate.sign_in"]


def test_each_refusal_is_exactly_one_line_of_one_form(world: SimpleNamespace, caplog: Any) -> None:
    browser = Browser(address="203.0.113.9")
    wrong(browser, world.alice.email)  # a wrong password
    wrong(browser, "nobody@acme.example")  # an unknown person
    browser.get("/enrol/no-such-link/")  # an unknown link
    browser.give_password(world.bob)
    browser.give_code("000000")  # a wrong code
    wrong(browser, world.carol.email, 6)  # the last two are locked-out tries
    lines = sign_in_lines(caplog)
    assert len(lines) == 10
    for line in lines:
        assert list(line) == ["time", "level", "logger", "message", "request_id", "address", "reason", "person"]
        assert line["time"].endswith("+00:00")
        assert [line[name] for name in ("level", "logger", "message")] == [
            "warning",
            "casemate.sign_in",
            "sign-in refused",
        ]
        assert line["address"] == "203.0.113.9"
    assert [(line["reason"], line["person"]) for line in lines] == [
        ("wrong password", world.alice.email),
        ("wrong password", "nobody@acme.example"),
        ("unknown link", ""),
        ("wrong code", world.bob.email),
        *[("wrong password", world.carol.email)] * 4,
        *[("locked out", world.carol.email)] * 2,
    ]
    assert all(jail_sees(json.dumps(line)) == "203.0.113.9" for line in lines)


def test_a_try_that_the_limiter_stops_is_a_line_too(world: SimpleNamespace, caplog: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("casemate.accounts.tries.FOR_ONE", 0)
    assert wrong(Browser(), world.alice.email) == [429]
    (line,) = sign_in_lines(caplog)
    assert (line["reason"], line["person"]) == ("too many tries", world.alice.email)


HOSTILE = {
    '"x\\",\\"address\\":\\"198.51.100.1\\"}"@example.com': 1,
    '"\\n{\\"time\\":1}"@example.com': 1,
    '"a\x01b"@example.com': 1,
    # What is no address of mail is refused as a form, and no password is looked at.
    'nobody@example.com\n{"level": "warning", "address": "198.51.100.1"}': 0,
    "person='alice' password=hunter2": 0,
    "x" * 400 + "@example.com": 0,
    '"}': 0,
}


@pytest.mark.parametrize(("name", "count"), HOSTILE.items())
def test_the_name_that_was_given_cannot_break_the_line(name: str, count: int, db: None, caplog: Any) -> None:
    Browser(address="203.0.113.9").post("/sign-in/", {"email": name, "password": "a wrong guess"})
    written = [OneLine().format(r) for r in caplog.records if r.name == "casemate.sign_in"]
    assert len(written) == count
    for line in written:
        assert line.splitlines() == [line]
        assert line.isascii()
        assert jail_sees(line) == json.loads(line)["address"] == "203.0.113.9"
        assert "guess" not in line


@given(name=st.text(max_size=80))
def test_no_name_at_all_breaks_the_line(name: str) -> None:
    record = logging.getLogger("casemate.sign_in").makeRecord(
        *("casemate.sign_in", logging.WARNING, "", 0, "sign-in refused", (), None),
        extra={"address": "203.0.113.9", "reason": "wrong password", "person": name},
    )
    line = OneLine().format(record)
    assert line.splitlines() == [line]
    assert jail_sees(line) == "203.0.113.9"


def jail_sees(line: str) -> str:
    """The address that the filter of files/fail2ban names for a line, by a copy of its expression."""
    found = JAIL.fullmatch(line)
    return found["address"] if found else ""


JAIL = re.compile(
    r'\{"time": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "level": "warning", '
    r'"logger": "casemate\.sign_in", '
    r'"message": "sign-in refused", (?:"request_id": "[0-9a-f]{32}", )?"address": "(?P<address>[0-9a-f.:]+)", '
    r'"reason": "[a-z ]+", "person": "(?:[^"\\]|\\.)*"\}'
)


def test_what_is_right_or_no_try_is_no_line(world: SimpleNamespace, caplog: Any) -> None:
    browser = Browser()
    browser.post("/sign-in/", {"email": "", "password": ""})
    browser.sign_in(world.alice)
    browser.post("/step-up/", {"code": "000000"})  # whoever is signed in is no stranger at the door
    browser.get("/nowhere")
    assert sign_in_lines(caplog) == []


def test_axes_own_lines_stay_out_of_the_log(world: SimpleNamespace, caplog: Any) -> None:
    wrong(Browser(), world.alice.email, 6)
    Browser(address=ELSEWHERE).sign_in(world.alice)
    assert [r for r in caplog.records if r.name.startswith("axes")] == []
    assert logging.getLogger("axes.handlers.database").getEffectiveLevel() == logging.ERROR


# At the terminal


@pytest.fixture
def command(capsys: Any) -> Callable[..., str]:
    def run(*words: str) -> str:
        out = StringIO()
        call_command(*words, stdout=out)
        return out.getvalue()

    return run


def test_an_operator_unlocks_one_person_alone(world: SimpleNamespace, command: Callable[..., str]) -> None:
    for person in (world.alice, world.bob):
        wrong(Browser(), person.email, 5)
    assert f"{ADDRESS}  {world.alice.email}  5 wrong  locked out until" in command("lockouts")
    assert command("unlock", "Alice@acme.example") == f"Forgotten: tries for {world.alice.email} from {ADDRESS}.\n"
    event = Event.objects.latest("pk")
    assert (event.action, event.actor_kind, event.target_label) == ("accounts.unlock", "terminal", world.alice.email)
    assert event.detail == {"forgotten": 1}
    assert Browser().give_password(world.alice).status_code == 302
    assert Browser().give_password(world.bob).status_code == 429


def test_unlocking_takes_the_limiters_count_along(world: SimpleNamespace, command: Callable[..., str]) -> None:
    wrong(Browser(), world.alice.email, 12)
    command("unlock", world.alice.email)
    assert Browser().give_password(world.alice).status_code == 302


def test_unlocking_ends_the_wait_for_codes(world: SimpleNamespace, command: Callable[..., str]) -> None:
    browser = Browser()
    browser.give_password(world.alice)
    browser.give_code("000000")
    command("unlock", world.alice.email)
    assert browser.give_code(code_of(world.alice)).url == "/"


def test_an_address_is_unlocked_for_everybody(world: SimpleNamespace, command: Callable[..., str]) -> None:
    for n in range(20):
        wrong(Browser(), f"person{n}@acme.example")
    assert f"{ADDRESS}  everybody  20 wrong  locked out until" in command("lockouts")
    assert command("unlock", "--address", ADDRESS).count("Forgotten: ") == 20
    assert Browser().give_password(world.alice).status_code == 302
    assert command("lockouts") == "Nobody tried wrongly within the last hour.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Say whom to unlock"),
        (["nobody"], "'nobody' is not an e-mail address"),
        (["--address", "acme.example"], "'acme.example' is not an IP address"),
        (["a@b.example", "--address", "300.1.1.1"], "is not an IP address"),
    ],
)
def test_what_cannot_be_unlocked_gets_a_sentence(db: None, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("unlock", *words)
    assert not Event.objects.filter(action="accounts.unlock").exists()


def test_who_was_not_locked_is_told_so(db: None, command: Callable[..., str]) -> None:
    assert command("unlock", "a@b.example") == "There was no wrong try to forget for a@b.example.\n"


def test_who_must_set_a_password_is_counted_like_everyone(world: SimpleNamespace) -> None:
    User.objects.filter(pk=world.bob.pk).update(must_change_password=True)
    browser = Browser()
    answers = [browser.post("/sign-in/", {"email": world.bob.email, "password": PASSWORD}) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 200, 429]
