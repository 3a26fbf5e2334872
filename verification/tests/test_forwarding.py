"""LOG-012: the check passes where each line is at the collector, and turns red where one stays here, waits, or goes to somebody else."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verification import expectations
from verification.checks import forwarding
from verification.host import Facts
from verification.remote import collector
from verification.remote import forwarding as reading
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable, State

EXPECTED = expectations.load("baseline", {})
DECLARED = {"log_collector": {"host": "192.0.2.20", "name": "logs.example.org"}}
TO = {"host": "192.0.2.20", "port": 6514, "name": "logs.example.org", "alert_after_minutes": 15}
GOOD: dict[str, Any] = {"to": TO, "confirmed": True, "minutes": 0.1}
UNIT = {"ActiveState": "active", "UnitFileState": "enabled", "User": "casemate-forward"}
TIMER = {"enabled": "enabled", "state": "active", "next run": "set", "last run": "success", "on failure": "casemate-alert@"}
ARRIVED = {"nginx": True, "MariaDB": True, "the audit log": True}
AWAY = {"meanwhile": False, "afterwards": True, "told": 1, "named": True}
REFUSED = {"said": "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch", "arrived": False}


def failed(check: Callable[..., None], *more: Any, tried: dict[str, Any] | None = None, **altered: Any) -> list[str]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    facts = {"forwarding": GOOD, "units": {forwarding.UNIT: UNIT}, "timers": {forwarding.TIMER: TIMER}} | altered
    host.inside = Facts({name: {"value": value} for name, value in facts.items()})
    host.tried = tried or {}
    check(host, see, *more, DECLARED)
    return [one.what for one in see.observations if one.state is not State.PASS]


def test_a_host_whose_lines_are_with_the_collector_passes() -> None:
    assert failed(forwarding.test_the_collector_has_what_was_written_here, EXPECTED) == []
    assert failed(forwarding.test_somebody_looks_whether_it_has_and_tells, EXPECTED) == []


@pytest.mark.parametrize(
    ("altered", "seen"),
    [
        ({"forwarding": GOOD | {"to": TO | {"host": "198.51.100.66"}}}, "where the lines go"),
        ({"forwarding": GOOD | {"to": TO | {"name": "anybody"}}}, "where the lines go"),
        ({"forwarding": GOOD | {"to": TO | {"alert_after_minutes": 10_000}}}, "where the lines go"),
        ({"forwarding": GOOD | {"confirmed": False}}, "whether the collector took any"),
        ({"forwarding": GOOD | {"minutes": 15.5}}, "minutes that the oldest line waits"),
        ({"units": {forwarding.UNIT: UNIT | {"ActiveState": "inactive"}}}, "what sends them"),
        ({"units": {forwarding.UNIT: UNIT | {"User": "root"}}}, "what sends them"),
        ({"units": {}}, "what sends them"),
    ],
)
def test_lines_that_stay_here_or_go_elsewhere_are_red(altered: dict[str, Any], seen: str) -> None:
    assert failed(forwarding.test_the_collector_has_what_was_written_here, EXPECTED, **altered) == [seen]


@pytest.mark.parametrize("timer", [None, TIMER | {"state": "inactive"}, TIMER | {"on failure": ""}, TIMER | {"last run": "exit-code"}])
def test_a_collector_that_nobody_looks_after_is_red(timer: Any) -> None:
    seen = failed(forwarding.test_somebody_looks_whether_it_has_and_tells, EXPECTED, timers={forwarding.TIMER: timer})
    assert seen == [forwarding.TIMER]


def test_a_service_whose_line_did_not_arrive_is_named() -> None:
    check = forwarding.test_a_line_of_each_service_arrives_over_tls
    assert failed(check, tried={"lines at the collector": ARRIVED}) == []
    assert failed(check, tried={"lines at the collector": ARRIVED | {"MariaDB": False}}) == ["a line of MariaDB is at the collector"]


@pytest.mark.parametrize(
    ("altered", "seen"),
    [
        ({}, []),
        ({"meanwhile": True}, ["a line that was written meanwhile is there meanwhile"]),
        ({"afterwards": False}, ["it is there when the collector is back"]),
        ({"told": 0}, ["lines of priority alert about its absence"]),
        ({"named": False}, ["whether the collector is named"]),
    ],
)
def test_a_collector_that_is_away_loses_nothing_and_is_told_of(altered: dict[str, Any], seen: list[str]) -> None:
    check = forwarding.test_what_was_written_while_it_was_away_follows_and_its_absence_is_told
    assert failed(check, tried={"a collector that is away": AWAY | altered}) == seen


@pytest.mark.parametrize(
    ("altered", "count"), [({}, 0), ({"arrived": True}, 1), ({"said": "nothing"}, 1), ({"said": "[Errno 111] Connection refused"}, 1)]
)
def test_somebody_else_in_the_collectors_place_is_red_where_he_gets_a_line(altered: dict[str, Any], count: int) -> None:
    check = forwarding.test_nobody_gets_a_line_who_only_says_he_is_the_collector
    for shown in ("foreign", "other"):
        tried = {f"a collector that shows {name}": REFUSED for name in ("foreign", "other")}
        tried[f"a collector that shows {shown}"] = REFUSED | altered
        assert len(failed(check, tried=tried)) == count


def test_an_installation_without_a_collector_is_not_judged() -> None:
    host = Stage(an_inventory()).hosts[0]
    with pytest.raises(NotApplicable, match="no log_collector"):
        forwarding.test_the_collector_has_what_was_written_here(host, Witness(), EXPECTED, {})
    with pytest.raises(NotApplicable):
        forwarding.test_a_line_of_each_service_arrives_over_tls(host, Witness(), {"log_collector": None})


def test_a_collector_on_which_nobody_can_look_is_not_testable() -> None:
    host = Stage(an_inventory()).hosts[0]
    host.look_outside = lambda _parameters: Facts({"collects": {"value": False}})
    with pytest.raises(NotTestable, match="is not the collector"):
        forwarding.test_a_line_of_each_service_arrives_over_tls(host, Witness(), DECLARED)


@pytest.fixture
def a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reading, "CONFIGURATION", tmp_path / "forward.json")
    monkeypatch.setattr(reading, "STATE", tmp_path / "state.json")
    return tmp_path


def test_a_host_without_a_collector_sends_nowhere(a_host: Path) -> None:
    assert reading.forwarding({}) == {"to": {}, "confirmed": False, "minutes": 0.0}


def test_how_long_a_line_waits_is_read_from_the_journals(a_host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    asked: list[tuple[str, ...]] = []

    def next_line(cursor: str, *which: str) -> float | None:
        asked.append((cursor, *which))
        return now - 600 if which else None

    monkeypatch.setattr(reading, "_next", next_line)
    monkeypatch.setattr("time.time", lambda: now)
    (a_host / "forward.json").write_text(json.dumps(TO))
    (a_host / "state.json").write_text(json.dumps({"places": {"journal": "s=1", "casemate-audit": None}}))
    os.utime(a_host / "forward.json", (now - 3600, now - 3600))
    assert reading.forwarding({}) == {"to": TO, "confirmed": True, "minutes": 10.0}
    assert asked == [("s=1",), ("", "--namespace=casemate-audit")]
    # Since there is a collector, and not since there is a log.
    os.utime(a_host / "forward.json", (now - 60, now - 60))
    assert reading.forwarding({})["minutes"] == 1.0


def test_a_line_is_at_the_collector_where_one_has_all_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = 'x log="access" one\nx log="journal" two\n'
    monkeypatch.setattr(collector, "output", lambda *_argv, **_more: lines)
    words = {"a": ['log="access"', "one"], "b": ['log="access"', "two"]}
    assert collector.collected({"words": words, "seconds": 0}) == {"a": True, "b": False}


def test_the_units_that_are_judged_are_read() -> None:
    assert forwarding.UNIT in EXPECTED["read_inside"]["units"]
    assert forwarding.TIMER in EXPECTED["read_inside"]["timers"]
