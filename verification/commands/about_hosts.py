"""casemate verify | probe | doubt: what looks at hosts, or breaks them."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verification import evidence, inventory, marks, register, report, terminal
from verification.batches import sample
from verification.doubt import doubts
from verification.probing import run_probes
from verification.runner import verify as run_checks
from verification.second.command import SecondWitness
from verification.session import Session


def verify(options: argparse.Namespace) -> int:
    controls = register.load()
    only = frozenset(register.find(controls, name).id for name in options.only) if options.only else None
    found = inventory.read(options.inventory, tuple(options.extra), options.limit)
    other = SecondWitness(found, controls, _note) if options.second_witness else None
    with Session(found) as session:
        _note(f"reading {', '.join(host.name for host in session.hosts)}, seen also from {session.observer.name}")
        run = run_checks(session, active=options.active, only=only, progress=_progress, controls=controls)
        _note("")
        if other:
            other.hear(session.hosts, run)
    before = evidence.previous(options.evidence)
    document = evidence.document(run, before)
    if other and other.said:
        document["second_witness"] = evidence.redact(other.said)
    files = {"results.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n", "report.html": report.html(document)}
    place = evidence.write(options.evidence, files, run.started, latest=only is None)
    for line in [*terminal.lines(run), *(other.lines() if other else ())]:
        print(line)
    print(f"evidence: {_short(place)}/report.html and results.json")
    if other:
        other.answer_for()
    return 1 if run.failed else 0


def probe(options: argparse.Namespace) -> int:
    found = inventory.read(options.inventory, tuple(options.extra), options.host)
    started = datetime.now(UTC)
    wanted = frozenset(identifier.upper() for identifier in options.id)
    if options.sample is not None:
        wanted = sample(marks.load().probes, max(options.sample, 0), started.date())
        print(f"sample of {started.date()}: {', '.join(sorted(wanted))}")
    campaign = run_probes(found, wanted, lambda line: print(evidence.redact(line), flush=True))
    outcomes = campaign.outcomes
    proved = sum(outcome.proved for outcome in outcomes)
    record: dict[str, Any] = {
        "schema_version": evidence.SCHEMA_VERSION,
        "started": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "host": options.host,
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "left_worse": campaign.left_worse,
        "probes": [evidence.redact(outcome.record()) for outcome in outcomes],
    }
    place = evidence.write(options.evidence, {"probes.json": json.dumps(record, indent=1) + "\n"}, started, latest=False)
    print(f"{proved} of {len(outcomes)} probes proved in {record['seconds']:.0f} s; evidence: {_short(place)}/probes.json")
    return 0 if campaign.proved else 1


def doubt(options: argparse.Namespace) -> int:
    """Exit status 1 where an observation looks at nothing, 0 where each can fail."""
    found = inventory.read(options.inventory, tuple(options.extra), options.host)
    with Session(found) as session:
        session.read()
        (host,) = session.hosts
        active = host.inside.get("disposable", False) is True
        outcomes = list(doubts(session, host, register.load(), marks.load(), active=active))
    for outcome in outcomes:
        for what in outcome.never_red:
            print(f"{outcome.control:10}nothing turned this red: {what}")
        if outcome.not_seen:
            print(f"{outcome.control:10}not doubted: {outcome.not_seen}")
    vain = sum(len(outcome.never_red) for outcome in outcomes)
    print(f"{sum(outcome.turned_red for outcome in outcomes)} observations can fail, {vain} cannot; {len(outcomes)} checks")
    return 1 if vain else 0


def _progress(done: int, whole: int, name: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{done:3} of {whole} {name[:90]}", end="", file=sys.stderr, flush=True)


def _note(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="\n" if text else "", file=sys.stderr, flush=True)


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
