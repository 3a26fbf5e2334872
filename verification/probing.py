"""Probes: green, break, red, converge, converge with changed=0, green.

So each shows that its check can fail, that the baseline mends what was broken, and that mending it again changes nothing.
Whatever happens on the way, an interruption too, the host is put right at the end.
"""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from verification import making, marks, register
from verification.batches import Batch, batches
from verification.host import DISPOSABLE, PART_OF_HOUSEHOLD, Host, NotObserved
from verification.household import asked_for
from verification.inventory import Inventory
from verification.ledger import digest
from verification.marks import Probe
from verification.mending import converge, ended_like_ctrl_c, not_interrupted
from verification.register import Register
from verification.runner import Run, verify
from verification.session import Session
from verification.words import CannotRun, Result, State

Say = Callable[[str], None]
Note = Callable[["list[Outcome]"], object]


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
    postponed: str = ""
    made_of: str = ""  # digest of what makes the control hold, as it was when the host was broken
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
            "digest": digest(marks.MARKED, self.probe),
            "made_of": self.made_of,
            "seconds": round(self.seconds, 1),
        }


@dataclass
class Campaign:
    """All batches on one host, which is left as it was found: every control is observed, those that are broken are tried too."""

    session: Session
    controls: Register
    host: Host
    say: Say
    found: dict[str, Result] = field(default_factory=dict)
    sections: dict[str, set[str]] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()
    dirty: bool = False
    at_the_end: Run | None = None  # what was seen of every control after the last batch was mended
    outcomes: list[Outcome] = field(default_factory=list)
    left_worse: list[str] = field(default_factory=list)
    note: Note = lambda _outcomes: None  # after each batch: what is proved by then is proved, whatever comes

    @property
    def proved(self) -> bool:
        return bool(self.outcomes) and not self.left_worse and all(outcome.proved for outcome in self.outcomes)

    def run(self, waiting: list[Batch]) -> None:
        """Every batch; the probes whose controls another one had broken before their turn come again, together.

        The first of a batch finds nothing broken, so each round proves one more at least.
        """
        with ended_like_ctrl_c():
            self.broken = frozenset[str]().union(*(batch.ids for batch in waiting))
            # What active checks find is noted as the turn of each probe comes.
            seen = verify(self.session, controls=self.controls)
            self.found = {result.control: result for result in seen.results if result.host == self.host.name}
            try:
                number, again = 0, list[Probe]()
                while waiting or again:
                    if not waiting:
                        waiting, again = batches(again), []
                    number, batch = number + 1, waiting.pop(0)
                    self.say(f"batch {number} of {number + len(waiting)}: {', '.join(probe.control for probe in batch.probes)}")
                    outcomes = Trial(self, batch, last=not waiting and not again).outcomes()
                    self.outcomes += [outcome for outcome in outcomes if not outcome.postponed]
                    again += [outcome.probe for outcome in outcomes if outcome.postponed]
                    self.note(self.outcomes)
            finally:
                self.leave_as_found()

    def look_at_all(self) -> Run:
        """Every control, with the active checks of those that were broken in any batch."""
        self.at_the_end = verify(self.session, active=self.broken, controls=self.controls)
        return self.at_the_end

    def look(self, only: Collection[str]) -> Run:
        """Looks at these controls, with the active checks, since this host may be broken; reads just what they need.

        What that is, the last look at each told; of one that was never looked at, the checks themselves ask for it.
        """
        needed = set().union(*(self.sections.get(i) or {f"{PART_OF_HOUSEHOLD}{part}" for part in asked_for(i)} for i in only))
        run = verify(self.session, active=True, only=frozenset(only), sections=needed, controls=self.controls)
        self.sections |= run.sections
        return run

    def converge(self, tags: list[str]) -> tuple[list[str], str]:
        started = time.monotonic()
        changed, words = converge(self.session.inventory, self.host.name, tags)
        if changed or words:
            with suppress(CannotRun, NotObserved):  # then the next look says what is wrong
                self.host.let_back_in()
        named = ", ".join(tags) or "everything"
        self.say(f"  converge of {named}: changed={len(changed)} in {time.monotonic() - started:.0f} s")
        if words:
            self.say(f"  the converge failed: {words}")
        return changed, words

    def leave_as_found(self) -> None:
        """Mends what is still broken, and says by looking once more at every control what state the host is left in."""
        with not_interrupted():
            how = "make converge, or make down and make up"
            try:
                if self.dirty:
                    self.say("mending the host before the end (Ctrl-C waits for it)")
                    self.converge([])
                    self.at_the_end = None
                seen = self.at_the_end or self.look_at_all()
                after = {result.control: result for result in seen.results if result.host == self.host.name}
            except CannotRun as error:
                self.left_worse = ["not known"]
                self.say(f"{self.host.name} IS PERHAPS STILL BROKEN: {error}. To put it right: {how}")
                return
            passed = [identifier for identifier, result in self.found.items() if result.state is State.PASS]
            self.left_worse = lost = [identifier for identifier in passed if after[identifier].state is not State.PASS]
            if lost:
                self.say(f"{self.host.name} IS STILL BROKEN, in {', '.join(lost)}: {after[lost[0]].reason}. To put it right: {how}")
            else:
                self.say(f"{self.host.name} is left as it was found: {len(passed)} controls pass, as before")


