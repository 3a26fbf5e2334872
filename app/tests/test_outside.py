"""What the audit log's own journal is told: a line for each event that was committed, and none for one that was not."""

import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from casemate.audit.actions import Action
from casemate.audit.journal import Journal, Line
from casemate.audit.models import GENESIS, ChainHead, Event
from casemate.audit.origin import TERMINAL, Origin
from casemate.audit.outside import log, untold
from casemate.audit.services import record

type Told = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Told]:
    """journald's socket in its place, and the lines that have come."""
    taking = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    taking.bind(str(tmp_path / "dev-log"))

    def lines() -> list[dict[str, Any]]:
        found = []
        while True:
            try:
                said = taking.recv(65536).rstrip(b"\0").decode()
            except BlockingIOError:
                return found
            assert said.startswith("<14>casemate-audit: ")
            found.append(json.loads(said.partition(": ")[2]))

    with told_at(tmp_path / "dev-log"):
        yield lines
    taking.close()


class told_at:  # noqa: N801 (it is used as a function is)
    """The handler of the settings, at another address."""

    def __init__(self, address: Path) -> None:
        self.handler = Journal(str(address), socktype=socket.SOCK_DGRAM)
        self.handler.setFormatter(Line())

    def __enter__(self) -> None:
        self.before, log.handlers = log.handlers, [self.handler]

    def __exit__(self, *_problem: object) -> None:
        log.handlers = self.before
        self.handler.close()


def write(stream: str = "outside") -> Event:
    return record(Action.SMOKE_TESTED, actor=TERMINAL, origin=Origin(), success=True, stream=stream)


@pytest.fixture
def stream(db: None) -> str:
    ChainHead.objects.create(stream="outside", seq=0, mac=GENESIS)
    return "outside"


def test_each_event_is_told_once_with_its_number_and_code(
    stream: str, journal: Told, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            first, second = write(stream), write(stream)
        assert journal() == [], "what is not committed is no event"
    told = [(line["stream"], line["number"], line["code"], line["action"]) for line in journal()]
    assert told == [(stream, one.seq, one.mac, "audit.smoke") for one in (first, second)]


def test_an_event_that_is_rolled_back_is_not_told(
    stream: str, journal: Told, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError), transaction.atomic():
        write(stream)
        raise ZeroDivisionError
    assert journal() == []


def test_a_journal_that_is_away_stops_nobody_and_is_told_of(
    stream: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    committed = django_capture_on_commit_callbacks(execute=True)
    with (
        told_at(tmp_path / "nobody"),
        caplog.at_level(logging.ERROR, logger="casemate.audit"),
        committed,
        transaction.atomic(),
    ):
        write(stream)
    assert Event.objects.filter(stream=stream).count() == 1
    assert "outside #1" in caplog.text
    assert "takes no line" in caplog.text


def test_what_was_never_told_is_told_later_and_once(
    stream: str, journal: Told, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (write(stream) for _time in range(3))
    told = [json.dumps({"stream": stream, "number": event.seq, "at": event.at.isoformat()}) for event in (first, third)]
    assert list(untold(told)) == [second]
    monkeypatch.setattr("sys.stdin", ["System Journal is using 8M", *told])
    call_command("audit_tell")
    assert [line["code"] for line in journal()] == [second.mac]
    assert "told: 1 events" in capsys.readouterr().out


def test_a_journal_without_a_line_is_told_everything(stream: str) -> None:
    events = [write(stream) for _time in range(2)]
    assert [event for event in untold([]) if event.stream == stream] == events


def test_an_altered_row_does_not_get_a_second_line(stream: str) -> None:
    event = write(stream)
    line = {"stream": stream, "number": event.seq, "code": "another", "at": event.at.isoformat()}
    assert list(untold([json.dumps(line)])) == []


def test_a_journal_that_is_away_is_named_when_it_must_take_a_line(
    stream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(stream)
    monkeypatch.setattr("sys.stdin", [])
    with told_at(tmp_path / "nobody"), pytest.raises(CommandError, match="takes no line"):
        call_command("audit_tell")


def test_lines_of_another_log_are_refused(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", ['{"message": "GET /"}'])
    with pytest.raises(CommandError, match="none of this journal's"):
        call_command("audit_tell")
