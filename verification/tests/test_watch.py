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
    shown = {"a.timer": {**WAITS, **timer, "Unit": "a.service"}, "a.service": {**RUN, **run}}

    def output(_systemctl: str, _show: str, unit: str, properties: str) -> str:
        asked = properties.partition("=")[2].split(",")
        return "\n".join(f"{name}={value}" for name, value in shown[unit].items() if name in asked)

    monkeypatch.setattr(watch, "output", output)
    found: dict[str, str] = watch.timers({"timers": ["a.timer"]})["a.timer"]
    return found


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
