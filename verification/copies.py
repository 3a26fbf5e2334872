"""Probes of what the repository itself shows: a copy of the checkout is broken, and looked at by its own code. No host is touched.

Each is green in a fresh copy, red when the copy was broken, and green again when the copy got its files back. The copy's code runs in
a process of its own, which says where it runs from; what it saw is judged here, by code that nobody broke.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from verification.inventory import ROOT
from verification.marks import Probe
from verification.probing import Outcome, Say, red_by
from verification.runner import REPOSITORY
from verification.words import CannotRun, Observation, Result, State

LONGEST = 120  # seconds for one look
# Beyond what git has: a check or an entry that is being written. Nothing else that lies about, so no key and no password.
WRITTEN_HERE = ("verification", "controls")


@dataclass(frozen=True)
class Copy:
    """A throwaway copy of a checkout."""

    root: Path
    original: Path = ROOT

    def lay(self) -> None:
        """Every file as it is in the checkout, and none more."""
        wanted = {Path(name) for name in checkout(self.original)}
        for path in [path for path in self.root.rglob("*") if not path.is_dir()]:
            if path.relative_to(self.root) not in wanted:
                path.unlink()
        for name in wanted:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.original / name, self.root / name)

    def look(self, control: str) -> Result:
        """What this copy's own checks see of a control. Raises CannotRun where its code does not run, or is not the copy's."""
        # -E and -s: neither the caller's environment nor the caller's packages bring another `verification` in. -B: Python knows what
        # it compiled by second and size, and a probe may change a file within a second without changing its size.
        argv = [sys.executable, "-E", "-s", "-B", "-m", "verification.looking", control]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": str(self.root)}
        try:
            ran = subprocess.run(argv, cwd=self.root, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST)
        except subprocess.TimeoutExpired as error:
            raise CannotRun(f"the copy's check of {control} did not end within {LONGEST} s") from error
        if ran.returncode:
            raise CannotRun(f"the copy's check of {control} could not run: {ran.stderr.strip()[-500:]}")
        try:
            seen = json.loads(ran.stdout.splitlines()[-1])
        except (ValueError, IndexError) as error:
            raise CannotRun(f"the copy's check of {control} said nothing that can be read: {ran.stdout[-200:]!r}") from error
        if Path(seen["root"]) != self.root:
            raise CannotRun(f"{seen['root']} was looked at, and not the copy {self.root}")
        observations = [Observation(**{**entry, "state": State(entry["state"])}) for entry in seen["observations"]]
        return Result(control, REPOSITORY, observations)


def checkout(root: Path) -> list[str]:
    """The files of a checkout that are copied. Raises CannotRun where git does not know it."""
    found: list[str] = []
    for arguments in (("--cached",), ("--others", "--exclude-standard", "--", *WRITTEN_HERE)):
        # Under sudo the checkout belongs to somebody else, which git takes for a trap.
        argv = ["git", "-c", f"safe.directory={root}", "-C", str(root), "ls-files", "-z", *arguments]
        ran = subprocess.run(argv, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise CannotRun(f"a probe of the repository copies what git knows of it: {ran.stderr.strip()}")
        found += [name for name in ran.stdout.split("\0") if name]
    return [name for name in found if (root / name).is_file()]


@contextmanager
def a_copy() -> Iterator[Copy]:
    """For its owner alone, and gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="casemate-copy-") as folder:
        copy = Copy(Path(folder).resolve())
        copy.lay()
        yield copy


def probe_copies(probes: list[Probe], say: Say) -> list[Outcome]:
    """One copy for each probe, so that none finds what another one broke; a few at a time."""
    if not probes:
        return []
    say(f"in copies of this checkout: {', '.join(dict.fromkeys(probe.control for probe in probes))}")
    outcomes = []
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for outcome in pool.map(outcome_of, probes):
            verdict = "proved" if outcome.proved else f"NOT PROVED: {outcome.fault}"
            say(f"  {outcome.probe.control}  {outcome.probe.sentence}: {verdict}")
            outcomes.append(outcome)
    return outcomes


def outcome_of(probe: Probe) -> Outcome:
    """Green, broken, red, put back, green."""
    clock, outcome = time.monotonic(), Outcome(probe, REPOSITORY)
    try:
        with a_copy() as copy:
            _go_through(probe, copy, outcome)
    except (CannotRun, OSError) as error:
        outcome.fault = outcome.fault or str(error)
    outcome.seconds = time.monotonic() - clock
    return outcome


def _go_through(probe: Probe, copy: Copy, outcome: Outcome) -> None:
    before = copy.look(probe.control)
    outcome.before = before.state.value
    if before.state is not State.PASS:
        outcome.fault = f"not green before: {before.reason}"
        return
    probe.function(copy.root)
    broken = copy.look(probe.control)
    outcome.broken = broken.state.value
    outcome.turned_red_by, truly = red_by(broken)
    if broken.state is not State.FAIL:
        outcome.fault = "not red after it was broken"
    elif not truly:
        outcome.fault = f"red only because nothing could be observed: {broken.reason}"
    copy.lay()
    mended = copy.look(probe.control)
    outcome.mended = mended.state.value
    if mended.state is not State.PASS:
        outcome.fault = outcome.fault or f"not green with its files back: {mended.reason}"
