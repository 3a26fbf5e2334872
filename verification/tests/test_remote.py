"""The scripts for the hosts: they run as one text on standard input, and one section's failure stops no other."""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from verification import household
from verification.host import INSIDE, OUTSIDE, Facts, NotObserved, script_of
from verification.inventory import ROOT
from verification.remote import system
from verification.remote.ports import scan
from verification.remote.sections import SECTIONS
from verification.remote.wire import plain, request
from verification.witness import difference
from verification.witness import plain as plain_value


class TwiceTheHeader(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("X-Frame-Options", "SAMEORIGIN")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), TwiceTheHeader)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def test_a_header_that_came_twice_is_seen_twice(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.create_connection", _to(port))
    answer = plain({"address": "127.0.0.1"}, request("GET", "/", "casemate.test"))
    assert answer["status"] == 200
    assert [value for name, value in answer["headers"] if name == "x-frame-options"] == ["DENY", "SAMEORIGIN"]
    assert answer["body"] == "hello"


def test_a_scan_finds_exactly_what_answers(port: int) -> None:
    assert scan("127.0.0.1", [port, 1]) == [port]


@pytest.mark.parametrize("modules", [INSIDE, OUTSIDE])
def test_a_script_is_whole_and_reports_what_it_cannot_read(modules: tuple[str, ...]) -> None:
    script = script_of(modules, {"sections": ["versions", "database_tables", "strangers"], "site": "x"})
    ran = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, check=True)
    assert all({"value", "error"} & section.keys() for section in json.loads(ran.stdout).values())


def test_a_difference_names_what_is_too_much_and_what_is_missing() -> None:
    assert difference(plain_value({80, 3306}), plain_value({80, 443})) == "not expected: 3306, missing: 443"
    assert difference({"User": "root"}, {"User": "casemate"}) == "User: observed root, expected casemate"


def _to(port: int) -> object:
    import socket

    connect = socket.create_connection
    return lambda _address, timeout=None: connect(("127.0.0.1", port), timeout=timeout)


@pytest.mark.parametrize("modules", [INSIDE, OUTSIDE, household.MODULES])
def test_a_script_has_the_modules_that_its_sections_need_and_no_more(modules: tuple[str, ...]) -> None:
    texts = {name: (ROOT / f"verification/remote/{name}.py").read_text() for name in modules}
    for name in modules:
        module = importlib.import_module(f"verification.remote.{name}").__name__
        for section in [section for section, read in SECTIONS.items() if read.__module__ == module]:
            script = script_of(modules, {"sections": [section]})
            there = {each for each in modules if f'"verification.remote.{each}\\"' in script}
            ways = ("from verification.remote.{} import", "from verification.remote import {}")
            imported = {each for each in modules for own in there for way in ways if f"\n{way.format(each)}" in texts[own]}
            assert {name, "sections"} | imported <= there, section
            assert len(script) < len(script_of(modules, {})), section


def test_facts_of_which_a_part_was_read_ask_for_the_rest_once() -> None:
    asked: list[str] = []

    def read_more(name: str) -> Facts:
        asked.append(name)
        return Facts({name: {"value": [443]}} if name == "open_ports" else {}, 0.5)

    facts = Facts({"jails": {"value": ["sshd"]}}, 1.0, read_more=read_more)
    assert (facts["jails"], facts["open_ports"], facts["open_ports"]) == (["sshd"], [443], [443])
    assert (asked, facts.seconds) == (["open_ports"], 1.5)
    with pytest.raises(NotObserved, match="nothing was read of 'no such section'"):
        facts["no such section"]


def test_a_socket_that_is_gone_in_a_moment_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    sshd = 'tcp LISTEN 0 128 192.0.2.10:22 0.0.0.0:* users:(("sshd",pid=7,fd=3))\n'
    fleeting = "udp UNCONN 0 0 [::ffff:127.0.0.1]:60800 *:*\n"
    later = 'tcp LISTEN 0 5 [::1]:4444 [::]:* users:(("nc",pid=9,fd=3))\n'
    told = iter([sshd + fleeting, sshd + later])
    monkeypatch.setattr(system, "output", lambda *_argv: next(told))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    assert system.listeners({}) == [{"protocol": "tcp", "address": "192.0.2.10", "port": 22, "programs": ["sshd"]}]
