"""Which probes run, and together with which others: by name, all, or a sample of what was changed that another day continues."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from graphlib import CycleError, TopologicalSorter

from verification.household import asked_for
from verification.marks import Probe
from verification.register import Register
from verification.words import CannotRun

# In each sample, so that every role mends something: HOST-005 and X-09 need many of them.
CORE = (
    *("VAULT-003", "TLS-001", "HOST-002", "HOST-001", "DB-003", "APP-009", "WEB-003"),
    *("HOST-005", "X-09", "BAN-004", "LOG-008", "X-41", "X-06", "X-05"),
)


# Probes of one batch: what a campaign has proved is written after each, and one that is stopped loses no more than this.
MOST = 50


@dataclass
class Batch:
    """Probes that do not touch one another: one converge mends them all."""

    probes: list[Probe] = field(default_factory=list)

    @property
    def touched(self) -> frozenset[str]:
        return frozenset[str]().union(*(probe.touches for probe in self.probes))

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(probe.control for probe in self.probes)

    def takes(self, probe: Probe) -> bool:
        """Whether this probe may join: it touches nothing that another one does, and an order is left for all of them."""
        if len(self.probes) >= MOST or self.touched & probe.touches or probe.control in self.ids:
            return False
        try:
            _sorter([*self.probes, probe]).prepare()
        except CycleError:
            return False
        return True


def batches(probes: Iterable[Probe]) -> list[Batch]:
    """As few batches as a first fit finds, each in the order in which no probe spoils one that comes after it.

    Those of which a batch takes but one come first: last, they would find the early batches full, and each would need another.
    """
    found: list[Batch] = []
    probes = list(probes)
    alike = Counter(probe.control for probe in probes)
    for probe in sorted(probes, key=lambda probe: -alike[probe.control]):
        batch = next((b for b in found if b.takes(probe)), None)
        if batch is None:
            found.append(batch := Batch())
        batch.probes.append(probe)
    for batch in found:
        batch.probes = in_order(batch.probes)
    return found


def in_order(probes: list[Probe]) -> list[Probe]:
    """Whoever spoils a control comes after the probe of that control. Raises CycleError where two spoil each other.

    Beyond that, controls whose checks ask for the same parts of a household come one after the other: a look at the one that
    was broken is a look at the next one too, and makes one household for both.
    """
    sorter = _sorter(probes)
    sorter.prepare()
    parts = {probe: asked_for(probe.control) for probe in probes}
    ordered: list[Probe] = []
    ready: list[Probe] = []
    while sorter.is_active():
        ready += sorter.get_ready()
        last = parts[ordered[-1]] if ordered else frozenset[str]()
        following = min(ready, key=lambda probe: len(last ^ parts[probe]))
        ready.remove(following)
        ordered.append(following)
        sorter.done(following)
    return ordered


def _sorter(probes: list[Probe]) -> TopologicalSorter[Probe]:
    sorter = TopologicalSorter[Probe]()
    for probe in probes:
        sorter.add(probe, *(other for other in probes if other is not probe and _comes_before(other, probe)))
    return sorter


def _comes_before(other: Probe, probe: Probe) -> bool:
    return spoils(probe, other.control) or (other.first and not probe.first)


def spoils(probe: Probe, control: str) -> bool:
    """Whether a probe says that it breaks this control of another probe too."""
    return control in probe.spoils or control.rpartition("-")[0] in probe.spoils


def choose(controls: Register, probes: dict[str, list[Probe]], wanted: frozenset[str]) -> list[Probe]:
    """The probes of these ids, or all. Raises CannotRun for one that is not known or has none."""
    for identifier in sorted(wanted):
        if identifier not in controls:
            raise CannotRun(f"{identifier} is not in the register")
        if not probes.get(identifier):
            raise CannotRun(f"{identifier} has no probe yet")
    return [
        probe
        for identifier, found in sorted(probes.items())
        if identifier in controls and (not wanted or identifier in wanted)
        for probe in found
    ]


def sample(probes: dict[str, list[Probe]], size: int, today: date, changed: Iterable[str] = ()) -> frozenset[str]:
    """The core, `size` of the `changed` controls, of different areas, and `size` others.

    Which ones, the day says, and no other comes twice before each came once.
    """
    others = sorted(identifier for identifier, found in probes.items() if found and identifier not in CORE)
    random.Random(0).shuffle(others)  # noqa: S311 (the same order each day, with the areas mixed)
    areas: dict[str, list[str]] = {}
    for identifier in others:
        if identifier in frozenset(changed):
            areas.setdefault(identifier.rpartition("-")[0], []).append(identifier)
    of_each_area = [_of_the_day(found, 1, today)[0] for found in areas.values()]
    return frozenset([*CORE, *_of_the_day(of_each_area, size, today), *_of_the_day(others, size, today)])


def one_of_each(probes: Iterable[Probe], today: date) -> list[Probe]:
    """Of several probes of a control the one of the day: a batch takes but one, and each further batch costs two converges."""
    found: dict[str, list[Probe]] = {}
    for probe in probes:
        found.setdefault(probe.control, []).append(probe)
    return [alike[today.toordinal() % len(alike)] for alike in found.values()]


def _of_the_day(found: list[str], size: int, today: date) -> list[str]:
    """So many of them as the days go round."""
    start = today.toordinal() * size
    return [found[(start + step) % len(found)] for step in range(min(size, len(found)))]
