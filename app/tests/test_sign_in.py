import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.management import call_command
from django.db import connection

from casemate.accounts import services, views
from casemate.accounts.backends import PasswordBackend
from casemate.accounts.models import Session, TotpDevice, User
from casemate.accounts.sessions import stored
from casemate.audit.chain import verify
from casemate.audit.models import Event
from casemate.audit.origin import Origin
from tests.browser import ADDRESS, PASSWORD, Browser, code_of

Trail = Callable[[], list[tuple[str, bool]]]
NOT_RIGHT = "The e-mail address or the password is not right."


def later(**delta: float) -> Any:
    return time_machine.travel(datetime.now(UTC) + timedelta(**delta))


def test_alice_signs_in_with_password_and_code(browser: Browser, world: SimpleNamespace, trail: Trail) -> None:
    answer = browser.give_password(world.alice)
    assert (answer.status_code, answer.url) == (302, "/sign-in/verify/")
    answer = browser.give_code(code_of(world.alice))
    assert (answer.status_code, answer.url) == (302, "/")
    page = browser.get("/").text
    assert "Alice" in page
    assert "Acme" in page
    assert "Owner" in page
    assert trail()[-3:] == [
        ("accounts.password.check", True),
        ("accounts.totp.check", True),
        ("accounts.sign_in", True),
    ]


def test_bob_reads_when_and_from_where_he_came_before(browser: Browser, world: SimpleNamespace) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 8, 30, tzinfo=UTC)):
        browser.sign_in(world.bob)
        browser.post("/sign-out/")
    browser.sign_in(world.bob)
    page = browser.get("/").text
    assert "1 March 2026, 08:30" in page
    assert ADDRESS in page


def test_an_address_is_typed_in_any_case(browser: Browser, world: SimpleNamespace) -> None:
    answer = browser.post("/sign-in/", {"email": " ALICE@Acme.Example ", "password": PASSWORD})
    assert answer.status_code == 302


def test_an_accent_does_not_make_someone_else(browser: Browser, world: SimpleNamespace) -> None:
    assert User.objects.by_email("älice@acme.example") is None


def test_a_wrong_password_and_an_unknown_person_look_the_same(browser: Browser, world: SimpleNamespace) -> None:
    wrong = browser.post("/sign-in/", {"email": world.alice.email, "password": "wrong"})
    unknown = browser.post("/sign-in/", {"email": "nobody@acme.example", "password": "wrong"})
    strip = re.compile(r'name="csrfmiddlewaretoken" value="\w+"|value="[^"]*@[^"]*"')
    assert wrong.status_code == unknown.status_code == 200
    assert NOT_RIGHT in wrong.text
    assert strip.sub("", wrong.text) == strip.sub("", unknown.text)


def test_an_unknown_person_costs_as_many_hashes_as_a_known_one(world: SimpleNamespace, monkeypatch: Any) -> None:
    """Counted, not timed: one Argon2id each, whoever is asked for."""
    hashes = []
    for name in ("encode", "verify"):
        original = getattr(Argon2PasswordHasher, name)
        monkeypatch.setattr(
            Argon2PasswordHasher,
            name,
            lambda self, *a, _original=original, _name=name, **k: hashes.append(_name) or _original(self, *a, **k),
        )
    counts = []
    unusable = User.objects.create(email="link@acme.example", password="!")  # waits for its enrolment
    for email in (world.alice.email, "nobody@acme.example", unusable.email):
        hashes.clear()
        assert PasswordBackend().authenticate(None, email=email, password="wrong") is None
        counts.append(len(hashes))
    assert counts == [1, 1, 1]


def test_passwords_are_kept_as_argon2id(password_hash: str) -> None:
    assert password_hash.startswith("argon2$argon2id$")


@pytest.mark.parametrize("state", [{"is_active": False}, {"must_change_password": True}])
def test_who_is_switched_off_or_must_set_a_password_does_not_come_in(
    browser: Browser, world: SimpleNamespace, state: dict[str, bool]
) -> None:
    User.objects.filter(pk=world.bob.pk).update(**state)
    assert NOT_RIGHT in browser.give_password(world.bob).text


def test_a_session_ends_when_its_person_is_switched_off(alice: Browser, world: SimpleNamespace) -> None:
    User.objects.filter(pk=world.alice.pk).update(is_active=False)
    assert alice.get("/").url == "/sign-in/"


def test_failed_sign_ins_are_told_with_what_was_typed_but_no_password(
    browser: Browser, world: SimpleNamespace, trail: Trail
) -> None:
    browser.post("/sign-in/", {"email": "nobody@acme.example", "password": "hunter2 hunter2"})
    event = Event.objects.latest("pk")
    assert (event.action, event.success, event.actor_kind) == ("accounts.password.check", False, "stranger")
    assert (event.target_label, event.ip, event.path) == ("nobody@acme.example", ADDRESS, "/sign-in/")
    assert "hunter2" not in str(vars(event))


