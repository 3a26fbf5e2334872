"""The probe runner: which hosts it refuses, what goes into one batch, and what it calls proved."""

import signal
from typing import Any
from unittest.mock import Mock

import pytest

from verification import marks, probing
from verification.batches import Batch, batches
from verification.host import Host
from verification.inventory import Address, Inventory
from verification.marks import Probe
from verification.mending import changed_tasks, ended_like_ctrl_c, not_interrupted
from verification.probing import Campaign, Outcome
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
        probing.run_probes(inventory, [a_probe("TST-001", "nginx")], print)
    assert len(asked) == 1, "nothing else was run on it"


SEEN = Observation("ports", State.FAIL, [3306], [], reason="ports: not expected: 3306")
UNSEEN = Observation("ports", State.FAIL, reason="could not be observed")


def campaign(
    monkeypatch: pytest.MonkeyPatch, looks: list[dict[str, Observation]], changed: list[int], failure: str = "", *probes: Probe
) -> tuple[Campaign, list[str]]:
    """Plays probes: what is seen at each look (a control that is not named passes), and how much each converge changed."""
    seen, converges, said = iter(looks), iter(changed), list[str]()
    probes = probes or (a_probe("TST-001", "nginx"),)

    def verify(*_: Any, only: frozenset[str] | None = None, **__: Any) -> Run:
        red = next(seen, {})
        run = Run.__new__(Run)
        run.sections = {}
        ids = only or {probe.control for probe in probes}
        run.results = [Result(i, "stage", [red.get(i) or Observation("ports", State.PASS, [], [])]) for i in ids]
        return run

    monkeypatch.setattr(probing, "verify", verify)
    monkeypatch.setattr(probing, "converge", lambda *_: (["nginx : Write the configuration"] * next(converges, 0), failure))
    monkeypatch.setattr(Host, "let_back_in", lambda _host: said.append("the observer is let in"))
    stage = Stage(an_inventory())
    controls = a_register(*(a_control(probe.control) for probe in probes))
    return Campaign(stage, controls, stage.hosts[0], said.append), said


def trial(monkeypatch: pytest.MonkeyPatch, *stages: Observation | None, changed: tuple[int, int] = (1, 0), failure: str = "") -> Outcome:
    """One probe, alone: what is seen before, when it is broken, when it is mended."""
    looks: list[dict[str, Observation]] = [{}, *({"TST-001": seen} if seen else {} for seen in stages)]
    played, _said = campaign(monkeypatch, looks, [*changed], failure)
    played.run(batches([a_probe("TST-001", "nginx")]))
    (outcome,) = played.outcomes
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
    assert changed_tasks(output) == ["nginx : Write the [whole] configuration", "nginx : Reload"]


def test_controls_that_another_probe_broke_before_their_turn_come_again_together(monkeypatch: pytest.MonkeyPatch) -> None:
    three = (a_probe("TST-001", "nginx"), a_probe("TST-002", "sshd"), a_probe("TST-003", "base"))
    first: list[dict[str, Observation]] = [{}, dict.fromkeys(("TST-001", "TST-002"), SEEN), {"TST-003": SEEN}, {}]
    second: list[dict[str, Observation]] = [{}, {"TST-002": SEEN}, {"TST-003": SEEN}, {}]
    played, said = campaign(monkeypatch, [{}, *first, *second, {}], [1, 0, 1, 0], "", *three)
    played.run(batches(three))
    assert [(o.probe.control, o.proved) for o in played.outcomes] == [("TST-001", True), ("TST-002", True), ("TST-003", True)]
    assert sum("comes again: red before its own turn, after " in line for line in said) == 2
    assert [line for line in said if line.startswith("batch")][-1] == "batch 2 of 2: TST-002, TST-003"


