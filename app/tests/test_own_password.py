"""A new password for somebody who has one: at their own page, and by root at the terminal."""

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.utils.html import escape

from casemate.accounts import new_passwords, services
from casemate.accounts.assurance import Assurance, StepUpRequired
from casemate.accounts.models import Session, TotpDevice, User
from casemate.audit.models import Event
from casemate.audit.words import to_whom, what, who
from tests.browser import ADDRESS, PASSWORD, Browser, code_of

NEW = "a lighthouse for nine herons"
PAGE = "/password/"
NOT_RIGHT = "That is not your current password."
Trail = Callable[[], list[tuple[str, bool]]]


@pytest.fixture
def bob(signed_in: Callable[[str], Browser]) -> Browser:
    return signed_in("bob")


def change(browser: Browser, *, current: str = PASSWORD, new: str = NEW, again: str = "") -> HttpResponse:
    return browser.post(PAGE, {"current": current, "password": new, "again": again or new})


def opens(user: User, password: str) -> bool:
    return Browser(address="198.51.100.4").give_password(user, password).status_code == 302


def test_bob_changes_his_password_and_signs_in_by_the_new_one_alone(world: SimpleNamespace, bob: Browser) -> None:
    assert PAGE in bob.get("/").text
    assert change(bob).url == "/"
    assert (opens(world.bob, PASSWORD), opens(world.bob, NEW)) == (False, True)
    assert User.objects.get(pk=world.alice.pk).check_password(PASSWORD), "nobody else's changed"


def test_the_page_lists_the_rules_and_says_to_a_password_manager_what_each_field_is(bob: Browser) -> None:
    page = bob.get(PAGE).text
    assert [rule for rule in password_validators_help_texts() if f"<li>{escape(rule)}</li>" not in page] == []
    told = [page.count(f'autocomplete="{word}"') for word in ("username", "current-password", "new-password")]
    assert told == [1, 1, 2]


def test_this_session_goes_on_by_a_new_key_and_the_old_key_opens_nothing(bob: Browser) -> None:
    name = settings.SESSION_COOKIE_NAME
    before = bob.cookies[name].value
    change(bob)
    assert bob.get("/").status_code == 200
    assert bob.cookies[name].value != before
    stale = Browser()
    stale.cookies[name] = before
    assert stale.get("/").url == "/sign-in/"


def test_all_other_sessions_of_bob_end_and_nobody_elses(world: SimpleNamespace, bob: Browser, alice: Browser) -> None:
    stolen, waiting = Browser(), Browser()
    stolen.sign_in(world.bob, steps=1)
    waiting.give_password(world.bob)
    assert stolen.get("/").status_code == 200
    change(bob)
    assert [browser.get("/").url for browser in (stolen, waiting)] == ["/sign-in/"] * 2
    assert alice.get("/").status_code == 200
    assert Session.objects.filter(user=world.bob).count() == 1


def test_a_link_that_was_not_used_opens_nothing_after_it(world: SimpleNamespace, bob: Browser) -> None:
    _user, token = services.issue_enrolment_link(email=world.bob.email, again=True)
    assert Browser().get(f"/enrol/{token}/").status_code == 200
    change(bob)
    assert Browser().get(f"/enrol/{token}/").status_code == 410


