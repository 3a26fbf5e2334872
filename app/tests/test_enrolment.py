import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.management import CommandError, call_command

from casemate.accounts.models import EnrolmentLink, Session, TotpDevice, User
from casemate.accounts.services import issue_enrolment_link
from casemate.tenancy.models import Organization
from tests.browser import PASSWORD, Browser, code_from, code_of

Trail = Callable[[], list[tuple[str, bool]]]


@pytest.fixture
def link(db: None) -> str:
    """The path of a fresh link for carol, as the terminal prints it."""
    return path_of(email="carol@example.org", name="Carol")


def path_of(**who: Any) -> str:
    _user, token = issue_enrolment_link(**who)
    return f"/enrol/{token}/"


def choose(browser: Browser, link: str, password: str = PASSWORD, again: str | None = None) -> Any:
    return browser.post(link, {"password": password, "again": password if again is None else again})


def test_an_operator_enrols_from_link_to_profile(browser: Browser, link: str) -> None:
    assert "carol@example.org" in browser.get(link).text
    answer = choose(browser, link)
    assert (answer.status_code, answer.url) == (302, "/enrol/totp/")
    carol = User.objects.get()
    page = browser.get("/enrol/totp/").text
    assert "<svg" in page
    seed = TotpDevice.objects.get().seed.reveal()
    assert all(group in page for group in (seed[:4], seed[-4:]))
    answer = browser.post("/enrol/totp/", {"code": code_of(carol)})
    assert "Keep these ten codes" in answer.text
    profile = browser.get("/").text
    assert "Carol" in profile
    assert "Operator of this installation" in profile
    assert "This is your first sign-in" in profile


def test_each_step_of_an_enrolment_is_in_the_audit_log(browser: Browser, link: str, trail: Trail) -> None:
    browser.get(link)
    browser.get(link)
    choose(browser, link)
    browser.get("/enrol/totp/")
    browser.post("/enrol/totp/", {"code": "000000"})
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        browser.post("/enrol/totp/", {"code": code_of(User.objects.get())})
        browser.post("/sign-out/")
    assert trail()[-9:] == [
        ("accounts.enrolment_link.issue", True),
        ("accounts.enrolment_link.open", True),
        ("accounts.enrolment_link.use", True),
        ("accounts.password.set", True),
        ("accounts.totp.check", False),
        ("accounts.totp.enrol", True),
        ("accounts.backup_codes.issue", True),
        ("accounts.sign_in", True),
        ("accounts.sign_out", True),
    ]


def test_the_link_is_stored_only_as_a_hash(link: str) -> None:
    assert link.split("/")[2] not in str(EnrolmentLink.objects.values().get())


def test_a_used_link_opens_nothing(browser: Browser, link: str) -> None:
    choose(browser, link)
    before = User.objects.get().password
    for answer in (Browser().get(link), choose(Browser(), link, "another long password")):
        assert answer.status_code == 410
        assert "was used already" in answer.text
    assert User.objects.get().password == before


def test_a_link_opens_nothing_after_a_day(browser: Browser, link: str) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=24, seconds=1)):
        answer = choose(browser, link)
    assert answer.status_code == 410
    assert "no longer valid" in answer.text
    assert not User.objects.get().has_usable_password()


def test_a_newer_link_ends_the_older_one(browser: Browser, link: str) -> None:
    path_of(email="carol@example.org")
    assert browser.get(link).status_code == 410


@pytest.mark.parametrize("token", ["x", "%00", "..%5c", "%ff%fe", "a" * 5000, "<script>", "null", "%F0%9F%92%A9"])
def test_a_link_that_never_was_gets_a_sentence(browser: Browser, db: None, token: str) -> None:
    answer = browser.get(f"/enrol/{token}/")
    assert answer.status_code == 404
    assert "not one of ours" in answer.text


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("short", "at least 12 characters"),
        ("password1234", "too common"),
        ("83920174659201", "entirely numeric"),
        ("carol@example.org", "too similar"),
        ("2024-dragon-2024", "common password with something around it"),
        ("MonkeyMonkey!", "common password with something around it"),
        ("abc123abc123", "common password with something around it"),
        ("!!Carol-1987!", "your own name or address"),
        ("our own CaseMate door", "name of this service"),
        ("a door of casemate.test", "name of this service"),
        ("x" * 257, "at most 256 characters"),
        ("seven quiet\x00otters row", "Null characters"),
        ("", "required"),
    ],
)
def test_a_weak_password_is_refused_with_its_reason(browser: Browser, link: str, password: str, sentence: str) -> None:
    answer = choose(browser, link, password)
    assert answer.status_code == 200
    assert sentence in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert 'aria-describedby="id_password_helptext id_password_error"' in answer.text
    assert 'id="id_password_error"' in answer.text
    assert not User.objects.get().has_usable_password()


