"""What sends the logs away, against collectors of each kind: what counts as taken, what is sent again, and what a file that turns loses."""

import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from verification.inventory import ROOT


@pytest.fixture
def forward(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host_program: Callable[[str], ModuleType]) -> Any:
    """The program, without a journal: journald's library is of the hosts."""
    systemd = ModuleType("systemd")
    monkeypatch.setitem(sys.modules, "systemd", systemd)
    vars(systemd)["journal"] = SimpleNamespace(Reader=None, LOCAL_ONLY=1)
    module = host_program("roles/logging/files/sbin/casemate-forward")
    for name in ("CONFIGURATION", "AUTHORITY", "CERTIFICATE", "STATE"):
        monkeypatch.setattr(module, name, tmp_path / name.lower())
    monkeypatch.setattr(module, "JOURNALS", {})
    monkeypatch.setattr(module, "FILES", {"access": tmp_path / "access.log"})
    monkeypatch.setattr(module, "TURN_SECONDS", 0)
    return module


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, the collector's certificate, the host's, one of another authority and one in another name: bin/common.sh makes them."""
    house = tmp_path_factory.mktemp("house")
    (house / "bin").mkdir()
    (house / "bin" / "common.sh").write_text((ROOT / "bin" / "common.sh").read_text())
    subprocess.run(["bash", "-c", ". bin/common.sh; lab_collector"], cwd=house, check=True, capture_output=True)
    return house / ".lab" / "collector"


@pytest.fixture
def collector(papers: Path) -> Iterator[Callable[..., tuple[int, list[bytes]]]]:
    """Starts one: it shows a certificate, asks for the host's, and ends in its own manner. Gives its port and what it took."""
    servers: list[socket.socket] = []

    def start(shown: str = "server", manner: str = "goodbye") -> tuple[int, list[bytes]]:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        took: list[bytes] = []
        Thread(target=_serve, args=(server, papers, shown, manner, took), daemon=True).start()
        return server.getsockname()[1], took

    yield start
    for server in servers:
        server.close()


