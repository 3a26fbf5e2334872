"""Where the others and we differ, and why: verification/expected/second_witness.yml laid beside what was said of the hosts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verification import documents
from verification.expectations import EXPECTED
from verification.register import Register
from verification.second.statement import Finding, Statement
from verification.words import CannotRun, Result

NOTES = EXPECTED / "second_witness.yml"
HOLDS_NOT = ("fail", "waived")
ORDER = ("unexplained", "agreed", "open", "explained")
Ours = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Note:
    """Why rules that somebody else finds wanting are left so. `open` says that they are right and that it is not mended yet."""

    rules: tuple[str, ...]
    why: str
    controls: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    open: bool = False

    def speaks_of(self, finding: Finding) -> bool:
        return any(_same(rule, finding) for rule in self.rules)


def _same(rule: str, finding: Finding) -> bool:
    """A rule is named by its id; further words (`FILE-6310 /home`) must stand in what is said, where one id says several things."""
    name, *words = rule.split()
    return name == finding.rule and all(word in finding.title for word in words)


def notes(profile: str, register: Register, path: Path = NOTES) -> list[Note]:
    """The notes for one profile. Raises CannotRun where one names a control that does not exist."""
    found = [
        Note(
            tuple(entry["rules"]),
            " ".join(entry["why"].split()),
            tuple(entry.get("controls", ())),
            tuple(entry.get("profiles", ())),
            bool(entry.get("open", False)),
        )
        for entry in documents.read(path)
    ]
    for note in found:
        for control in set(note.controls) - register.keys():
            raise CannotRun(f"{path.name} names {control}, which is not in the register")
    return [note for note in found if not note.profiles or profile in note.profiles]


def ours(register: Register, results: Iterable[Result]) -> Ours:
    """The state of each control and host; at the host without a name, why a control has none."""
    unseen = {(control.id, ""): "not run" if control.implemented else "planned" for control in register.values()}
    return unseen | {(result.control, result.host): result.state.value for result in results}


def disagreements(host: str, statements: Iterable[Statement], known: list[Note], said_by_us: Ours) -> list[dict[str, Any]]:
    """One entry for each thing that is found wanting, by whom, with what we say to it. What nobody has explained stands first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for statement in statements:
        for finding in statement.findings:
            entry = found.setdefault((finding.rule, finding.title), _entry(finding, host, known, said_by_us))
            entry["said_by"].append(statement.witness)
    return sorted(found.values(), key=lambda entry: (ORDER.index(entry["state"]), entry["rule"], entry["title"]))


def _entry(finding: Finding, host: str, known: list[Note], said_by_us: Ours) -> dict[str, Any]:
    note = next((note for note in known if note.speaks_of(finding)), None)
    controls = {control: _state(said_by_us, control, host) for control in (note.controls if note else ())}
    if note is None:
        state = "unexplained"
    elif any(said in HOLDS_NOT for said in controls.values()):
        state = "agreed"
    else:
        state = "open" if note.open else "explained"
    return {
        "rule": finding.rule,
        "title": finding.title,
        "severity": finding.severity,
        "reference": finding.reference,
        "result": finding.result,
        "said_by": [],
        "state": state,
        "why": note.why if note else "",
        "controls": controls,
    }


def _state(said_by_us: Ours, control: str, host: str) -> str:
    """On this host, else in the repository, else why there is none: planned, or not run this time."""
    return next(said_by_us[control, place] for place in (host, "repo", "") if (control, place) in said_by_us)


def stale(said: list[Statement], known: list[Note]) -> list[str]:
    """Rules that are explained although every witness who judged them finds that they hold."""
    findings = [finding for statement in said for finding in statement.findings]
    judged = frozenset(finding.rule for finding in findings).union(*(statement.held for statement in said))
    named = [rule for note in known for rule in note.rules]
    return sorted(rule for rule in named if rule.split()[0] in judged and not any(_same(rule, finding) for finding in findings))
