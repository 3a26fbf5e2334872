"""X-31: the check passes where several sources agree, and turns red where one is missing, unsigned, or the clock off."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from verification.checks import clock
from verification.host import Facts
from verification.household import Household
from verification.inventory import ROOT
from verification.remote import clock as reading
from verification.tests.conftest import Stage, an_inventory
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable, State

EXPECTED: dict[str, Any] = yaml.safe_load((ROOT / "verification/expected/baseline/clock.yml").read_text())
DECLARED = {"time_servers": [{"host": "192.0.2.20", "nts": True}, {"host": "2001:db8::20"}]}
GOOD: dict[str, Any] = {
    "sources": {"192.0.2.20": {"agrees": True, "authenticated": True}, "2001:db8::20": {"agrees": True, "authenticated": False}},
    "synchronised": True,
    "seconds off": 0.0004,
    "daemons": ["/usr/sbin/chronyd -F 1"],
}
TIMER = {"enabled": "enabled", "state": "active", "next run": "set", "last run": "success", "on failure": "casemate-alert@"}


def of(**altered: Any) -> set[State]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"clock": {"value": {**copy.deepcopy(GOOD), **altered}}})
    clock.test_the_time_comes_from_several_sources_that_agree(host, see, EXPECTED, DECLARED)
    return {observation.state for observation in see.observations}


def test_a_clock_that_several_sources_vouch_for_passes() -> None:
    assert of() == {State.PASS}


@pytest.mark.parametrize(
    "altered",
    [
        {"sources": {"192.0.2.20": GOOD["sources"]["192.0.2.20"]}},
        {"sources": GOOD["sources"] | {"203.0.113.9": {"agrees": True, "authenticated": True}}},
        {"sources": GOOD["sources"] | {"2001:db8::20": {"agrees": False, "authenticated": False}}},
        {"sources": GOOD["sources"] | {"192.0.2.20": {"agrees": True, "authenticated": False}}},
        {"synchronised": False},
        {"seconds off": 0.6},
        {"daemons": []},
        {"daemons": ["/usr/lib/systemd/systemd-timesyncd", "/usr/sbin/chronyd -F 1"]},
        {"daemons": ["/usr/sbin/chronyd -F 1 -x"]},
    ],
)
def test_a_clock_that_nobody_vouches_for_is_red(altered: dict[str, Any]) -> None:
    assert State.FAIL in of(**altered)


def test_the_hosts_own_word_does_not_judge_it() -> None:
    host = Stage(an_inventory()).hosts[0]
    host.attests_itself = True
    with pytest.raises(NotTestable):
        clock.test_the_time_comes_from_several_sources_that_agree(host, Witness(), EXPECTED, DECLARED)


@pytest.mark.parametrize(
    ("timer", "command", "state"),
    [
        (TIMER, EXPECTED["time"]["looks"], {State.PASS}),
        ({**TIMER, "enabled": "disabled"}, EXPECTED["time"]["looks"], {State.PASS, State.FAIL}),
        ({**TIMER, "on failure": ""}, EXPECTED["time"]["looks"], {State.PASS, State.FAIL}),
        (TIMER, "/usr/local/sbin/casemate-time --limit 3600", {State.PASS, State.FAIL}),
    ],
)
def test_a_look_that_does_not_come_or_is_lenient_is_red(timer: dict[str, str], command: str, state: set[State]) -> None:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.inside = Facts({"timers": {"value": {"casemate-time.timer": timer}}, "time_command": {"value": command}})
    clock.test_a_drift_is_looked_for_and_told(host, see, EXPECTED)
    assert {observation.state for observation in see.observations} == state


@pytest.mark.parametrize(
    ("told", "words", "state"),
    [
        (1, "the clock is 0.001 s off, -1 s are allowed. Look at: …", {State.PASS}),
        (0, "the clock is 0.001 s off, -1 s are allowed. Look at: …", {State.PASS, State.FAIL}),
        (1, "chronyd does not answer", {State.PASS, State.FAIL}),
    ],
)
def test_a_drift_that_nobody_hears_of_is_red(told: int, words: str, state: set[State]) -> None:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host.tried["a drift"] = {"told": told, "mailed": 0, "words": words}
    clock.test_a_clock_that_is_farther_off_than_allowed_raises_an_alert(host, see)
    assert {observation.state for observation in see.observations} == state


def of_codes(**window: str) -> set[State]:
    host, see = Stage(an_inventory()).hosts[0], Witness()
    host._household_parts = frozenset({"window"})
    host._household = Household({"the window": window}, {}, 3, [], True)
    clock.test_a_code_counts_within_its_window_alone(host, see, {})
    return {observation.state for observation in see.observations}


def test_a_code_from_beside_the_window_is_refused() -> None:
    verify = "/sign-in/verify/"
    good = {"a minute late": verify, "a minute early": verify, "half a minute late": "200"}
    assert of_codes(**good) == {State.PASS}
    for name, answer in {"a minute late": "200", "a minute early": "200", "half a minute late": verify}.items():
        assert of_codes(**{**good, name: answer}) == {State.PASS, State.FAIL}


def test_another_application_takes_no_codes_of_ours() -> None:
    with pytest.raises(NotApplicable):
        clock.test_a_code_counts_within_its_window_alone(Stage(an_inventory()).hosts[0], Witness(), {"application": "other"})


def test_what_chronyc_prints_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "tracking": "C0000214,192.0.2.20,9,1763800000.1,-0.000012,0.0,0.0,1.2,0.0,0.1,0.0001,0.0002,64.2,Normal\n",
        "sources": "^,*,192.0.2.20,8,6,17,3,0.1,0.1,0.2\n^,?,2001:db8::20,0,6,0,4294967295,0,0,0\n",
        "authdata": "192.0.2.20,NTS,1,15,256,33,0,0,8,100\n2001:db8::20,-,0,0,0,4294967295,0,0,0,0\n",
    }
    monkeypatch.setattr(reading, "output", lambda *argv: said[argv[-1]])
    monkeypatch.setattr(reading, "_commands", lambda _names: {"/usr/sbin/chronyd -F 1"})
    assert reading.clock({}) == {
        "sources": {
            "192.0.2.20": {"agrees": True, "authenticated": True},
            "2001:db8::20": {"agrees": False, "authenticated": False},
        },
        "synchronised": True,
        "seconds off": 0.000012,
        "daemons": ["/usr/sbin/chronyd -F 1"],
    }


def test_the_policy_asks_the_servers_that_are_expected_where_none_are_declared() -> None:
    defaults = yaml.safe_load(Path(ROOT / "roles/time/defaults/main.yml").read_text())
    assert defaults["time_servers"] == EXPECTED["time"]["servers"]
