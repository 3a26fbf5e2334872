"""casemate controls | explain: what the register says, and what was seen last. No host is asked."""

import argparse
import inspect
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from verification import catalogue, corrections, evidence, ledger, marks, register
from verification.corrections import Correction
from verification.marks import Marked
from verification.register import HOUSE, Control, Register
from verification.terminal import coloured, short, wrapped
from verification.words import SEVERITIES, SPOKEN, State

SEEN = 2  # values of an observation in lines of the terminal; the report has them whole


def controls(options: argparse.Namespace) -> int:
    """Lists what was asked for, with the figures at the end."""
    known, marked = register.load(), marks.load()
    if options.markdown:
        print(catalogue.page(known, marked, corrections.load(known)), end="")
        return 0
    chosen = list(_chosen(known, options))
    if options.json:
        print(json.dumps([_record(control, marked) for control in chosen], indent=1, ensure_ascii=False))
        return 0
    for control in chosen:
        print(f"{control.id:11}{control.severity:10}{catalogue.state(control, marked):10}{control.title}")
    if chosen:
        print()
    for line in _figures(chosen, known, marked):
        print(line)
    return 0


def _chosen(known: Register, options: argparse.Namespace) -> Iterator[Control]:
    areas = {register.area(known, name) for name in options.area}
    who = frozenset[str]().union(*(register.implementer(known, name) for name in options.implementer))
    words = (options.text or "").lower().split()
    for control in known.values():
        text = " ".join([control.id, control.title, control.statement, control.why, control.corrected]).lower()
        if (
            (not areas or control.area in areas)
            and (not who or who.intersection(control.implemented_by))
            and (not options.status or control.status == options.status)
            and (not options.severity or control.severity in options.severity)
            and all(word in text for word in words)
        ):
            yield control


def _figures(chosen: list[Control], known: Register, marked: Marked) -> Iterable[str]:
    states = Counter(catalogue.state(control, marked) for control in chosen)
    severities = Counter(control.severity for control in chosen)
    implemented = sum(control.implemented for control in chosen)
    yield (f"{len(chosen)} controls" if len(chosen) == len(known) else f"{len(chosen)} of {len(known)} controls") + (
        f": {implemented} implemented ({states['probed']} with a probe), {states['planned']} planned" if chosen else ""
    )
    if chosen:
        yield ", ".join(f"{severities[severity]} {severity}" for severity in SEVERITIES if severities[severity])


def _record(control: Control, marked: Marked) -> dict[str, Any]:
    return {
        "id": control.id,
        "area": control.area,
        "title": control.title,
        "statement": control.statement,
        "why": control.why,
        "corrected": control.corrected,
        "without_probe": control.without_probe,
        "severity": control.severity,
        "applies_to": control.applies_to,
        "profile": control.profile,
        "status": control.status,
        "implemented_by": list(control.implemented_by),
        "sources": list(control.sources),
        "mappings": control.mappings,
        "checks": [check.sentence for check in marked.checks.get(control.id, [])],
        "probes": [probe.sentence for probe in marked.probes.get(control.id, [])],
    }


def seen_red(options: argparse.Namespace) -> int:
    """Notes in controls/seen-red.json what was proved; exit status 0 where nothing is missing any more."""
    known, marked = register.load(), marks.load()
    taken, missing = ledger.take(options.campaign, ledger.expected(known, marked))
    print(f"{taken} taken in; not seen red as they stand: {', '.join(missing) or 'none'}")
    return 1 if missing else 0


def explain(options: argparse.Namespace) -> int:
    """One control whole."""
    known = register.load()
    control = register.find(known, options.id)
    mended = corrections.of(control, corrections.load(known))
    for line in explained(control, marks.load(), evidence.previous(options.evidence), mended):
        print(line)
    return 0


def explained(control: Control, marked: Marked, latest: dict[str, Any] | None, mended: Iterable[Correction] = ()) -> Iterable[str]:
    """Everything that is known of a control, in lines; `latest` is the last results.json, `mended` the errors of sources behind it."""
    yield f"{control.id}  {control.title}"
    yield f"    {control.severity}, {control.status}, profile {control.profile}, applies to {control.applies_to}"
    names = {"asvs": "ASVS 5.0", "nist": "NIST 800-53r5", "cis": "CIS"}
    texts = {
        "requires": control.statement,
        "why": control.why,
        "corrected": control.corrected,
        "sources": "; ".join(control.sources),
        "maps to": "; ".join(f"{names[name]} {', '.join(ids)}" for name, ids in control.mappings.items()),
        "built by": ", ".join(control.implemented_by) or "the repository as a whole",
    }
    for name, text in texts.items():
        if text:
            yield from wrapped(name, " ".join(text.split()), lines=None)
    for error in mended:
        told = f"{error.says} {error.right} Here: {error.instead} ({corrections.SPOKEN[error.status]})"
        yield from wrapped(error.id, told, lines=None)
    if not control.implemented:
        yield from wrapped("planned", "nothing is claimed of it yet, and no check looks at it", lines=None)
        return
    for check in marked.checks.get(control.id, []):
        active = "; active: only on a host that may be broken" if check.active else ""
        yield from wrapped("checked", f"{check.sentence} ({_place(check.function)}{active})", lines=None)
    for probe in marked.probes.get(control.id, []):
        how = f"casemate probe {control.id}: in a copy of this checkout" if control.of_the_repository else f"make probe ID={control.id}"
        yield from wrapped("broken by", f"{probe.sentence} ({how})", lines=None)
    if not marked.probes.get(control.id):
        why = control.without_probe or "no probe yet: nothing has shown that the check can fail"
        yield from wrapped("broken by", why, lines=None)
    by_hand = "a commit: no role mends a repository" if control.of_the_repository else "hand: no role of site.yml does it"
    yield from wrapped("mended by", control.mend or by_hand, lines=None)
    yield from _last(control, latest)


def _place(function: Any) -> str:
    code = inspect.unwrap(function).__code__
    path = Path(code.co_filename)
    return f"{path.relative_to(HOUSE) if path.is_relative_to(HOUSE) else path}:{code.co_firstlineno}"


def _last(control: Control, latest: dict[str, Any] | None) -> Iterable[str]:
    mine = [result for result in (latest or {"results": []})["results"] if result["control"] == control.id]
    if latest is None or not mine:
        yield from wrapped("last", "no result yet: make verify", lines=None)
        return
    moment = str(latest["started"]).replace("T", " ").replace("Z", " UTC")
    for result in mine:
        state = State(result["state"])
        yield ""
        yield f"{coloured(state, SPOKEN[state])} on {result['host']}, {moment}"
        if result["reason"]:
            yield from wrapped("", result["reason"], lines=None)
        for seen in result["observations"]:
            yield from _observation(seen)


def _observation(seen: dict[str, Any]) -> Iterable[str]:
    state = State(seen["state"])
    mark = "" if state is State.PASS else f"{SPOKEN[state]}: "
    yield from wrapped("", f"{mark}{seen['what']}", lines=None)
    if seen["observed"] is None and seen["expected"] is None:
        return
    yield from wrapped("observed", short(seen["observed"]), lines=SEEN)
    if seen["observed"] != seen["expected"]:
        yield from wrapped("expected", short(seen["expected"]), lines=SEEN)
    if seen["show"]:
        yield f"    {'show me':10}{evidence.redact(seen['show'])}"  # in one line, to be copied