@pytest.mark.parametrize(
    "password", ["qjxvkwzhbfmp", "x" * 11 + "y", "caroling by the lake", "dragon's teeth, sown", "é" * 11 + "ü"]
)
def test_a_password_needs_no_kinds_of_characters(browser: Browser, link: str, password: str) -> None:
    assert choose(browser, link, password).url == "/enrol/totp/"


def test_two_different_passwords_are_refused(browser: Browser, link: str) -> None:
    assert "not the same" in choose(browser, link, again="something else entirely").text
    assert not User.objects.get().has_usable_password()


def test_the_second_factor_is_asked_for_on_the_way_in_again(browser: Browser, link: str) -> None:
    """Whoever broke off after the password goes on by signing in, as long as the link's day lasts."""
    choose(browser, link)
    carol, other = User.objects.get(), Browser()
    other.give_password(carol)
    assert other.get("/", follow=True).redirect_chain[-1][0] == "/enrol/totp/"
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=25)):
        other.give_password(carol)
        answer = other.get("/enrol/totp/")
    assert answer.status_code == 403
    assert "ask an operator for a new enrolment link" in answer.text


def test_the_key_is_never_shown_again_once_confirmed(browser: Browser, link: str) -> None:
    choose(browser, link)
    browser.get("/enrol/totp/")
    browser.post("/enrol/totp/", {"code": code_of(User.objects.get())})
    other = Browser()
    other.give_password(User.objects.get())
    answer = other.get("/enrol/totp/")
    assert (answer.status_code, answer.url) == (302, "/sign-in/verify/")


def shown(page: str) -> str:
    return "".join(re.findall(r"<span>([A-Z2-7]{4})</span>", page))


def test_a_key_is_shown_once_and_not_again_after_a_wrong_code(browser: Browser, link: str) -> None:
    choose(browser, link)
    key = shown(browser.get("/enrol/totp/").text)
    assert key == TotpDevice.objects.get().seed.reveal()
    answer = browser.post("/enrol/totp/", {"code": "000000"}).text
    assert (shown(answer), "<svg" in answer, "Start over with a new key" in answer) == ("", False, True)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        assert "Keep these ten codes" in browser.post("/enrol/totp/", {"code": code_from(key)}).text


def test_a_page_that_is_loaded_again_makes_a_new_key_and_the_old_one_opens_nothing(browser: Browser, link: str) -> None:
    choose(browser, link)
    old, new = (shown(browser.get("/enrol/totp/").text) for _time in range(2))
    assert old != new
    assert browser.post("/enrol/totp/", {"code": code_from(old)}).status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        assert "Keep these ten codes" in browser.post("/enrol/totp/", {"code": code_from(new)}).text


def test_a_new_key_is_no_new_try(browser: Browser, link: str) -> None:
    """Who guesses waits after each wrong code, however often the page is loaded in between."""
    choose(browser, link)
    browser.get("/enrol/totp/")
    browser.post("/enrol/totp/", {"code": "000000"})
    browser.get("/enrol/totp/")
    assert "Too many wrong codes" in browser.post("/enrol/totp/", {"code": "000000"}).text


def test_a_second_factor_ends_a_session_that_waits_before_it(browser: Browser, link: str, trail: Trail) -> None:
    """Mallory has the password, and signs in while carol sets up her second factor."""
    choose(browser, link)
    carol, mallory = User.objects.get(), Browser()
    mallory.give_password(carol)
    assert mallory.get("/sign-in/verify/").url == "/enrol/totp/"
    browser.get("/enrol/totp/")
    browser.post("/enrol/totp/", {"code": code_of(carol)})
    assert mallory.get("/sign-in/verify/").url == "/sign-in/"
    assert browser.get("/").status_code == 200
    assert trail()[-2:] == [("accounts.sign_in", True), ("accounts.sessions.end", True)]
    assert Session.objects.filter(user=carol).count() == 1


