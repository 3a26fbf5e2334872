"""Which probes run together, in which order, and what a sample holds."""

from datetime import date, timedelta

import pytest
import yaml

from verification import batches as module
from verification import marks, register
from verification.batches import CORE, MOST, batches, choose, in_order, one_of_each, sample, spoils
from verification.host import Host
from verification.inventory import ROOT
from verification.marks import Probe
from verification.tests.conftest import a_register
from verification.words import CannotRun


def nothing(_host: Host) -> None:
    """A probe that breaks nothing."""


def a_probe(identifier: str, *touches: str, spoils: tuple[str, ...] = ()) -> Probe:
    return Probe(identifier, nothing, frozenset(touches), frozenset(spoils))


def names(probes: list[Probe]) -> list[str]:
    return [probe.control for probe in probes]


def test_probes_that_touch_one_thing_are_never_in_one_batch() -> None:
    found = batches([a_probe("A-1", "nginx"), a_probe("B-1", "sshd"), a_probe("C-1", "nginx"), a_probe("A-1", "other")])
    assert [sorted(batch.ids) for batch in found] == [["A-1", "B-1"], ["A-1", "C-1"]]


def test_who_spoils_a_control_comes_after_its_probe() -> None:
    (batch,) = batches([a_probe("A-1", "a", spoils=("B-1", "C")), a_probe("B-1", "b"), a_probe("C-2", "c", spoils=("B-1",))])
    assert names(batch.probes) == ["B-1", "C-2", "A-1"]


def test_controls_that_ask_for_the_same_people_come_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"A-2": {"locks"}, "A-4": {"vault"}, "A-5": {"locks"}, "A-6": {"locks", "vault"}}
    monkeypatch.setattr(module, "asked_for", lambda identifier: frozenset(asked.get(identifier, ())))
    (batch,) = batches([a_probe(f"A-{number}", f"thing {number}") for number in range(1, 7)])
    assert names(batch.probes) == ["A-1", "A-3", "A-2", "A-5", "A-6", "A-4"]


def test_a_control_whose_check_sees_everything_is_broken_first() -> None:
    whole = Probe("C-1", nothing, frozenset({"c"}), first=True)
    release = Probe("B-1", nothing, frozenset({"b"}), frozenset({"C-1"}), first=True)
    (batch,) = batches([a_probe("A-1", "a"), release, whole, a_probe("A-2", "d", spoils=("A-1",))])
    assert names(batch.probes) == ["C-1", "B-1", "A-1", "A-2"]


def test_two_that_spoil_each_other_are_never_in_one_batch() -> None:
    found = batches([a_probe("A-1", "a", spoils=("B-1",)), a_probe("B-1", "b", spoils=("A-1",))])
    assert [names(batch.probes) for batch in found] == [["A-1"], ["B-1"]]


def test_all_probes_that_there_are_find_an_order() -> None:
    controls = register.load()
    everything = [probe for probe in choose(controls, marks.load().probes, frozenset()) if not controls[probe.control].of_the_repository]
    for batch in batches(everything):
        for place, probe in enumerate(batch.probes):
            assert [later.control for later in batch.probes[place + 1 :] if spoils(probe, later.control)] == []
        assert in_order(batch.probes) == batch.probes
    assert len(batches(everything)) <= len(everything) // MOST + 2


def test_what_a_probe_spoils_is_known() -> None:
    controls = register.load()
    areas = {control.area for control in controls.values()}
    for probe in choose(controls, marks.load().probes, frozenset()):
        assert sorted(probe.spoils - controls.keys() - areas) == [], probe.sentence


def test_an_id_without_a_probe_is_said() -> None:
    with pytest.raises(CannotRun, match="TST-001 has no probe yet"):
        choose(a_register(), {}, frozenset({"TST-001"}))
    with pytest.raises(CannotRun, match="TST-404 is not in the register"):
        choose(a_register(), {}, frozenset({"TST-404"}))


def test_the_core_has_one_of_each_role() -> None:
    controls = register.load()
    plays = yaml.safe_load((ROOT / "ansible" / "site.yml").read_text())
    roles = {task["tags"] for task in plays[1]["tasks"]} - {"always"}
    assert roles <= {tag for identifier in CORE for tag in controls[identifier].tags}
    assert all(marks.load().probes.get(identifier) for identifier in CORE)


def test_a_sample_is_the_same_all_day_and_every_probe_has_its_day() -> None:
    probes = marks.load().probes
    today = date(2026, 11, 22)
    assert sample(probes, 4, today) == sample(probes, 4, today)
    assert len(sample(probes, 4, today)) == len(CORE) + 4
    assert sample(probes, 0, today) == frozenset(CORE)
    days = -(-(len(probes) - len(CORE)) // 4)
    seen = frozenset[str]().union(*(sample(probes, 4, today + timedelta(days=day)) for day in range(days)))
    assert seen == {identifier for identifier, found in probes.items() if found}


def test_a_sample_takes_one_of_each_area_that_was_changed_and_each_has_its_day() -> None:
    probes = marks.load().probes
    today, changed = date(2026, 11, 22), {"WEB-013", "WEB-014", "DB-001", "APP-009"}
    assert sample(probes, 4, today, ()) == sample(probes, 4, today)
    days = [sample(probes, 4, today + timedelta(days=day), changed) - sample(probes, 4, today + timedelta(days=day)) for day in range(2)]
    for found in days:
        assert len({identifier.rpartition("-")[0] for identifier in found}) == len(found)
    assert frozenset().union(*days) | sample(probes, 4, today) | sample(probes, 4, today + timedelta(days=1)) >= changed
    many = sample(probes, 4, today, probes)
    assert len(many - sample(probes, 4, today)) <= 4


def test_a_sample_breaks_each_control_once_and_each_probe_of_it_has_its_day() -> None:
    alike = [a_probe("A-1", "a"), a_probe("B-1", "b"), a_probe("A-1", "c")]
    days = [one_of_each(alike, date(2026, 11, 22) + timedelta(days=day)) for day in range(2)]
    assert [names(day) for day in days] == [["A-1", "B-1"], ["A-1", "B-1"]]
    assert {probe.touches for day in days for probe in day} == {probe.touches for probe in alike}
