"""The probe runner: which hosts it refuses, what goes into one batch, and what it calls proved."""

from typing import Any

import pytest

from verification import probing
from verification.host import Host
from verification.inventory import Address, Inventory
from verification.marks import Probe
from verification.probing import Outcome, Trial, batches, choose
from verification.runner import Run
from verification.ssh import Connection, Ran
from verification.tests.conftest import Stage, a_control, a_register, an_inventory
from verification.words import CannotRun, Observation, Result, State


def nothing(_host: Host) -> None:
    """A probe that breaks nothing."""


def a_probe(identifier: str, *touches: str) -> Probe:
    return Probe(identifier, nothing, frozenset(touches))


@pytest.mark.parametrize("status", [1, 127])
def test_a_host_without_the_mark_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    asked: list[str] = []

    def run(_connection: Connection, command: str, **_options: object) -> Ran:
        asked.append(command)
        return Ran(status, "", "")

    monkeypatch.setattr(Connection, "run", run)
    inventory = Inventory(an_inventory().path, (Address("production-1", ("p",), frozenset()),), None, an_inventory().declared)
    with pytest.raises(CannotRun, match=r"production-1 may not be broken.*/etc/casemate/disposable"):
        probing.run_probes(inventory, frozenset(), print)
    assert len(asked) == 1, "nothing else was run on it"


def test_probes_that_touch_one_thing_are_never_in_one_batch() -> None:
    found = batches([a_probe("A-1", "nginx"), a_probe("B-1", "sshd"), a_probe("C-1", "nginx"), a_probe("A-1", "other")])
    assert [sorted(batch.ids) for batch in found] == [["A-1", "B-1"], ["A-1", "C-1"]]


def test_an_id_without_a_probe_is_said() -> None:
    with pytest.raises(CannotRun, match="TST-001 has no probe yet"):
        choose(a_register(), {}, frozenset({"TST-001"}))
    with pytest.raises(CannotRun, match="TST-404 is not in the register"):
        choose(a_register(), {}, frozenset({"TST-404"}))


SEEN = Observation("ports", State.FAIL, [3306], [], reason="ports: not expected: 3306")
UNSEEN = Observation("ports", State.FAIL, reason="could not be observed")


def trial(monkeypatch: pytest.MonkeyPatch, *stages: Observation | None, changed: tuple[int, int] = (1, 0), failure: str = "") -> Outcome:
    """Plays one probe: what the check sees at each stage (nothing: it passes), and how much each converge changed."""
    seen, converges = iter(stages), iter(changed)

    def verify(*_: Any, **__: Any) -> Run:
        observation = next(seen)
        run = Run.__new__(Run)
        run.results = [Result("TST-001", "stage", [observation or Observation("ports", State.PASS, [], [])])]
        return run

    monkeypatch.setattr(probing, "verify", verify)
    monkeypatch.setattr(probing, "converge", lambda *_: (["nginx : Write the configuration"] * next(converges), failure))
    stage = Stage(an_inventory())
    batch = batches([a_probe("TST-001", "nginx")])[0]
    (outcome,) = Trial(stage, a_register(a_control()), stage.hosts[0], batch, lambda _: None).outcomes()
    return outcome


def test_green_red_green_and_nothing_left_to_change_is_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = trial(monkeypatch, None, SEEN, None)
    assert outcome.proved
    assert outcome.turned_red_by == "ports: not expected: 3306"


def test_a_probe_that_leaves_its_check_green_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = trial(monkeypatch, None, None, None)
    assert not outcome.proved
    assert outcome.fault.startswith("not red after it was broken")


def test_red_because_nothing_was_seen_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "red only because nothing could be observed" in trial(monkeypatch, None, UNSEEN, None).fault


def test_a_check_that_is_red_before_is_not_broken_further(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = trial(monkeypatch, SEEN)
    assert outcome.fault.startswith("not green before")
    assert outcome.broken == ""


def test_what_a_converge_does_not_mend_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trial(monkeypatch, None, SEEN, SEEN).fault.startswith("not green after a converge")


def test_a_second_converge_must_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = trial(monkeypatch, None, SEEN, None, changed=(1, 2)).fault
    assert fault == "a second converge is not without a change: nginx : Write the configuration"


def test_a_converge_that_fails_is_a_fault_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "it did not work" in trial(monkeypatch, None, SEEN, None, failure="fatal: it did not work").fault


def test_the_tasks_that_changed_something_are_read_from_ansibles_words() -> None:
    output = """
TASK [sshd : Write the whole server configuration] ***
ok: [casemate]
TASK [nginx : Write the [whole] configuration] ***
changed: [casemate]
RUNNING HANDLER [nginx : Reload] ***
changed: [casemate]
casemate : ok=3 changed=2
"""
    assert probing.changed_tasks(output) == ["nginx : Write the [whole] configuration", "nginx : Reload"]
