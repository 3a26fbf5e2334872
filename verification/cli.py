"""casemate verify | explain | controls | probe"""

import argparse
import json
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verification import evidence, inventory, marks, register, report, terminal
from verification.batches import sample
from verification.doubt import doubts
from verification.inventory import ROOT
from verification.probing import run_probes
from verification.register import Control
from verification.runner import verify
from verification.session import Session
from verification.words import CannotRun

LAB = ROOT / "inventories" / "lab" / "hosts.yml"


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 where nothing failed, 1 where a control did, 2 where the verification could not be made."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except CannotRun as error:
        print(f"casemate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("casemate: interrupted; nothing was judged", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="casemate", description="Verifies hosts against the register of controls.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    verify_ = commands.add_parser("verify", help="check every implemented control and write the evidence")
    _add_inventory(verify_)
    verify_.add_argument("--limit", metavar="HOST", help="only this host")
    verify_.add_argument("--active", action="store_true", help="also checks that log in or write, on disposable hosts")
    verify_.add_argument("--only", metavar="ID", action="append", help="only this control (may be repeated)")
    verify_.add_argument("--evidence", type=Path, default=ROOT / "evidence", metavar="DIR")
    verify_.set_defaults(command=_verify)

    explain = commands.add_parser("explain", help="one control whole: requirement, check, probe, last results")
    explain.add_argument("id")
    explain.add_argument("--evidence", type=Path, default=ROOT / "evidence", metavar="DIR")
    explain.set_defaults(command=_explain)

    controls = commands.add_parser("controls", help="list the register")
    controls.add_argument("--area", metavar="AREA")
    controls.add_argument("--status", choices=("implemented", "planned"))
    controls.set_defaults(command=_controls)

    probe = commands.add_parser("probe", help="break a disposable host to show that checks can fail and are mended")
    which = probe.add_mutually_exclusive_group()
    which.add_argument("id", nargs="*", default=[], metavar="ID", help="the controls to probe; all that have a probe where none is named")
    which.add_argument("--all", action="store_true", help="every probe")
    which.add_argument("--sample", type=int, nargs="?", const=4, metavar="N", help="one of each role, and N others (4) by the day")
    _add_inventory(probe)
    probe.add_argument("--host", required=True)
    probe.add_argument("--evidence", type=Path, default=ROOT / "evidence", metavar="DIR")
    probe.set_defaults(command=_probe)

    doubt = commands.add_parser("doubt", help="alter in memory what was read of a host: which observations never turn red?")
    _add_inventory(doubt)
    doubt.add_argument("--host", required=True)
    doubt.set_defaults(command=_doubt)
    return parser


def _add_inventory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--inventory", type=Path, default=LAB, metavar="FILE")
    parser.add_argument("-e", "--extra", action="append", default=[], metavar="NAME=VALUE", help="a variable of the inventory")


def _verify(options: argparse.Namespace) -> int:
    only = frozenset(options.only) if options.only else None
    controls = register.load()
    for identifier in sorted((only or frozenset()) - controls.keys()):
        raise CannotRun(f"{identifier} is not in the register")
    found = inventory.read(options.inventory, tuple(options.extra), options.limit)
    with Session(found) as session:
        _note(f"reading {', '.join(host.name for host in session.hosts)}, seen also from {session.observer.name}")
        run = verify(session, active=options.active, only=only, progress=_progress, controls=controls)
        _note("")
    before = evidence.previous(options.evidence)
    document = evidence.document(run, before)
    files = {"results.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n", "report.html": report.html(document)}
    place = evidence.write(options.evidence, files, run.started, latest=only is None)
    for line in terminal.lines(run):
        print(line)
    print(f"evidence: {_short(place)}/report.html and results.json")
    return 1 if run.failed else 0


def _explain(options: argparse.Namespace) -> int:
    controls = register.load()
    control = controls.get(options.id.upper())
    if control is None:
        near = [known for known in controls if known.startswith(options.id.upper().split("-")[0])]
        raise CannotRun(f"{options.id} is not in the register" + (f"; there are {', '.join(near)}" if near else ""))
    marked = marks.load()
    _print_control(control)
    for check in marked.checks.get(control.id, []):
        where = f"{Path(check.function.__code__.co_filename).relative_to(ROOT)}:{check.function.__code__.co_firstlineno}"
        print(f"checked     {check.sentence} ({'active, ' if check.active else ''}{where})")
    for probe in marked.probes.get(control.id, []):
        print(f"broken by   {probe.sentence} (make probe ID={control.id})")
    if not marked.probes.get(control.id):
        print("broken by   no probe yet")
    latest = evidence.previous(options.evidence) or {"results": [], "started": ""}
    mine = [result for result in latest["results"] if result["control"] == control.id]
    for result in mine:
        print(f"last        {result['host']}: {report.WORDS[result['state']]} on {latest['started']} {result['reason']}")
        for seen in result["observations"]:
            print(f"            {report.WORDS[seen['state']]:12} {seen['what']}: {json.dumps(seen['observed'], ensure_ascii=False)[:140]}")
    if not mine:
        print("last        no results yet: make verify")
    return 0


def _print_control(control: Control) -> None:
    print(f"{control.id}  {control.title}  ({control.severity}, {control.status}, profile {control.profile}, {control.applies_to})")
    texts = {"requires": control.statement, "why": control.why, "corrected": control.corrected}
    texts["sources"] = "; ".join(control.sources)
    texts["maps to"] = "; ".join(f"{name}: {', '.join(ids)}" for name, ids in control.mappings.items())
    texts["built by"] = ", ".join(control.implemented_by)
    texts["mended by"] = control.mend
    for name, text in texts.items():
        if text:
            print(textwrap.fill(" ".join(text.split()), 118, initial_indent=f"{name:12}", subsequent_indent=" " * 12))


def _controls(options: argparse.Namespace) -> int:
    marked = marks.load()
    chosen = [
        control
        for control in register.load().values()
        if (not options.area or control.area == options.area.upper()) and (not options.status or control.status == options.status)
    ]
    for control in chosen:
        proofs = ("checked " if marked.checks.get(control.id) else "") + ("probed" if marked.probes.get(control.id) else "")
        print(f"{control.id:10}{control.status:13}{control.severity:10}{proofs:16}{control.title}")
    probed = sum(bool(marked.probes.get(control.id)) for control in chosen)
    print(f"{len(chosen)} controls, {sum(control.implemented for control in chosen)} implemented, {probed} with a probe")
    return 0


def _probe(options: argparse.Namespace) -> int:
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


def _doubt(options: argparse.Namespace) -> int:
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


if __name__ == "__main__":
    sys.exit(main())