def test_a_password_in_the_wrong_field_is_not_kept(world: SimpleNamespace) -> None:
    services.check_password(email="seven quiet otters row", password="", origin=Origin())
    assert Event.objects.latest("pk").target_label == "(not an e-mail address)"


def test_the_wrong_code_does_not_sign_in(browser: Browser, world: SimpleNamespace, trail: Trail) -> None:
    browser.give_password(world.alice)
    assert "That code is wrong" in browser.give_code("000000").text
    assert browser.get("/").url == "/sign-in/verify/"
    assert trail()[-1] == ("accounts.totp.check", False)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12\x00456", "-12345", "1e5", "9" * 500])
def test_what_is_no_code_gets_a_sentence(browser: Browser, world: SimpleNamespace, code: str) -> None:
    browser.give_password(world.alice)
    answer = browser.give_code(code)
    assert answer.status_code == 200
    assert 'id="id_code_error"' in answer.text
    assert browser.get("/").url == "/sign-in/verify/"


def test_a_code_may_have_a_space_in_it(browser: Browser, world: SimpleNamespace) -> None:
    browser.give_password(world.alice)
    code = code_of(world.alice)
    assert browser.give_code(f" {code[:3]} {code[3:]} ").url == "/"


def test_a_code_is_accepted_once(world: SimpleNamespace) -> None:
    first, second = Browser(), Browser()
    code = code_of(world.alice)
    first.give_password(world.alice)
    second.give_password(world.alice)
    assert first.give_code(code).status_code == 302
    assert "used already" in second.give_code(code).text
    assert second.get("/").url == "/sign-in/verify/"


def test_an_older_code_is_refused_after_a_newer_one(world: SimpleNamespace) -> None:
    older, newer = code_of(world.alice, steps=-1), code_of(world.alice)
    first, second = Browser(), Browser()
    first.give_password(world.alice)
    first.give_code(newer)
    second.give_password(world.alice)
    assert second.give_code(older).status_code == 200


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_off(world: SimpleNamespace, browser: Browser, steps: int, right: bool) -> None:
    with time_machine.travel(datetime(2026, 5, 1, 12, 0, 15, tzinfo=UTC)):
        browser.give_password(world.alice)
        assert (browser.give_code(code_of(world.alice, steps=steps)).status_code == 302) is right


def test_wrong_codes_make_even_the_right_one_wait(browser: Browser, world: SimpleNamespace) -> None:
    with time_machine.travel(datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC), tick=False) as clock:
        browser.give_password(world.alice)
        for failures in range(4):
            browser.give_code("000000")
            clock.shift(2**failures)
        clock.shift(-1)
        answer = browser.give_code(code_of(world.alice))
        assert "Too many wrong codes. Wait 1 s" in answer.text
        clock.shift(1)
        assert browser.give_code(code_of(world.alice)).status_code == 302
        assert TotpDevice.objects.get(user=world.alice).throttling_failure_count == 0


def test_the_throttle_is_the_persons_whatever_browser_asks(world: SimpleNamespace) -> None:
    first, second = Browser(), Browser()
    for browser in (first, second):
        browser.give_password(world.alice)
    first.give_code("000000")
    assert "Too many wrong codes" in second.give_code(code_of(world.alice)).text


def test_the_session_id_changes_at_each_step(browser: Browser, world: SimpleNamespace) -> None:
    name = settings.SESSION_COOKIE_NAME
    browser.give_password(world.alice)
    after_password = browser.cookies[name].value
    browser.give_code(code_of(world.alice))
    after_code = browser.cookies[name].value
    assert after_password != after_code
    intruder = Browser()
    intruder.cookies[name] = after_password
    assert intruder.get("/").url == "/sign-in/"


def test_a_planted_session_id_is_not_taken_over(browser: Browser, world: SimpleNamespace) -> None:
    name = settings.SESSION_COOKIE_NAME
    browser.cookies[name] = planted = "a" * 32
    browser.sign_in(world.alice)
    assert browser.cookies[name].value != planted
    assert not Session.objects.filter(session_key=stored(planted)).exists()


def test_the_database_holds_no_session_key(alice: Browser, world: SimpleNamespace) -> None:
    key = alice.cookies[settings.SESSION_COOKIE_NAME].value
    session = Session.objects.get()
    assert (session.session_key, session.user) == (stored(key), world.alice)
    assert key not in str(Session.objects.values().get())
    thief = Browser()
    thief.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    assert thief.get("/").url == "/sign-in/"


def test_cookies_are_bound_to_this_host_and_hidden_from_scripts(browser: Browser, world: SimpleNamespace) -> None:
    browser.get("/sign-in/")
    browser.sign_in(world.alice)
    assert set(browser.cookies) == {"__Host-sessionid", "__Host-csrftoken"}
    for cookie in browser.cookies.values():
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
        assert (cookie["path"], cookie["domain"], cookie["max-age"], cookie["expires"]) == ("/", "", "", "")


