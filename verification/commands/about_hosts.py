"""casemate verify | probe: what looks at hosts, or breaks them."""

import argparse
import re
import sys
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from verification import doubt, evidence, formats, inventory, ledger, marks, register, signing, terminal
from verification.batches import choose, one_of_each, sample
from verification.copies import probe_copies
from verification.formats import sbom
from verification.journal import Journal
from verification.probing import run_probes
from verification.runner import REPOSITORY
from verification.runner import verify as run_checks
from verification.second.command import SecondWitness
from verification.session import Session
from verification.words import CannotRun


def verify(options: argparse.Namespace) -> int:
    controls = register.load()
    only = frozenset(register.find(controls, name).id for name in options.only) if options.only else None
    found = inventory.read(options.inventory, tuple(options.extra), options.limit)
    key = signing.chosen_key(options.sign_with)
    other = SecondWitness(found, controls, _note) if options.second_witness else None
    with Session(found) as session:
        _note(f"reading {', '.join(host.name for host in session.hosts)}, seen also from {session.observer.name}")
        run = run_checks(session, active=options.active, only=only, progress=_progress, controls=controls)
        _note("")
        software = {host.name: sbom.software(host.inside) for host in session.hosts}
        doubted = list(_doubted(session, controls, only, active=options.active)) if options.doubt else []
        if other:
            other.hear(session.hosts, run)
    results = evidence.document(run, evidence.previous(options.evidence))
    if other and other.said:
        results["second_witness"] = evidence.redact(other.said)
    files = formats.files(results, controls, evidence.register_changed(), software)
    unsigned = _signed(files, key)
    place = evidence.write(options.evidence, files, run.started, latest=only is None)
    for line in [*terminal.lines(run), *(other.lines() if other else ()), *(doubt.lines(doubted) if options.doubt else ())]:
        print(line)
    print(f"evidence: {_short(place)}/ {_listed(files)}")
    if unsigned:
        raise unsigned
    if other:
        other.answer_for()
    return 1 if run.failed or any(outcome.never_red for outcome in doubted) else 0


def _doubted(session: Session, controls: register.Register, only: Collection[str] | None, *, active: bool) -> Iterator[doubt.Doubt]:
    """What became of each check once what it was given was altered."""
    chosen = {name: control for name, control in controls.items() if only is None or name in only}
    for host in session.hosts:
        may_act = active and host.inside.get("disposable", False) is True
        for outcome in doubt.doubts(session, host, chosen, marks.load(), active=may_act):
            _note(f"doubting {outcome.control} on {host.name}")
            yield outcome
    _note("")


def _listed(files: Collection[str]) -> str:
    """The files in a line: those of one kind by their pattern, and whether they are signed."""
    names = dict.fromkeys(re.sub(r"^(oscal|sbom)-.*", r"\1-*.json", name) for name in files if not name.startswith(signing.SUMS))
    return f"{', '.join(names)}; {'signed' if signing.SIGNATURE in files else 'NOT signed'}"


def _signed(files: dict[str, str], key: Path) -> CannotRun | None:
    """Adds the sums and their signature. A key that fails is told after what was found, which is not lost for it."""
    files[signing.SUMS] = signing.sums(files)
    try:
        files[signing.SIGNATURE] = signing.sign(files[signing.SUMS], key)
    except CannotRun as error:
        return error
    return None


def probe(options: argparse.Namespace) -> int:
    """What the repository shows is broken in copies of it, everything else on a host; exit status 0 where each probe proved its check."""
    key = signing.chosen_key(options.sign_with)
    controls, probes, started = register.load(), marks.load().probes, datetime.now(UTC)
    here = {identifier for identifier in probes if identifier in controls and controls[identifier].of_the_repository}
    wanted = frozenset(register.find(controls, name).id for name in options.id)
    if options.sample is not None:
        changed = ledger.made_otherwise(controls)
        wanted = sample(probes, max(options.sample, 0), started.date(), changed)
        print(f"{len(changed)} controls hold by other files than when they were last proved")
        print(f"sample of {started.date()}: {', '.join(sorted(wanted))}")
    journal = Journal(options.evidence, options.host or REPOSITORY, started, sorted(wanted))
    if options.resume:
        journal.goes_on()
    chosen = journal.left(choose(controls, probes, frozenset(journal.wanted)))
    if journal.earlier:
        print(f"{len(journal.earlier)} were proved before it was stopped; {len(chosen)} are left")
    on_a_host = [probe for probe in chosen if probe.control not in here]
    if options.sample is not None:
        on_a_host = one_of_each(on_a_host, started.date())
    if on_a_host and not options.host:
        raise CannotRun(f"the probe of {on_a_host[0].control} breaks a host: name it with --host, or have make probe make one")
    outcomes = probe_copies([probe for probe in chosen if probe.control in here], _say)
    journal.write(outcomes)
    left_worse: list[str] = []
    if on_a_host:
        found, copies = inventory.read(options.inventory, tuple(options.extra), options.host), tuple(outcomes)
        campaign = run_probes(found, on_a_host, _say, lambda done: journal.write([*copies, *done]))
        outcomes, left_worse = outcomes + campaign.outcomes, campaign.left_worse
    place = journal.write(outcomes, left_worse=left_worse, finished=True)
    proved, whole = sum(outcome.proved for outcome in outcomes), len(outcomes)
    seconds = (datetime.now(UTC) - started).total_seconds()
    print(f"{proved + len(journal.earlier)} of {whole + len(journal.earlier)} probes proved in {seconds:.0f} s; evidence: {_short(place)}")
    journal.sign(key)
    return 0 if whole + len(journal.earlier) and proved == whole and not left_worse else 1


def _say(line: str) -> None:
    print(evidence.redact(line), flush=True)


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
