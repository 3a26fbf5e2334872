"""The host's own word: the checks of the controller, by the same code, on what the host read of itself. A timer asks for it each day.

`read` runs as root and judges nothing; `judge` runs as an account that owns nothing, on the one file that `read` left it. Nobody looked
from outside, and whoever took the host has it say what they like: every result says that the host attested it.
"""

import json
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from verification import evidence, expectations, inventory, marks, register, report
from verification.host import INSIDE, Facts
from verification.inventory import TIERS, Inventory
from verification.marks import Marked
from verification.remote import sections as reading
from verification.session import Session
from verification.words import CannotRun, NotTestable, State

SETTINGS = Path("/etc/casemate/attest.json")
FACTS = Path("/run/casemate-attest/facts.json")
KEPT = Path("/var/lib/casemate-attest")
DAYS = 90  # of whole results; history.jsonl keeps a line of each run for good
BY_HOST = "the host itself"
NOBODY_OUTSIDE = "the host attests itself: nobody looked from outside"


class Unseen(Facts):
    """What only another host could have seen."""

    def __getitem__(self, name: str) -> Any:
        raise NotTestable(NOBODY_OUTSIDE)


@dataclass
class OwnSession(Session):
    """A session without a connection: one host, and the facts that were read on it."""

    facts: Facts

    def __post_init__(self) -> None:
        super().__post_init__()
        (host,) = self.hosts
        host.inside, host.outside, host.attests_itself = self.facts, Unseen({}), True
        host.site, host.witness = host.declared["site_name"], BY_HOST
        host.page, host.kinds_left_out = self.expected["site"]["page"], frozenset(self.expected["site"]["kinds_left_out"])

    def read(self, sections: Collection[str] | None = None) -> None:
        """The facts are there already."""


def read(settings: Path = SETTINGS, facts: Path = FACTS) -> None:
    """Reads all that the checks need to know of this host, and writes it for the account that judges."""
    for module in INSIDE:
        __import__(f"verification.remote.{module}")
    found = inventory.own(settings)
    parameters = _expected(found)["read_inside"]
    fresh = facts.with_suffix(".new")
    fresh.write_text(json.dumps(reading.collect(parameters)))
    fresh.replace(facts)


def judge(settings: Path = SETTINGS, facts: Path = FACTS, kept: Path = KEPT) -> int:
    """Writes this run's results beside those of the days before, and says what turned. Exit status 1 where a control is red."""
    from verification.runner import verify  # here: `read` runs as root and brings no pytest along

    controls = {name: control for name, control in register.load().items() if control.applies_to != "repo"}
    try:
        seen = Facts(json.loads(facts.read_text()))
    except (OSError, ValueError) as error:
        raise CannotRun(f"{facts} cannot be read ({error}); it is made by: systemctl start casemate-attest-read.service") from error
    marked = marks.load()
    mine = Marked(
        {name: checks for name, checks in marked.checks.items() if name in controls},
        {name: probes for name, probes in marked.probes.items() if name in controls},
    )
    with OwnSession(inventory.own(settings), seen) as session:
        run = verify(session, controls=controls, marked=mine)
    before = evidence.previous(kept)
    document = evidence.document(run, before, attested_by=BY_HOST)
    texts = {"results.json": json.dumps(document, ensure_ascii=False) + "\n", "report.html": report.html(document)}
    evidence.write(kept, texts, run.started)
    turned = list(_turned(document))
    with (kept / "history.jsonl").open("a") as history:
        history.write(json.dumps({"started": document["started"], **document["summary"], "turned": dict(turned)}) + "\n")
    _forget_old(kept, run.started)
    for line in _told(document):
        print(line)
    for control, change in turned:
        print(f"{control} was {change['was']} and is {change['is']}", file=sys.stderr)
    return 1 if run.failed else 0


def _expected(found: Inventory) -> dict[str, Any]:
    tiers = found.hosts[0].tiers
    return expectations.load(found.profile, found.declared, without=[tier for tier in TIERS if tier not in tiers])


def _turned(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """What changed since the run before."""
    for result in document["results"]:
        if result["before"] not in (None, result["state"]):
            yield result["control"], {"was": result["before"], "is": result["state"]}


def _forget_old(kept: Path, now: datetime) -> None:
    """Whole results of more than DAYS days ago; the line in the history stays."""
    oldest = (now - timedelta(days=DAYS)).astimezone(UTC).strftime("%Y%m%dT")
    for folder in kept.glob("2*Z"):
        if folder.name < oldest:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()


def status(kept: Path = KEPT) -> int:
    """What the host said of itself last, for a person. Exit status 1 where it said that a control is red."""
    last = evidence.previous(kept)
    if last is None:
        raise CannotRun(f"{kept} has no results yet: systemctl start casemate-attest.service")
    for line in _told(last):
        print(line)
    return 1 if last["summary"]["fail"] else 0


def _told(document: dict[str, Any]) -> Iterator[str]:
    """The figures, then each control that is red with what mends it."""
    counted = document["summary"]
    yield f"{document['started']}: {counted['pass']} pass, {counted['fail']} fail, {counted['not_testable']} not testable, by {BY_HOST}"
    yield from document["problems"]
    for result in document["results"]:
        if result["state"] == State.FAIL:
            yield f"{result['control']}  {result['title']}: {result['reason']}" + (f" ({result['mend']})" if result["mend"] else "")
