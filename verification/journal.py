"""probes.json, written anew after each batch: what became of each probe so far. A campaign that was stopped goes on where it was."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verification import evidence, signing
from verification.marks import Probe
from verification.probing import Outcome
from verification.words import CannotRun

NAME = "probes.json"
Record = dict[str, Any]


@dataclass
class Journal:
    """Of one campaign on one host. `earlier` is what a stopped one, with which this one goes on, had proved."""

    folder: Path
    host: str
    started: datetime
    wanted: list[str]
    earlier: list[Record] = field(default_factory=list)
    commit: str = field(default_factory=evidence.commit)
    place: Path | None = None

    def write(self, outcomes: Iterable[Outcome], *, left_worse: Iterable[str] = (), finished: bool = False) -> Path:
        """Writes what is known now, in the place of what was known before."""
        record = {
            "schema_version": evidence.SCHEMA_VERSION,
            "started": self.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "commit": self.commit,
            "host": self.host,
            "wanted": self.wanted,
            "finished": finished,
            "seconds": round((datetime.now(UTC) - self.started).total_seconds(), 1),
            "left_worse": list(left_worse),
            "probes": [*self.earlier, *(evidence.redact(outcome.record()) for outcome in outcomes)],
        }
        text = json.dumps(record, indent=1) + "\n"
        if self.place is None:
            self.place = evidence.write(self.folder, {NAME: text}, self.started, latest=False)
        else:
            put(self.place / NAME, text)
        return self.place / NAME

    def sign(self, key: Path) -> None:
        """Signs what stands there, once nothing more is to come. Raises CannotRun where the key cannot; probes.json stays."""
        if self.place is not None:
            told = signing.sums({NAME: (self.place / NAME).read_text()})
            signature = signing.sign(told, key)
            put(self.place / signing.SUMS, told)
            put(self.place / signing.SIGNATURE, signature)

    def goes_on(self) -> None:
        """Takes over what the last campaign on this host had proved before it was stopped. Raises CannotRun where there is none."""
        records = (_read(path) for path in sorted(self.folder.glob(f"2*Z/{NAME}"), reverse=True))
        last = next((record for record in records if record.get("host") == self.host), None)
        if last is None or last.get("finished", True):
            raise CannotRun(f"no campaign on {self.host} was stopped; begin one: casemate probe --all --host {self.host}")
        if last["commit"] != self.commit:
            raise CannotRun(f"the stopped campaign was of {last['commit']} and this is {self.commit}: what it proved was something else")
        self.wanted = last["wanted"]
        self.earlier = [entry for entry in last["probes"] if entry["proved"]]

    def left(self, probes: Iterable[Probe]) -> list[Probe]:
        """Those that are still to be proved."""
        done = {(entry["control"], entry["probe"]) for entry in self.earlier}
        return [probe for probe in probes if (probe.control, probe.sentence) not in done]


def put(path: Path, text: str) -> None:
    """In one step: who reads meanwhile finds the old text or the new one."""
    fresh = path.with_name(f".{path.name}")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.replace(path)


def _read(path: Path) -> Record:
    try:
        found: Record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found