def test_the_code_of_the_enrolment_does_not_sign_in_again(browser: Browser, link: str) -> None:
    choose(browser, link)
    browser.get("/enrol/totp/")
    carol = User.objects.get()
    code = code_of(carol)
    browser.post("/enrol/totp/", {"code": code})
    other = Browser()
    other.give_password(carol)
    assert "used already" in other.give_code(code).text


def test_a_new_link_for_someone_enrolled_replaces_everything_and_ends_sessions(alice: Browser, world: Any) -> None:
    with pytest.raises(CommandError, match="--again"):
        call_command("enrol_operator", world.alice.email)
    out = StringIO()
    call_command("enrol_operator", world.alice.email, "--again", stdout=out, stderr=StringIO())
    link = out.getvalue().strip().removeprefix("https://casemate.test")
    assert alice.get("/").status_code == 200
    assert Browser().give_password(world.alice).status_code == 302, "nothing changes before the link is used"
    choose(Browser(), link, "another long password")
    assert alice.get("/").url == "/sign-in/"
    assert not TotpDevice.objects.filter(user=world.alice).exists()
    assert Session.objects.filter(user=world.alice).count() == 1


def test_the_command_prints_one_link_and_nothing_else(db: None) -> None:
    out, err = StringIO(), StringIO()
    call_command("enrol_operator", "Carol@Example.org", "--name", "Carol", stdout=out, stderr=err)
    assert out.getvalue().startswith("https://casemate.test/enrol/")
    assert out.getvalue().count("\n") == 1
    assert "24 hours" in err.getvalue()
    assert User.objects.get().email == "carol@example.org"


@pytest.mark.parametrize("email", ["", "carol", "carol@", "a b@example.org", "x" * 300 + "@example.org", "a\n@b.c"])
def test_the_command_refuses_what_is_no_address(db: None, email: str) -> None:
    with pytest.raises(CommandError, match="not an e-mail address"):
        call_command("enrol_operator", email)
    assert not User.objects.exists()


GUESSED = [
    "admin",
    "Administrator",
    "ROOT",
    "test",
    "test01",
    "admin-2026",
    "user.1",
    "root+casemate",
    "demo",
    "guest_7",
]
PEOPLES = [
    "badminton",
    "adminka",
    "roots",
    "testa",
    "contest",
    "user-friendly",
    "maria.test",
    "test12345",
    "administrator-3f",
]


@pytest.mark.parametrize("name", GUESSED)
@pytest.mark.parametrize(
    "command",
    [
        ["enrol_operator", "{}"],
        ["create_organization", "Initech", "--slug", "initech", "--owner", "{}"],
        ["add_member", "acme", "{}", "--role", "viewer"],
    ],
    ids=lambda words: words[0],
)
def test_nobody_gets_a_name_that_is_tried_first(world: Any, command: list[str], name: str) -> None:
    before = User.objects.count()
    with pytest.raises(CommandError, match="that everybody tries first"):
        call_command(*[word.format(f"{name}@example.org") for word in command], stdout=StringIO(), stderr=StringIO())
    assert User.objects.count() == before
    assert not Organization.objects.filter(slug="initech").exists()


@pytest.mark.parametrize("name", PEOPLES)
def test_a_name_that_only_looks_like_one_is_taken(db: None, name: str) -> None:
    call_command("enrol_operator", f"{name}@admin.example", stdout=StringIO(), stderr=StringIO())
    assert User.objects.get().email == f"{name}@admin.example"


def test_who_is_called_so_already_stays(db: None) -> None:
    User.objects.create(email="admin@example.org")
    call_command("enrol_operator", "admin@example.org", stdout=StringIO(), stderr=StringIO())
    assert User.objects.get().is_operator


def test_the_rules_for_a_password_stand_on_the_page_before_anybody_breaks_one(browser: Browser, link: str) -> None:
    page = html.unescape(browser.get(link).text)
    rules = password_validators_help_texts()
    assert len(rules) == len(settings.AUTH_PASSWORD_VALIDATORS) == 5
    assert [rule for rule in rules if f"<li>{rule}</li>" not in page] == []
