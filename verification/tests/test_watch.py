"""What is read of timers, of every answer that systemd has for them."""

import pytest

from verification.remote import watch

WAITS = {
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "SubState": "waiting",
    "NextElapseUSecRealtime": "Mon 2026-11-23 12:03:00 UTC",
}
RUN = {"Result": "success", "OnFailure": "casemate-alert@a.service.service", "TimeoutStartUSec": "10min"}


def seen(monkeypatch: pytest.MonkeyPatch, timer: dict[str, str], run: dict[str, str]) -> dict[str, str]:
    systemd_knows(monkeypatch, {"a.timer": {**WAITS, **timer, "Unit": "a.service"}, "a.service": {**RUN, **run}})
    found: dict[str, str] = watch.timers({"timers": ["a.timer"]})["a.timer"]
    return found


def systemd_knows(monkeypatch: pytest.MonkeyPatch, shown: dict[str, dict[str, str]]) -> None:
    def output(_systemctl: str, _show: str, properties: str, _end: str, *units: str) -> str:
        asked = properties.partition("=")[2].split(",")
        told = [{"Id": unit, **shown.get(unit, {})} for unit in units]
        return "\n\n".join("\n".join(f"{name}={one[name]}" for name in asked if name in one) for one in told) + "\n"

    monkeypatch.setattr(watch, "output", output)


def test_a_timer_that_waits_has_its_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"enabled": "enabled", "state": "active", "next run": "set", "last run": "success", "on failure": "casemate-alert@"}
    assert seen(monkeypatch, {}, {}) == good


@pytest.mark.parametrize(
    ("timer", "run", "next_run"),
    [
        ({"SubState": "running", "NextElapseUSecRealtime": ""}, {}, "set"),
        ({"SubState": "elapsed", "NextElapseUSecRealtime": ""}, {}, "none"),
        ({}, {"TimeoutStartUSec": "infinity"}, "none after a run that hangs"),
        ({"SubState": "running", "NextElapseUSecRealtime": ""}, {"TimeoutStartUSec": "infinity"}, "none after a run that hangs"),
    ],
    ids=["while it runs", "elapsed for good", "a run without a limit", "a run without a limit, while it lasts"],
)
def test_a_next_run_comes_after_a_run_that_ends(
    monkeypatch: pytest.MonkeyPatch, timer: dict[str, str], run: dict[str, str], next_run: str
) -> None:
    assert seen(monkeypatch, timer, run)["next run"] == next_run


def test_each_timer_has_its_own_answer_and_one_that_is_not_there_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {**WAITS, "UnitFileState": "disabled", "Unit": "b.service"}
    systemd_knows(
        monkeypatch,
        {
            "a.timer": {**WAITS, "Unit": "a.service"},
            "b.timer": other,
            "a.service": RUN,
            "b.service": {"Result": "timeout", "OnFailure": "", "TimeoutStartUSec": "infinity"},
        },
    )
    found = watch.timers({"timers": ["gone.timer", "a.timer", "b.timer"]})
    assert found["gone.timer"] == {"enabled": "", "state": "", "next run": "none", "last run": "no such unit", "on failure": ""}
    assert (found["a.timer"]["enabled"], found["a.timer"]["last run"], found["a.timer"]["next run"]) == ("enabled", "success", "set")
    assert (found["b.timer"]["enabled"], found["b.timer"]["last run"], found["b.timer"]["on failure"]) == ("disabled", "timeout", "")
    assert found["b.timer"]["next run"] == "none after a run that hangs"
