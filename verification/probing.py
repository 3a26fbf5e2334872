"""Probes: green, break, red, converge, green, converge with changed=0.

So each shows that its check can fail, that the baseline mends what was broken, and that mending it again changes nothing.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from verification import marks, register
from verification.host import DISPOSABLE, Host
from verification.inventory import ROOT, Inventory
from verification.marks import Probe
from verification.register import Register
from verification.runner import Run, verify
from verification.session import Session
from verification.words import CannotRun, Result, State

Say = Callable[[str], None]


@dataclass
class Outcome:
    """What became of one probe."""

    probe: Probe
    host: str
    before: str = ""
    broken: str = ""
    turned_red_by: str = ""
    mended: str = ""
    fault: str = ""
    seconds: float = 0.0

    @property
    def proved(self) -> bool:
        return not self.fault and (self.before, self.broken, self.mended) == (State.PASS, State.FAIL, State.PASS)

    def record(self) -> dict[str, Any]:
        return {
            "control": self.probe.control,
            "probe": self.probe.sentence,
            "host": self.host,
            "proved": self.proved,
            "before": self.before,
            "broken": self.broken,
            "turned_red_by": self.turned_red_by,
            "mended": self.mended,
            "fault": self.fault,
            "seconds": round(self.seconds, 1),
        }


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


def batches(probes: Iterable[Probe]) -> list[Batch]:
    """As few batches as a first fit finds. Two probes of one control, or of one thing, are never in the same."""
    found: list[Batch] = []
    for probe in probes:
        fitting = (b for b in found if not (b.touched & probe.touches) and probe.control not in b.ids)
        batch = next(fitting, None)
        if batch is None:
            found.append(batch := Batch())
        batch.probes.append(probe)
    return found


def refuse_unless_disposable(host: Host) -> None:
    """Probes break things. They do it only to hosts that roles/lab marked as made for it."""
    if not host.disposable:
        raise CannotRun(
            f"{host.name} may not be broken: it has no {DISPOSABLE} that belongs to root. The lab writes that mark when it makes "
            "a host; write it nowhere else. For a host that may be broken: make up"
        )


def run_probes(inventory: Inventory, wanted: frozenset[str], say: Say) -> list[Outcome]:
    """Runs the probes of `wanted`, or all, against the one host that the inventory is limited to."""
    with Session(inventory) as session:
        if len(session.hosts) != 1:
            raise CannotRun("a probe breaks one host at a time: name it with --host")
        host = session.hosts[0]
        refuse_unless_disposable(host)
        controls = register.load()
        marked = marks.load()
        chosen = choose(controls, marked.probes, wanted)
        outcomes = []
        for number, batch in enumerate(all_batches := batches(chosen), start=1):
            say(f"batch {number} of {len(all_batches)}: {', '.join(sorted(batch.ids))}")
            outcomes += Trial(session, controls, host, batch, say).outcomes()
        return outcomes


def choose(controls: Register, probes: dict[str, list[Probe]], wanted: frozenset[str]) -> list[Probe]:
    """The probes of these ids. Raises CannotRun for one that is not known or has none."""
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


@dataclass
class Trial:
    """One batch on one host."""

    session: Session
    controls: Register
    host: Host
    batch: Batch
    say: Say

    def outcomes(self) -> list[Outcome]:
        clock = time.monotonic()
        outcomes = [Outcome(probe, self.host.name) for probe in self.batch.probes]
        self._stage("green before", outcomes, "before", State.PASS)
        if ready := [outcome for outcome in outcomes if not outcome.fault]:
            for outcome in ready:
                self._break(outcome)
            self._stage("red after it was broken", ready, "broken", State.FAIL)
            tags = sorted({tag for outcome in ready for tag in self.controls[outcome.probe.control].tags})
            self._converge(tags, ready)
            self._stage("green after a converge", ready, "mended", State.PASS)
            for changed in self._converge(tags, ready):
                for outcome in ready:
                    outcome.fault = outcome.fault or f"a second converge is not without a change: {changed}"
        seconds = time.monotonic() - clock
        for outcome in outcomes:
            outcome.seconds += seconds / len(outcomes)
            verdict = "proved" if outcome.proved else f"NOT PROVED: {outcome.fault}"
            self.say(f"  {outcome.probe.control}  {outcome.probe.sentence}: {verdict} ({outcome.seconds:.1f} s)")
        return outcomes

    def _break(self, outcome: Outcome) -> None:
        started = time.monotonic()
        self.say(f"  {outcome.probe.control}  {outcome.probe.sentence}")
        try:
            outcome.probe.function(self.host)
        except CannotRun as error:
            outcome.fault = f"the probe could not break it: {error}"
        outcome.seconds += time.monotonic() - started

    def _stage(self, name: str, outcomes: list[Outcome], attribute: str, wanted: State) -> None:
        """Looks at the batch's controls and notes each state; one that is not as it must be is a fault."""
        run = verify(self.session, only=self.batch.ids, controls=self.controls)
        for outcome in outcomes:
            result = _result(run, outcome)
            setattr(outcome, attribute, result.state.value)
            if wanted is State.FAIL and result.state is State.FAIL:
                outcome.turned_red_by, truly = red_by(result)
                if not truly:
                    outcome.fault = outcome.fault or f"red only because nothing could be observed: {result.reason}"
            elif result.state is not wanted:
                outcome.fault = outcome.fault or f"not {name}: {result.state.value} {result.reason}".strip()
        self.say(f"  {name}: " + ", ".join(f"{o.probe.control} {getattr(o, attribute)}" for o in outcomes))

    def _converge(self, tags: list[str], outcomes: list[Outcome]) -> list[str]:
        """Puts the host right, and gives the names of the tasks that changed something."""
        started = time.monotonic()
        changed, words = converge(self.session.inventory, self.host.name, tags)
        self.say(f"  converge of {', '.join(tags)}: changed={len(changed)} in {time.monotonic() - started:.0f} s")
        if words:
            for outcome in outcomes:
                outcome.fault = outcome.fault or f"the converge failed: {words}"
        return changed