def test_the_event_says_who_whose_and_from_where_and_nothing_of_either_password(
    world: SimpleNamespace, bob: Browser, trail: Trail
) -> None:
    Browser().give_password(world.bob)
    before = len(trail())
    change(bob, current="a guess with many oddities")
    change(bob)
    assert trail()[before:] == [
        ("accounts.password.check", False),
        ("accounts.password.set", True),
        ("accounts.sessions.end", True),
    ]
    event = Event.objects.get(action="accounts.password.set")
    person = (str(world.bob.pk), world.bob.email)
    assert (event.actor, event.actor_label) == (event.target_id, event.target_label) == person
    assert (event.ip, event.path, event.detail) == (ADDRESS, PAGE, {})
    assert f"{who(event)} {what(event)}" == f"{world.bob.email} set their password"
    row = User.objects.get(pk=world.bob.pk).password
    secrets = [*PASSWORD.split(), *NEW.split(), "guess", "oddities", row.split("$")[-1], row]
    told = str([list(values.values()) for values in Event.objects.values()])
    assert [secret for secret in secrets if len(secret) > 3 and secret in told] == []


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"current": "not the one"}, NOT_RIGHT),
        ({"current": ""}, "required"),
        ({"current": "x" * 257}, "at most 256 characters"),
        ({"new": PASSWORD}, "That is what you gave as the current one: choose another."),
        ({"again": "something else entirely"}, "The two passwords are not the same."),
        ({"new": "short"}, "at least 12 characters"),
        ({"new": "bob@acme.example"}, "too similar"),
        ({"new": "2024-dragon-2024"}, "common password with something around it"),
        ({"new": "our own CaseMate door"}, "name of this service"),
        ({"new": "seven quiet\x00otters row"}, "Null characters"),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(
    world: SimpleNamespace, bob: Browser, trail: Trail, typed: dict[str, str], sentence: str
) -> None:
    before = User.objects.get(pk=world.bob.pk).password
    answer = change(bob, **typed)
    assert answer.status_code == 200
    assert sentence in answer.text
    assert 'aria-invalid="true"' in answer.text
    fields = re.findall(r'<input type="password"[^>]*>', answer.text)
    assert ["value=" in field for field in fields] == [False] * 3, "what was typed does not come back"
    assert User.objects.get(pk=world.bob.pk).password == before
    assert ("accounts.password.set", True) not in trail()


def test_a_new_password_that_is_refused_says_nothing_of_the_current_one(
    world: SimpleNamespace, bob: Browser, trail: Trail
) -> None:
    """Else one could ask of a session without being counted: the same page for a right guess and a wrong one."""
    before = len(trail())
    pages = [change(bob, current=guess, new="short").text for guess in (PASSWORD, "a wrong guess")]
    assert pages[0].count("problem") == pages[1].count("problem")
    assert NOT_RIGHT not in pages[0] + pages[1]
    assert (trail()[before:], AccessAttempt.objects.count()) == ([], 0)


def test_the_fifth_wrong_current_password_locks_and_the_right_one_comes_too_late(
    world: SimpleNamespace, bob: Browser, trail: Trail
) -> None:
    assert [change(bob, current="wrong").status_code for _ in range(5)] == [200] * 4 + [429]
    answer = change(bob)
    assert (answer.status_code, answer["Retry-After"]) == (429, "3600")
    assert trail()[-3:] == [
        ("accounts.password.check", False),
        ("accounts.lock_out", False),
        ("accounts.password.check", False),
    ]
    assert User.objects.get(pk=world.bob.pk).check_password(PASSWORD)
    assert Browser().give_password(world.bob).status_code == 429, "it is the same count as at sign-in"
    assert opens(world.bob, PASSWORD), "and of this address alone"


