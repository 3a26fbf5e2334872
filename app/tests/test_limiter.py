"""The limiter against a real valkey: what it counts, what it forgets, and that no answer means no."""

import re
import socket
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from casemate import limiter
from casemate.limiter import Allowance, LimiterDown, TooMany, forget, hit, require
from tests.browser import Browser, code_of

HOUR = timedelta(hours=1)


@pytest.fixture
def down(settings: Any, tmp_path: Path) -> Any:
    """A socket that nobody listens at."""
    settings.LIMITER_SOCKET = tmp_path / "nobody.sock"
    limiter._valkey.cache_clear()
    yield
    limiter._valkey.cache_clear()


def test_so_many_are_allowed_and_the_next_one_waits() -> None:
    allowances = [hit("reveal", "bob", limit=3, per=HOUR) for _ in range(5)]
    assert [a.allowed for a in allowances] == [True, True, True, False, False]
    assert [a.count for a in allowances] == [1, 2, 3, 4, 5]
    assert allowances[0] == Allowance(True, timedelta(), 1)
    assert timedelta(minutes=59) < allowances[-1].wait <= HOUR


def test_each_key_and_each_scope_has_its_own_count() -> None:
    hit("reveal", "bob", limit=1, per=HOUR)
    assert not hit("reveal", "bob", limit=1, per=HOUR).allowed
    assert hit("reveal", "carol", limit=1, per=HOUR).allowed
    assert hit("copy", "bob", limit=1, per=HOUR).allowed


def test_the_count_begins_anew_when_its_time_is_over_and_not_with_each_try() -> None:
    per = timedelta(milliseconds=300)
    assert hit("x", "y", limit=1, per=per).allowed
    time.sleep(0.2)
    assert not hit("x", "y", limit=1, per=per).allowed
    time.sleep(0.15)
    assert hit("x", "y", limit=1, per=per).allowed


def test_what_is_forgotten_begins_anew() -> None:
    hit("x", "y", limit=1, per=HOUR)
    forget("x", "y")
    assert hit("x", "y", limit=1, per=HOUR).allowed


def test_require_says_how_long_to_wait() -> None:
    require("x", "y", limit=1, per=HOUR)
    with pytest.raises(TooMany) as refusal:
        require("x", "y", limit=1, per=HOUR)
    assert timedelta(minutes=59) < refusal.value.wait <= HOUR


def test_of_tries_at_once_exactly_so_many_are_allowed() -> None:
    allowed: list[bool] = []

    def attempt() -> None:
        allowed.extend(hit("x", "y", limit=10, per=HOUR).allowed for _ in range(10))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(allowed), sum(allowed)) == (80, 10)


def test_a_count_that_lost_its_end_gets_one() -> None:
    """As where the key runs out between the first step and the second."""
    valkey = limiter._valkey()
    valkey.execute_command("INCR", limiter._name("x", "y"))
    assert valkey.pttl(limiter._name("x", "y")) == -1
    assert not hit("x", "y", limit=1, per=HOUR).allowed
    assert 0 < valkey.pttl(limiter._name("x", "y")) <= 3_600_000


@hypothesis_settings(max_examples=30)
@given(scope=st.sampled_from(["a", "b"]), key=st.text(max_size=300))
def test_no_key_says_who_it_is_about(scope: str, key: str) -> None:
    assert re.fullmatch(r"limit:\S*:[0-9a-f]{64}", limiter._name(scope, key))


def test_the_account_does_what_the_limiter_needs_and_no_more() -> None:
    valkey = limiter._valkey()
    for words in (["KEYS", "*"], ["GET", "other"], ["SET", "other", "1"], ["FLUSHALL"], ["CONFIG", "GET", "*"]):
        with pytest.raises(Exception, match=r"(?i)permission"):
            valkey.execute_command(*words)


def test_without_valkey_the_answer_is_no(down: None) -> None:
    with pytest.raises(LimiterDown):
        hit("x", "y", limit=1, per=HOUR)
    with pytest.raises(LimiterDown):
        forget("x", "y")


def test_an_answer_that_does_not_come_is_no_answer(settings: Any, tmp_path: Path) -> None:
    """A valkey that hangs: somebody listens and says nothing."""
    settings.LIMITER_SOCKET = tmp_path / "silent.sock"
    limiter._valkey.cache_clear()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(settings.LIMITER_SOCKET))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(LimiterDown):
            hit("x", "y", limit=1, per=HOUR)
        assert time.monotonic() - began < 5
    limiter._valkey.cache_clear()


def test_a_connection_that_valkeys_restart_cut_is_made_anew() -> None:
    valkey = limiter._valkey()
    hit("x", "y", limit=9, per=HOUR)
    for connection in valkey.connection_pool._available_connections:
        connection._sock.shutdown(socket.SHUT_RDWR)
    assert hit("x", "y", limit=9, per=HOUR).allowed


def test_nobody_signs_in_or_steps_up_without_the_limiter(world: SimpleNamespace, request: Any) -> None:
    signed_in, known = Browser(), Browser()
    signed_in.sign_in(world.bob)
    known.give_password(world.alice)
    request.getfixturevalue("down")
    for answer in (
        Browser().give_password(world.alice),
        known.give_code(code_of(world.alice)),
        signed_in.post("/step-up/", {"code": code_of(world.bob, steps=1)}),
    ):
        assert (answer.status_code, answer["Retry-After"]) == (503, "60")
        assert "What counts the tries does not answer, so nothing was done" in answer.text
    assert signed_in.get("/").status_code == 200, "what is not limited goes on"


def test_an_eleventh_try_within_the_hour_waits_even_with_the_right_password(world: SimpleNamespace) -> None:
    for _ in range(10):
        assert Browser().give_password(world.alice).status_code == 302
    answer = Browser().give_password(world.alice)
    assert answer.status_code == 429
    assert 3500 < int(answer["Retry-After"]) <= 3600
    assert Browser(address="198.51.100.4").give_password(world.alice).status_code == 302


def test_a_whole_sign_in_begins_that_count_anew(world: SimpleNamespace) -> None:
    for _ in range(9):
        Browser().give_password(world.alice)
    Browser().sign_in(world.alice)
    assert Browser().give_password(world.alice).status_code == 302