@dataclass
class Trial:
    """One batch: each probe breaks its control and is looked at by itself; then all are mended together."""

    campaign: Campaign
    batch: Batch
    last: bool = False  # then one look at every control shows what was mended, and how the host is left

    def outcomes(self) -> list[Outcome]:
        clock = time.monotonic()
        controls, host = self.campaign.controls, self.campaign.host.name
        outcomes = [Outcome(probe, host, made_of=making.digest(controls[probe.control])) for probe in self.batch.probes]
        self._break_each(outcomes)
        if ready := [outcome for outcome in outcomes if outcome.broken]:
            tags = sorted({tag for outcome in ready for tag in self.campaign.controls[outcome.probe.control].tags})
            self._converge(tags, ready)
            for changed in self._converge(tags, ready):
                role = changed.partition(" : ")[0]
                blamed = [outcome for outcome in ready if role in self.campaign.controls[outcome.probe.control].tags]
                for outcome in blamed or ready:
                    outcome.fault = outcome.fault or f"a second converge is not without a change: {changed}"
            closing = self.last and not any(outcome.postponed for outcome in outcomes)
            self._note_mended(self.campaign.look_at_all() if closing else self.campaign.look([o.probe.control for o in ready]), ready)
            self.campaign.dirty = any(outcome.mended != State.PASS for outcome in ready)
        seconds = time.monotonic() - clock
        for outcome in outcomes:
            outcome.seconds += seconds / len(outcomes)
            verdict = "proved" if outcome.proved else f"NOT PROVED: {outcome.fault.partition(chr(10))[0]}"
            verdict = f"comes again: {outcome.postponed}" if outcome.postponed else verdict
            self.campaign.say(f"  {outcome.probe.control}  {outcome.probe.sentence}: {verdict}")
        return outcomes

    def _break_each(self, outcomes: list[Outcome]) -> None:
        """Each look tells two things: that this control is red now, and that the next one is still green."""
        broken: Outcome | None = None  # the last one that was
        run = self.campaign.look([outcomes[0].probe.control])
        for outcome, following in zip(outcomes, [*outcomes[1:], None], strict=True):
            self._note_before(outcome, _result(run, outcome), broken)
            ahead = [following.probe.control] if following else []
            if outcome.before != State.PASS:
                run = self.campaign.look(ahead) if ahead else run
                continue
            broken, self.campaign.dirty = outcome, True
            try:
                outcome.probe.function(self.campaign.host)
            except CannotRun as error:
                outcome.fault = f"the probe could not break it: {error}"
            run = self.campaign.look([outcome.probe.control, *ahead])
            result = _result(run, outcome)
            outcome.broken = result.state.value
            if result.state is State.FAIL:
                outcome.turned_red_by, truly = red_by(result)
                if not truly:
                    outcome.fault = outcome.fault or f"red only because nothing could be observed: {result.reason}"
            else:
                outcome.fault = outcome.fault or f"not red after it was broken: {result.state.value} {result.reason}".strip()
            self.campaign.say(f"  {outcome.probe.control}  {outcome.broken}: {outcome.turned_red_by or outcome.fault}"[:200])

    def _note_before(self, outcome: Outcome, result: Result, broken: Outcome | None) -> None:
        """A control that was red before anything was broken is a fault; one that another probe turned red comes again."""
        outcome.before = result.state.value
        found = self.campaign.found.get(outcome.probe.control)
        if result.state is State.PASS:
            self.campaign.found[outcome.probe.control] = result
        elif broken is None or (found and found.state is State.FAIL):
            outcome.fault = f"not green before: {result.state.value} {result.reason}".strip()
        else:
            outcome.postponed = f"red before its own turn, after {broken.probe.control} ({result.reason[:120]})"

    def _note_mended(self, run: Run, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            result = _result(run, outcome)
            outcome.mended = result.state.value
            if result.state is not State.PASS:
                outcome.fault = outcome.fault or f"not green after a converge: {result.state.value} {result.reason}".strip()

    def _converge(self, tags: list[str], outcomes: list[Outcome]) -> list[str]:
        changed, words = self.campaign.converge(tags)
        if words:
            for outcome in outcomes:
                outcome.fault = outcome.fault or f"the converge failed: {words}"
        return changed


def refuse_unless_disposable(host: Host) -> None:
    """Probes break things. They do it only to hosts that roles/lab marked as made for it."""
    if not host.disposable:
        raise CannotRun(
            f"{host.name} may not be broken: it has no {DISPOSABLE} that belongs to root. The lab writes that mark when it makes "
            "a host; write it nowhere else. For a host that may be broken: make up"
        )


def run_probes(inventory: Inventory, probes: list[Probe], say: Say, note: Note = lambda _outcomes: None) -> Campaign:
    """Runs these probes against the one host that the inventory is limited to; `note` is told of all outcomes after each batch."""
    with Session(inventory) as session:
        if len(session.hosts) != 1:
            raise CannotRun("a probe breaks one host at a time: name it with --host")
        host = session.hosts[0]
        refuse_unless_disposable(host)
        campaign = Campaign(session, register.load(), host, say, note=note)
        campaign.run(batches(probes))
        return campaign


def red_by(result: Result) -> tuple[str, bool]:
    """Which observation turned red, and whether it was a real one: a check that saw nothing proves nothing."""
    failed = [observation for observation in result.observations if observation.state is State.FAIL]
    real = [observation for observation in failed if observation.observed is not None]
    return ((real or failed)[0].reason, bool(real)) if failed else ("", False)


def _result(run: Run, outcome: Outcome) -> Result:
    result = run.result(outcome.probe.control, outcome.host)
    return result or Result(outcome.probe.control, outcome.host)