def test_an_open_browser_is_no_place_to_guess_with_a_telephone_that_lies_beside_it(
    world: SimpleNamespace, bob: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second factor that is right begins the count of an address anew, and an address is changed easily."""
    answers = []
    for number in range(12):
        AccessAttempt.objects.all().delete()
        bob.defaults["HTTP_X_REAL_IP"] = f"198.51.100.{number}"
        answers.append(change(bob, current="wrong").status_code)
    assert answers == [200] * 10 + [429] * 2
    assert change(bob).status_code == 429
    call_command("unlock", world.bob.email, stdout=io.StringIO())
    assert change(bob).url == "/"


def test_a_change_begins_the_counts_anew(world: SimpleNamespace, bob: Browser) -> None:
    for old, new in ((PASSWORD, NEW), (NEW, PASSWORD), (PASSWORD, NEW)):
        assert [change(bob, current="wrong").status_code for _ in range(4)] == [200] * 4
        assert change(bob, current=old, new=new).url == "/"
    assert not AccessAttempt.objects.exists()


def test_the_second_factor_is_asked_for_again(
    world: SimpleNamespace, bob: Browser, assurance: Callable[..., Assurance]
) -> None:
    with time_machine.travel(datetime.now(UTC) + settings.STEP_UP_AGE + timedelta(seconds=1)):
        assert bob.get(PAGE).url == change(bob).url == "/step-up/?next=%2Fpassword%2F"
    late = assurance("bob", age=settings.STEP_UP_AGE + timedelta(seconds=1))
    with pytest.raises(StepUpRequired):
        new_passwords.change(who=late, current=PASSWORD, password=NEW, session_key=None)
    assert opens(world.bob, PASSWORD)


def test_mallory_changes_her_own_and_no_other(world: SimpleNamespace, signed_in: Callable[[str], Browser]) -> None:
    mallory = signed_in("mallory")
    fields = {"current": PASSWORD, "password": NEW, "again": NEW, "username": world.bob.email, "email": world.bob.email}
    assert mallory.post(PAGE, fields).url == "/"
    assert (opens(world.bob, PASSWORD), opens(world.mallory, NEW)) == (True, True)


# At the terminal


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What `casemate changepassword` says to somebody whose password comes through a pipe."""

    def run(email: str, typed: str = f"{NEW}\n") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        out = io.StringIO()
        call_command("changepassword", email, stdout=out)
        return out.getvalue()

    return run


def test_root_sets_a_password_and_every_session_ends(
    world: SimpleNamespace, bob: Browser, alice: Browser, trail: Trail, at_terminal: Callable[..., str]
) -> None:
    _user, token = services.issue_enrolment_link(email=world.bob.email, again=True)
    before = len(trail())
    assert at_terminal("Bob@Acme.example") == f"{world.bob.email} has a new password and is signed in nowhere.\n"
    assert trail()[before:] == [("accounts.password.set", True), ("accounts.sessions.end", True)]
    assert bob.get("/").url == "/sign-in/"
    assert alice.get("/").status_code == 200
    assert Browser().get(f"/enrol/{token}/").status_code == 410
    assert (opens(world.bob, PASSWORD), opens(world.bob, NEW)) == (False, True)
    assert Browser().sign_in(world.alice, steps=1).url == "/"


def test_the_events_of_it_name_the_terminal_and_the_person(
    world: SimpleNamespace, bob: Browser, at_terminal: Callable[..., str]
) -> None:
    at_terminal(world.bob.email)
    events = Event.objects.filter(action__in=["accounts.password.set", "accounts.sessions.end"]).order_by("pk")
    assert [(event.actor_kind, event.actor, event.target_id) for event in events] == [
        ("terminal", "", str(world.bob.pk)),
    ] * 2
    assert f"{who(events[0])} {what(events[0])} {to_whom(events[0])}" == (
        f"An operator at the host set the password of {world.bob.email}"
    )
    told = str([list(values.values()) for values in Event.objects.values()])
    assert [word for word in NEW.split() if len(word) > 3 and word in told] == []


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("short\n", "at least 12 characters"),
        ("2024-dragon-2024\n", "common password"),
        ("\n", "required"),
        ("", "required"),
        ("x" * 257, "at most 256"),
    ],
)
def test_a_weak_password_is_refused_at_the_terminal_too(
    world: SimpleNamespace, bob: Browser, at_terminal: Callable[..., str], typed: str, sentence: str
) -> None:
    with pytest.raises(CommandError, match=sentence) as refusal:
        at_terminal(world.bob.email, typed)
    assert "stays as it was" in str(refusal.value)
    assert bob.get("/").status_code == 200
    assert opens(world.bob, PASSWORD)


def test_two_that_differ_are_refused_and_neither_is_shown(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    answers, asked = iter([NEW, "something else entirely"]), []
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(
        "casemate.accounts.management.commands.changepassword.getpass",
        lambda prompt: (asked.append(prompt), next(answers))[1],
    )
    with pytest.raises(CommandError, match="not the same"):
        call_command("changepassword", world.bob.email)
    assert asked == [f"New password of {world.bob.email}: ", "The same password again: "]
    assert "herons" not in str(capsys.readouterr())


def test_the_command_takes_no_password_as_an_argument(world: SimpleNamespace) -> None:
    for words in ([world.bob.email, NEW], [world.bob.email, "--password", NEW]):
        with pytest.raises(CommandError, match="unrecognized arguments"):
            call_command("changepassword", *words)
    assert opens(world.bob, PASSWORD)


def test_who_is_not_enrolled_gets_no_password_alone(world: SimpleNamespace, at_terminal: Callable[..., str]) -> None:
    TotpDevice.objects.filter(user=world.bob).delete()
    for email in (world.bob.email, "nobody@acme.example", ""):
        with pytest.raises(CommandError, match="An enrolment link lets people choose a password"):
            at_terminal(email)
    assert not Event.objects.filter(action="accounts.password.set").exists()


def test_a_browser_of_bobs_finds_its_way_back_in(world: SimpleNamespace, bob: Browser) -> None:
    change(bob)
    bob.post("/sign-out/")
    bob.give_password(world.bob, NEW)
    assert bob.give_code(code_of(world.bob, steps=1)).url == "/"
