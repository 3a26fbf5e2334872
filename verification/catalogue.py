"""docs/controls.md: the whole register on one page, for who reads and searches it without the tools. Nothing is run for it."""

from collections import Counter
from collections.abc import Iterable, Iterator

from verification.corrections import SPOKEN, Correction
from verification.marks import Marked
from verification.register import Control, Register
from verification.words import AREAS, SEVERITIES

COMMAND = "casemate controls --markdown > docs/controls.md"
ERRORS = "Where the sources are wrong"


def page(controls: Register, marked: Marked, corrections: Iterable[Correction]) -> str:
    areas = (line for area in AREAS for line in _area(area, controls, marked))
    return "\n".join([*_head(controls, marked, list(corrections)), *areas, *_errors(list(corrections))]) + "\n"


def state(control: Control, marked: Marked) -> str:
    """How far a control is proved: planned, checked, or probed (its check was seen red)."""
    if not control.implemented:
        return "planned"
    if not marked.checks.get(control.id):
        return "no check"
    return "probed" if marked.probes.get(control.id) else "checked"


def _head(controls: Register, marked: Marked, corrections: list[Correction]) -> Iterator[str]:
    states = Counter(state(control, marked) for control in controls.values())
    implemented = sum(control.implemented for control in controls.values())
    yield "# The controls"
    yield ""
    probed = "each" if states["probed"] == implemented else f"{states['probed']} of them"
    yield f"{len(controls)} controls: {implemented} implemented, {probed} with a probe that breaks it on purpose;"
    yield f"{states['planned']} planned, of which nothing is claimed. `casemate explain ID` prints one whole: requirement, reason, sources,"
    yield "mappings, last result. Whether they hold on a host says `make verify`, and not this page."
    yield ""
    decided = Counter(correction.status for correction in corrections)
    counted = ", ".join(f"{decided[status]} {spoken}" for status, spoken in SPOKEN.items())
    yield f"[{len(corrections)} errors of the sources](#{_anchor(ERRORS)}) are decided, each with what is built instead: {counted}."
    yield ""
    yield f"Made by `{COMMAND}` from `controls/` and `verification/checks/`: change those."
    yield ""
    yield "| area | | implemented | planned | " + " | ".join(SEVERITIES) + " |"
    yield "|---|---|---|---|" + "---|" * len(SEVERITIES)
    for area, name in AREAS.items():
        mine = [control for control in controls.values() if control.area == area]
        done = sum(control.implemented for control in mine)
        severe = Counter(control.severity for control in mine)
        figures = [done, len(mine) - done, *(severe[severity] for severity in SEVERITIES)]
        yield f"| [{area}](#{_anchor(f'{area}: {name}')}) | {name} | " + " | ".join(str(figure or "·") for figure in figures) + " |"


def _area(area: str, controls: Register, marked: Marked) -> Iterator[str]:
    mine = [control for control in controls.values() if control.area == area]
    yield from ("", f"## {area}: {AREAS[area]}")
    if implemented := [control for control in mine if control.implemented]:
        yield from ("", "| control | severity | implemented by | checked: | broken: |", "|---|---|---|---|---|")
        for control in implemented:
            checks = [f"{check.sentence}{' (active)' if check.active else ''}" for check in marked.checks.get(control.id, [])]
            probes = [probe.sentence for probe in marked.probes.get(control.id, [])] or [control.without_probe or "no probe yet"]
            yield _row(_named(control), control.severity, _by(control), _listed(checks or ["no check"]), _listed(probes))
    if planned := [control for control in mine if not control.implemented]:
        yield from ("", "| planned | severity | to be implemented by |", "|---|---|---|")
        for control in planned:
            yield _row(_named(control), control.severity, _by(control))


def _errors(corrections: list[Correction]) -> Iterator[str]:
    """Of each the source, what it says and what is so; then what is here, and the controls that ask for it."""
    yield from ("", f"## {ERRORS}", "")
    yield "`built`: it stands in this repository, and its controls say whether a check shows it. `planned`: not all of it stands yet."
    yield from ("", "| | the source says | what is so | here | why |", "|---|---|---|---|---|")
    for error in corrections:
        asked = f" ({', '.join(error.controls)})" if error.controls else ""
        here = f"{error.instead}<br>**{SPOKEN[error.status]}**{asked}{': ' if error.reason else ''}{error.reason}"
        yield _row(f"**{error.id}**", f"{_listed(f'*{source}*' for source in error.sources)}<br>{error.says}", error.right, here, error.why)


def _anchor(heading: str) -> str:
    """As GitHub and GitLab make it of a heading: small letters, a hyphen for a space, nothing else."""
    return "".join(letter for letter in heading.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


def _named(control: Control) -> str:
    return f"**{control.id}** {control.title}"


def _by(control: Control) -> str:
    return ", ".join(f"`{by}`" for by in control.implemented_by)


def _listed(sentences: Iterable[str]) -> str:
    return "<br>".join(sentences)


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"