def test_a_control_that_was_red_from_the_start_is_a_fault_and_does_not_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    two = (a_probe("TST-001", "nginx"), a_probe("TST-002", "sshd"))
    both: dict[str, Observation] = dict.fromkeys(("TST-001", "TST-002"), SEEN)
    played, _said = campaign(monkeypatch, [{"TST-002": SEEN}, {}, both, {}, {"TST-002": SEEN}], [1, 0], "", *two)
    played.run(batches(two))
    assert [(o.probe.control, o.proved, o.fault.partition(":")[0]) for o in played.outcomes] == [
        ("TST-001", True, ""),
        ("TST-002", False, "not green before"),
    ]


def test_what_each_control_needs_is_read_alone_once_a_look_has_told(monkeypatch: pytest.MonkeyPatch) -> None:
    played, _said = campaign(monkeypatch, [], [])
    asked: list[tuple[Any, Any]] = []

    def verify(*_: Any, sections: Any = None, active: Any = False, **__: Any) -> Run:
        asked.append((sections, active))
        run = Run.__new__(Run)
        run.results, run.sections = [], {"TST-001": {"jails"}}
        return run

    monkeypatch.setattr(probing, "verify", verify)
    played.look(["TST-001"])
    played.look(["TST-001", "TST-002"])
    marks.load()
    played.look(["X-31"])
    assert asked == [(set(), True), ({"jails"}, True), ({"household: window"}, True)]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, CannotRun("the host is gone"), RuntimeError("a mistake in a probe")])
def test_whatever_ends_the_run_the_host_is_mended_and_that_is_said(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    played, said = campaign(monkeypatch, [{}, {}, {}], [3])
    monkeypatch.setattr(played, "look", Mock(side_effect=[played.look({"TST-001"}), problem]))
    with pytest.raises(problem if isinstance(problem, type) else type(problem)):
        played.run([Batch([Probe("TST-001", nothing, frozenset({"nginx"}))])])
    assert "  converge of everything: changed=3 in 0 s" in said
    assert said[-1] == "stage is left as it was found: 1 controls pass, as before"


def test_a_host_that_could_not_be_mended_is_named_with_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    played, said = campaign(monkeypatch, [{}, {}, {"TST-001": SEEN}, {"TST-001": SEEN}, {"TST-001": SEEN}], [1, 0, 0], "fatal: no")
    played.run(batches([a_probe("TST-001", "nginx")]))
    assert (played.proved, played.left_worse) == (False, ["TST-001"])
    assert said[-1].startswith("stage IS STILL BROKEN, in TST-001: ports: not expected: 3306. To put it right: make converge")


def test_one_look_at_every_control_shows_what_the_last_batch_mended_and_how_the_host_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    played, said = campaign(monkeypatch, [{}, {}, {"TST-001": SEEN}], [1, 0])
    looked = Mock(side_effect=vars(probing)["verify"])
    monkeypatch.setattr(probing, "verify", looked)
    played.run(batches([a_probe("TST-001", "nginx")]))
    assert [call.kwargs.get("only") for call in looked.call_args_list] == [None, {"TST-001"}, {"TST-001"}, None]
    assert (played.proved, said[-1]) == (True, "stage is left as it was found: 1 controls pass, as before")


def test_a_control_that_the_last_batch_left_broken_is_looked_at_again_once_everything_was_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    played, said = campaign(monkeypatch, [{}, {}, {"TST-001": SEEN}, {"TST-001": SEEN}, {}], [1, 0, 1])
    played.run(batches([a_probe("TST-001", "nginx")]))
    assert (played.proved, played.left_worse) == (False, [])
    assert "  converge of everything: changed=1 in 0 s" in said
    assert said[-1] == "stage is left as it was found: 1 controls pass, as before"


def test_nothing_interrupts_the_mending(monkeypatch: pytest.MonkeyPatch) -> None:
    with ended_like_ctrl_c(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    with not_interrupted():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)


def test_who_looks_from_outside_is_let_in_after_each_converge_that_mended_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a restarted fail2ban reads again would shut the verifier out, and all that is seen from outside would stay red."""
    played, said = campaign(monkeypatch, [{}, {}, {"TST-001": SEEN}, {}], [1, 0])
    played.run(batches([a_probe("TST-001", "nginx")]))
    assert (said.count("the observer is let in"), sum("converge of" in line for line in said)) == (1, 2)
