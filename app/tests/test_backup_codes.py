"""The ten codes for the day without the authenticator app."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from casemate.accounts import backup_codes, services
from casemate.accounts.assurance import Assurance, StepUpRequired
from casemate.accounts.models import BackupCode, Session
from casemate.audit.origin import Origin
from tests.browser import ADDRESS, Browser, code_of

Trail = Callable[[], list[tuple[str, bool]]]
WRONG = "That code is none of yours, or it was used already."
SHAPE = r"[a-hj-km-np-tv-z2-9]{4}-[a-hj-km-np-tv-z2-9]{4}-[a-hj-km-np-tv-z2-9]{4}"


@pytest.fixture
def codes(world: SimpleNamespace) -> list[str]:
    """The ten of bob."""
    return backup_codes.issue(world.bob)


def give(browser: Browser, code: str) -> Any:
    return browser.post("/sign-in/backup-code/", {"code": code})


def read(page: str) -> list[str]:
    return re.findall(rf"<code>({SHAPE})</code>", page)


def test_bob_signs_in_once_with_each_of_his_codes(browser: Browser, world: SimpleNamespace, codes: list[str]) -> None:
    browser.give_password(world.bob)
    assert (answer := give(browser, codes[3])).status_code == 302
    assert answer.url == "/"
    assert "9 left" in browser.get("/").text
    again = Browser()
    again.give_password(world.bob)
    assert WRONG in give(again, codes[3]).text
    assert again.get("/").url == "/sign-in/verify/"


@pytest.mark.parametrize(
    "typed", [str.upper, lambda code: code.replace("-", ""), lambda code: f" {code.replace('-', ' ')} "]
)
def test_a_code_is_typed_as_people_type(
    browser: Browser, world: SimpleNamespace, codes: list[str], typed: Callable[[str], str]
) -> None:
    browser.give_password(world.bob)
    assert give(browser, typed(codes[0])).url == "/"


@pytest.mark.parametrize(
    "typed", ["", "0" * 12, "abcd", "abcd-efgh-jkmn", "é" * 12, "%", "abcd\x00efgh jkmn", "a" * 41]
)
def test_what_is_no_code_of_hers_opens_nothing(
    browser: Browser, world: SimpleNamespace, codes: list[str], typed: str
) -> None:
    browser.give_password(world.alice)
    assert give(browser, typed).status_code == 200
    assert browser.get("/").url == "/sign-in/verify/"


def test_mallory_has_no_use_for_bobs_codes(browser: Browser, world: SimpleNamespace, codes: list[str]) -> None:
    browser.give_password(world.mallory)
    assert WRONG in give(browser, codes[0]).text
    assert backup_codes.left(world.bob) == 10


def test_a_code_without_the_password_is_not_even_looked_at(browser: Browser, codes: list[str]) -> None:
    assert give(browser, codes[0]).url == "/sign-in/"


def test_the_database_holds_ten_hashes_and_no_code(codes: list[str]) -> None:
    rows = list(BackupCode.objects.values_list("code_hash", flat=True))
    assert len(rows) == len(set(rows)) == len(set(codes)) == 10
    assert all(row.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$") for row in rows)
    assert not [code for code in codes if any(backup_codes.plain(code) in row for row in rows)]


def test_nobody_has_an_eleventh_code(world: SimpleNamespace, codes: list[str]) -> None:
    for number in (1, 0, 11):
        with pytest.raises(IntegrityError), transaction.atomic():
            BackupCode.objects.create(user=world.bob, number=number, code_hash="!")


def test_ten_new_codes_take_the_place_of_the_old(
    world: SimpleNamespace, codes: list[str], signed_in: Callable[[str], Browser], trail: Trail
) -> None:
    bob = signed_in("bob")
    assert "10 of 10 left" in bob.get("/backup-codes/").text
    new = read(bob.post("/backup-codes/").text)
    assert (len(new), set(new) & set(codes)) == (10, set())
    assert trail()[-1] == ("accounts.backup_codes.issue", True)
    assert not read(bob.get("/backup-codes/").text), "they are shown once"
    other = Browser()
    other.give_password(world.bob)
    assert WRONG in give(other, codes[0]).text
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=5)):
        assert give(other, new[0]).url == "/"


def test_new_codes_ask_for_the_second_factor_again(
    world: SimpleNamespace, codes: list[str], signed_in: Callable[[str], Browser], assurance: Callable[..., Assurance]
) -> None:
    bob = signed_in("bob")
    with time_machine.travel(datetime.now(UTC) + settings.STEP_UP_AGE + timedelta(seconds=1)):
        assert bob.get("/backup-codes/").url == bob.post("/backup-codes/").url == "/step-up/?next=%2Fbackup-codes%2F"
    with pytest.raises(StepUpRequired):
        services.new_backup_codes(who=assurance("bob", age=settings.STEP_UP_AGE + timedelta(seconds=1)))
    assert backup_codes.left(world.bob) == 10


def test_a_new_enrolment_ends_the_codes_of_the_old_one(
    browser: Browser, world: SimpleNamespace, codes: list[str]
) -> None:
    _user, token = services.issue_enrolment_link(email=world.bob.email, again=True)
    password = "seven quiet otters row"
    browser.post(f"/enrol/{token}/", {"password": password, "again": password})
    assert backup_codes.left(world.bob) == 0
    browser.get("/enrol/totp/")
    page = browser.post("/enrol/totp/", {"code": code_of(world.bob)}).text
    assert len(read(page)) == 10
    assert not set(read(page)) & set(codes)
    assert browser.post("/enrol/totp/", {"code": code_of(world.bob)}).url == "/", (
        "a page that is loaded again shows none"
    )


def test_wrong_codes_of_either_kind_are_waited_for_together(
    browser: Browser, world: SimpleNamespace, codes: list[str]
) -> None:
    browser.give_password(world.bob)
    browser.give_code("000000")
    assert "Too many wrong codes" in give(browser, codes[0]).text
    assert backup_codes.left(world.bob) == 10


def test_who_guesses_codes_is_locked_out_like_who_guesses_passwords(
    browser: Browser, world: SimpleNamespace, codes: list[str], trail: Trail
) -> None:
    browser.give_password(world.bob)
    for minutes in range(settings.AXES_FAILURE_LIMIT):
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5 * minutes)):
            last = give(browser, "abcd-efgh-jkmn")
    assert last.status_code == 429
    assert trail()[-2:] == [("accounts.lock_out", False), ("accounts.backup_code.check", False)]
    assert backup_codes.left(world.bob) == 10


def test_each_try_is_told_without_the_code(
    browser: Browser, world: SimpleNamespace, codes: list[str], trail: Trail
) -> None:
    browser.give_password(world.bob)
    give(browser, "abcd-efgh-jkmn")
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
        give(browser, codes[0])
    assert trail()[-3:] == [
        ("accounts.backup_code.check", False),
        ("accounts.backup_code.check", True),
        ("accounts.sign_in", True),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_code_that_is_sent_twice_at_the_same_time_opens_once(world: SimpleNamespace, codes: list[str]) -> None:
    results, at_once = list[services.Result](), threading.Barrier(4)

    def send() -> None:
        at_once.wait()
        try:
            checked = services.check_backup_code(user=world.bob, code=codes[0], origin=Origin(ip=ADDRESS))
            results.append(checked.result)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(services.Result.RIGHT) == 1
    assert (len(results), backup_codes.left(world.bob)) == (4, 9)


def test_a_sign_in_by_a_code_changes_the_key_of_the_session(
    browser: Browser, world: SimpleNamespace, codes: list[str]
) -> None:
    browser.give_password(world.bob)
    before = browser.cookies[settings.SESSION_COOKIE_NAME].value
    give(browser, codes[0])
    assert browser.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert Session.objects.filter(user=world.bob).count() == 1