def _serve(server: socket.socket, papers: Path, shown: str, manner: str, took: list[bytes]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers / f"{shown}.crt", papers / f"{shown}.key")
    context.load_verify_locations(papers / "ca-authority.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=False) as channel:
                if manner == "dies":
                    channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    channel.recv(1)
                    continue
                received = b""
                while more := channel.recv(65536):
                    received += more
                took.append(received)
                if manner == "goodbye":
                    channel.unwrap()
        except OSError:
            continue


@pytest.fixture
def at(forward: Any, papers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The settings of a host that knows its collector, and is known to it."""
    (tmp_path / "authority").write_bytes((papers / "ca-authority.crt").read_bytes())
    (tmp_path / "certificate").write_bytes((papers / "client.crt").read_bytes())
    (tmp_path / "log-collector-key").write_bytes((papers / "client.key").read_bytes())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    return lambda port: forward.Settings("127.0.0.1", port, "collector.casemate.test", 15)


@pytest.mark.parametrize("manner", ["goodbye", "plain end"])
def test_what_a_collector_read_to_its_end_counts_as_taken(manner: str, forward: Any, at: Any, collector: Any) -> None:
    port, took = collector(manner=manner)
    forward.deliver(at(port), forward.trusting(), b"5 <30>1" * 50_000)
    assert took == [b"5 <30>1" * 50_000]


def test_what_a_collector_did_not_read_does_not(forward: Any, at: Any, collector: Any) -> None:
    port, _took = collector(manner="dies")
    with pytest.raises(OSError, match=r".+"):
        forward.deliver(at(port), forward.trusting(), b"5 <30>1" * 50_000)


@pytest.mark.parametrize("shown", ["foreign", "other"])
def test_somebody_else_in_its_place_gets_nothing(shown: str, forward: Any, at: Any, collector: Any) -> None:
    port, took = collector(shown)
    with pytest.raises(ssl.SSLCertVerificationError):
        forward.deliver(at(port), forward.trusting(), b"5 <30>1")
    assert took == []


def test_a_collector_that_refuses_our_certificate_has_taken_nothing(forward: Any, at: Any, collector: Any, tmp_path: Path) -> None:
    (tmp_path / "certificate").unlink()
    port, took = collector()
    # With TLS 1.3 its refusal comes when all is sent, and would look like a goodbye.
    with pytest.raises(OSError, match=r".+"):
        forward.deliver(at(port), forward.trusting(), b"5 <30>1")
    assert took == []


def lines_of(source: Any, longest: int = 100) -> list[int]:
    return [json.loads(line.text)["n"] for line in source.take(longest)]


def write(path: Path, *numbers: int) -> None:
    with path.open("a") as file:
        file.writelines(f'{{"time":"2026-11-23T04:00:{n:02d}+00:00","n":{n}}}\n' for n in numbers)


def test_a_file_goes_on_where_the_collector_has_got_to(forward: Any, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write(log, 1, 2, 3)
    source = forward.File(log, None)
    assert lines_of(source, 2) == [1, 2]
    source.back()
    assert lines_of(source) == [1, 2, 3]
    with log.open("a") as file:
        file.write('{"time":"half a li')
    assert lines_of(source) == []


def test_a_file_that_turned_while_the_collector_was_away_is_read_to_its_end_first(forward: Any, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    write(log, 1, 2, 3)
    source = forward.File(log, None)
    lines_of(source, 1)
    place = source.place
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    write(tmp_path / "access.log.1", 4)
    write(log, 5)
    assert lines_of(forward.File(log, place)) == [2, 3, 4, 5]


def test_a_place_that_is_gone_is_said_and_all_that_is_there_is_sent(forward: Any, tmp_path: Path, capsys: Any) -> None:
    log = tmp_path / "access.log"
    write(log, 7)
    assert lines_of(forward.File(log, ["another file's first line", 10])) == [7]
    assert "lines are gone that it never got" in capsys.readouterr().out


def test_while_nginx_may_still_write_into_the_old_file_the_new_one_waits(forward: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(forward, "TURN_SECONDS", 5)
    log = tmp_path / "access.log"
    write(tmp_path / "access.log.1", 1)
    write(log, 2)
    source = forward.File(log, None)
    assert lines_of(source) == [1]
    write(tmp_path / "access.log.1", 3)
    os.utime(tmp_path / "access.log.1", (0, 0))
    assert lines_of(source) == [3, 2]


def test_the_same_line_has_the_same_number_when_it_is_sent_again(forward: Any, tmp_path: Path) -> None:
    write(tmp_path / "access.log", 1)
    logs = forward.Logs()
    first = logs.batch()
    logs.back()
    assert logs.batch() == first
    assert b'[meta sequenceId="1"]' in first
    logs.confirm()
    write(tmp_path / "access.log", 2)
    again = forward.Logs()
    assert b'[meta sequenceId="2"]' in again.batch()


def test_a_frame_is_what_the_standard_says(forward: Any) -> None:
    line = forward.Line(0.5, 3, 4, "host", "a program", "7", 'x"].service', "ä\n[b]")
    made = forward.frames(line, "journal", 9)
    length, _, message = made.partition(b" ")
    assert int(length) == len(message)
    told = r'[meta sequenceId="9"][casemate@32473 log="journal" unit="x\"\].service"]'
    assert message.decode() == f"<28>1 1970-01-01T00:00:00.500000Z host a_program 7 - {told} ä\n[b]"


def test_a_long_text_comes_in_parts_that_end_between_characters(forward: Any) -> None:
    line = forward.Line(None, 3, 6, "host", "", "", "", "ä" * 8000)
    pieces, rest = [], forward.frames(line, "journal", 1)
    while rest:
        length, _, after = rest.partition(b" ")
        pieces.append(after[: int(length)].decode())
        rest = after[int(length) :]
    assert len(pieces) == 3
    assert sum(piece.count("ä") for piece in pieces) == 8000
    assert all(f'part="{number}/3"' in piece and len(piece.encode()) < 8192 for number, piece in enumerate(pieces, 1))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"MESSAGE": "hello", "PRIORITY": 3, "SYSLOG_IDENTIFIER": "sshd"}, (3, 3, "sshd", "hello")),
        ({"MESSAGE": b"\xff", "PRIORITY": "nine", "_COMM": "x", "SYSLOG_FACILITY": 10}, (10, 6, "x", "�")),
        ({"_TRANSPORT": "kernel", "PRIORITY": 4}, (0, 4, "", "")),
    ],
)
def test_an_entry_of_the_journal_is_a_line(entry: dict[str, Any], line: tuple[Any, ...], forward: Any) -> None:
    seen = forward.from_journal({"__REALTIME_TIMESTAMP": 1_500_000, **entry})
    assert (seen.facility, seen.severity, seen.program, seen.text) == line
    assert seen.at == 1.5


def test_a_line_of_nginx_that_says_no_time_stops_nothing(forward: Any) -> None:
    assert forward.from_nginx('{"time":"yesterday"}').at is None
    assert forward.from_nginx("2026/99/99 04:00:00 [crit] x").severity == 2


def test_a_line_that_waits_longer_than_it_may_is_told(forward: Any, at: Any, tmp_path: Path) -> None:
    (tmp_path / "configuration").write_text("{}")
    os.utime(tmp_path / "configuration", (0, 0))
    write(tmp_path / "access.log", 1)
    seen = forward.status(at(6514))
    assert seen["minutes_waiting"] > 15
    with pytest.raises(forward.Refused, match=r"has not got a line of .* minutes ago, 15 are allowed. It took something last: never"):
        forward.check(seen, 15)
    forward.check(seen | {"minutes_waiting": 14.9}, 15)


@pytest.mark.parametrize("text", ["no json", "{}", '{"host": "a b", "port": 1, "name": "x", "alert_after_minutes": 1}'])
def test_a_configuration_that_cannot_work_is_refused_with_a_sentence(text: str, forward: Any, tmp_path: Path) -> None:
    path = tmp_path / "forward.json"
    path.write_text(text)
    with pytest.raises(forward.Refused, match=r"forward\.json"):
        forward.configuration(path)
