"""The second witness is heard over a connection that may refuse, break off or never end; our own report does not depend on it."""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from verification.host import Host
from verification.second import hearing
from verification.second.command import SecondWitness
from verification.ssh import Connection
from verification.tests.conftest import a_register, an_inventory
from verification.words import CannotRun

PAYLOAD = b"\0" * 1_000_000  # more than a pipe holds


@dataclass
class Here(Connection):
    """A connection to this machine: its commands are a shell's."""

    @property
    def argv(self) -> list[str]:
        return ["bash", "-c"]


def heard(command: str, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, list[str]]:
    """What comes back when a host runs this, and what was said meanwhile."""
    notes: list[str] = []
    monkeypatch.setattr(hearing, "command", lambda: command)
    host = Host("casemate", Here("casemate", ()), frozenset())
    return hearing._answer(host, PAYLOAD, notes.append, []), notes


def test_the_answer_comes_while_the_input_is_still_open(monkeypatch: pytest.MonkeyPatch) -> None:
    read = "read -r n; head -c $n >/dev/null; read -r n; head -c $n | wc -c; echo 'begins: lynis' >&2"
    assert heard(read, monkeypatch) == (b"1000000\n", ["casemate: lynis looks at the host"])


def test_a_host_that_refuses_before_it_has_read_all_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotRun, match="casemate: the second witness could not be heard: 90 MB are free"):
        heard("echo 'refused: 90 MB are free' >&2; exit 3", monkeypatch)


def test_a_connection_that_breaks_off_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotRun, match="Connection closed by remote host"):
        heard("echo Connection closed by remote host >&2; exit 255", monkeypatch)


def test_a_host_that_never_ends_is_left_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "SECONDS", -29.5)  # and half a minute more, for systemd to end the unit first
    started = time.monotonic()
    with pytest.raises(CannotRun, match="could not be heard"):
        heard("cat >/dev/null", monkeypatch)
    assert time.monotonic() - started < 10


def test_an_answer_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LARGEST", 1000)
    with pytest.raises(CannotRun, match="has no end"):
        heard("head -c 1000000 >/dev/null; yes", monkeypatch)


def a_second_witness(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> SecondWitness:
    monkeypatch.setattr(hearing, "fetch", lambda _note: b"")
    monkeypatch.setattr("verification.second.disagreement.notes", lambda *_: [])
    monkeypatch.setattr(hearing, "hear", answers["hear"])
    return SecondWitness(an_inventory(), a_register(), lambda _: None)


def test_where_nobody_was_heard_our_report_is_written_before_the_status_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*_: Any) -> dict[str, Any]:
        raise CannotRun("the host has no sudo")

    class Nothing:
        results = ()

    other = a_second_witness(monkeypatch, hear=nobody)
    other.hear([], Nothing())  # type: ignore[arg-type] # nobody looks at it
    assert (other.said, list(other.lines())) == (None, [])
    with pytest.raises(CannotRun, match="the host has no sudo"):
        other.answer_for()