def test_an_idle_session_ends_after_half_an_hour(alice: Browser) -> None:
    with later(minutes=29):
        assert alice.get("/").status_code == 200
    with later(minutes=58):
        assert alice.get("/").status_code == 200
    with later(minutes=89):
        assert alice.get("/").url == "/sign-in/"


def test_a_session_ends_after_twelve_hours_however_busy(alice: Browser) -> None:
    for minutes in range(25, 12 * 60, 25):
        with later(minutes=minutes):
            assert alice.get("/").status_code == 200
    with later(hours=12, minutes=1):
        assert alice.get("/").url == "/sign-in/"


def test_a_new_password_ends_the_session(alice: Browser, world: SimpleNamespace) -> None:
    world.alice.refresh_from_db()
    world.alice.set_password("another long password")
    world.alice.save()
    assert alice.get("/").url == "/sign-in/"


def test_signing_out_ends_the_session_on_the_server(alice: Browser, world: SimpleNamespace, trail: Trail) -> None:
    key = alice.cookies[settings.SESSION_COOKIE_NAME].value
    assert alice.post("/sign-out/").url == "/sign-in/"
    assert not Session.objects.filter(session_key=stored(key)).exists()
    thief = Browser()
    thief.cookies[settings.SESSION_COOKIE_NAME] = key
    assert thief.get("/").url == "/sign-in/"
    assert trail()[-1] == ("accounts.sign_out", True)


def test_no_event_no_sign_in(world: SimpleNamespace, monkeypatch: Any) -> None:
    """If the audit log cannot be written, nobody gets in."""
    browser = Browser(raise_request_exception=False)
    browser.give_password(world.alice)
    code = code_of(world.alice)

    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(services, "record", broken)
    assert browser.give_code(code).status_code == 500
    monkeypatch.undo()
    assert browser.get("/").url == "/sign-in/verify/"
    assert browser.give_code(code).status_code == 302, "the code was not used up by the failure"


@pytest.mark.django_db(transaction=True)
def test_the_event_of_a_sign_in_is_on_disk_before_the_session_is(world: SimpleNamespace, monkeypatch: Any) -> None:
    seen = []

    def spy(request: Any) -> None:
        assert not connection.in_atomic_block
        seen.append(Event.objects.latest("pk").action)

    monkeypatch.setattr(views, "finish_session", spy)
    Browser().sign_in(world.alice)
    assert seen == ["accounts.sign_in"]


def test_the_audit_log_holds_no_secret(browser: Browser, db: None) -> None:
    """A canary for each: every value that must stay out goes through every step, and none is found in any row."""
    _user, token = services.issue_enrolment_link(email="carol@example.org")
    link = f"/enrol/{token}/"
    browser.get(link)
    browser.post(link, {"password": "canary-short", "again": "canary-other"})
    browser.post(link, {"password": PASSWORD, "again": PASSWORD})
    browser.get("/enrol/totp/")
    carol = User.objects.get()
    code, seed = code_of(carol), TotpDevice.objects.get().seed.reveal()
    browser.post("/enrol/totp/", {"code": "111111"})
    with later(minutes=1):
        second = code_of(carol)
        browser.post("/enrol/totp/", {"code": second})
        browser.post("/sign-out/")
        browser.post("/sign-in/", {"email": carol.email, "password": "canary-wrong"})
        browser.post("/sign-in/", {"email": "canary-password", "password": "x"})
        browser.give_password(carol)
    keys = [cookie.value for cookie in browser.cookies.values()]
    rows = str(list(Event.objects.values().order_by("pk")))
    for secret in (token, PASSWORD, "canary", seed, f"'{code}'", f"'{second}'", "111111", carol.password, *keys):
        assert secret not in rows
    assert verify("installation").intact


def test_the_clients_address_is_nginxs_word_and_nobody_elses(world: SimpleNamespace) -> None:
    spoofed = {"HTTP_X_FORWARDED_FOR": "6.6.6.6", "HTTP_FORWARDED": "for=6.6.6.6", "HTTP_X_REAL_IP": "junk"}
    Browser().post("/sign-in/", {"email": "a@b.example", "password": "x"}, **spoofed)
    assert Event.objects.latest("pk").ip == ""
    Browser().post("/sign-in/", {"email": "a@b.example", "password": "x"}, REMOTE_ADDR="127.0.0.1", **spoofed)
    assert Event.objects.latest("pk").ip == "127.0.0.1"


def test_the_chain_is_whole_and_the_command_says_so(alice: Browser, capsys: Any) -> None:
    call_command("audit_verify")
    assert re.search(r"installation: \d+ events, intact", capsys.readouterr().out)