def red_by(result: Result) -> tuple[str, bool]:
    """Which observation turned red, and whether it was a real one: a check that saw nothing proves nothing."""
    failed = [observation for observation in result.observations if observation.state is State.FAIL]
    real = [observation for observation in failed if observation.observed is not None]
    return ((real or failed)[0].reason, bool(real)) if failed else ("", False)


def converge(inventory: Inventory, host: str, tags: list[str]) -> tuple[list[str], str]:
    """Runs site.yml with these tags: the names of the tasks that changed something, and Ansible's words where it failed."""
    argv = [str(ROOT / ".venv" / "bin" / "ansible-playbook"), "ansible/site.yml", "-i", str(inventory.path), "--limit", host]
    argv += ["--tags", ",".join(tags), *(part for pair in inventory.extra for part in ("-e", pair))]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environment.get('PATH', '')}"
    ran = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return changed_tasks(ran.stdout), failure(ran.stdout + ran.stderr) if ran.returncode else ""


def failure(output: str) -> str:
    """Ansible's own words about what failed, from the first of them on."""
    found = re.search(r"^(\[ERROR\]|fatal: |ERROR! ).*", output, re.MULTILINE | re.DOTALL)
    return (found[0] if found else output[-800:])[:800]


def changed_tasks(output: str) -> list[str]:
    """From what ansible-playbook printed: a line of each task or handler, then one of each host."""
    named, changed = "", []
    for line in output.splitlines():
        if match := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\]", line):
            named = match[1]
        elif line.startswith("changed: ["):
            changed.append(named)
    return changed


def _result(run: Run, outcome: Outcome) -> Result:
    result = run.result(outcome.probe.control, outcome.host)
    return result or Result(outcome.probe.control, outcome.host)
