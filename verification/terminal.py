"""What `casemate verify` prints: what did not pass, worst first; a table of the areas; the figures."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from verification import evidence
from verification.witness import plain
from verification.words import ACTIVE_IS_OFF, SPOKEN, Observation, Result, State, percent

if TYPE_CHECKING:
    from verification.runner import Run

COLOURS = {State.FAIL: "31", State.PASS: "32", State.WAIVED: "33", State.NOT_TESTABLE: "2", State.NOT_APPLICABLE: "2"}
LONG = 160  # characters: beyond, what is too much and what is missing says more than the two lists
SHOWN = 3  # observations of one control; the report has all


def lines(run: "Run") -> Iterable[str]:
    """The whole of it, line by line."""
    for problem in run.problems:
        yield coloured(State.FAIL, "problem  ") + str(evidence.redact(problem))
    for state in (State.FAIL, State.WAIVED, State.NOT_TESTABLE):
        for result in run.results:
            if result.state is state and not (state is State.NOT_TESTABLE and result.reason == ACTIVE_IS_OFF):
                yield from _result(run, result)
    yield from _areas(run)
    counted = ", ".join(f"{run.count(state)} {SPOKEN[state.value]}" for state in State if run.count(state))
    kept_back = sum(result.reason == ACTIVE_IS_OFF for result in run.results)
    hint = f" ({kept_back} of them active ones: ACTIVE=1)" if kept_back else ""
    yield f"score {percent(run.score)}: {counted or 'nothing tested'}{hint}; {len(run.planned)} planned; {run.seconds:.1f} s"


def coloured(state: State, text: str) -> str:
    return f"\033[{COLOURS[state]}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def _result(run: "Run", result: Result) -> Iterable[str]:
    control = run.register[result.control]
    word = SPOKEN[result.state.value]
    yield f"{coloured(result.state, word)}  {control.id}  {control.title} ({result.host}, {control.severity})"
    if result.state is not State.FAIL:
        yield from wrapped("", result.reason)
        return
    failed = [seen for seen in result.observations if seen.state is State.FAIL]
    for seen in failed[:SHOWN]:
        yield from _observation(seen)
    if len(failed) > SHOWN:
        yield f"  and {len(failed) - SHOWN} more observations of it: see the report"
    if control.mend:
        yield from wrapped("mend it", control.mend)
    yield ""


def _observation(seen: Observation) -> Iterable[str]:
    if seen.observed is None and seen.expected is None:
        yield from wrapped("", seen.reason)
        return
    yield from wrapped("", seen.what)
    observed, expected = short(seen.observed), short(seen.expected)
    if len(observed) + len(expected) > LONG:
        yield from wrapped("differs", seen.reason.removeprefix(f"{seen.what}: "))
    else:
        yield from wrapped("observed", observed)
        yield from wrapped("expected", expected)
    if seen.show:
        yield from wrapped("show me", seen.show)


def _areas(run: "Run") -> Iterable[str]:
    """One line an area; states that nothing has are left out."""
    areas: dict[str, dict[str, int]] = {}
    for result in run.results:
        counts = areas.setdefault(run.register[result.control].area, {})
        counts[result.state.value] = counts.get(result.state.value, 0) + 1
    for control in run.planned:
        counts = areas.setdefault(control.area, {})
        counts["planned"] = counts.get("planned", 0) + 1
    words = {"pass": "passed", **SPOKEN, "planned": "planned"}
    columns = [key for key in words if key in ("pass", "fail") or any(key in counts for counts in areas.values())]
    width = max((len(area) for area in areas), default=4) + 2
    yield "area".ljust(width) + "  ".join(words[key].rjust(6) for key in columns)
    for area, counts in sorted(areas.items()):
        figures = [f"{counts.get(key, '') or '·'}".rjust(max(6, len(words[key]))) for key in columns]
        state = State.FAIL if counts.get("fail") else State.PASS
        yield coloured(state, area.ljust(width)) + "  ".join(figures)


def short(value: Any) -> str:
    value = plain(value)
    text = ", ".join(map(str, value)) if isinstance(value, list) else "nothing" if value in (None, "", []) else str(value)
    return str(evidence.redact(text)) or "nothing"


def wrapped(name: str, text: str, *, lines: int | None = 4) -> Iterable[str]:
    """A paragraph under a control, as wide as the terminal, with its name before it; what is cut off ends in an ellipsis."""
    width = min(max(shutil.get_terminal_size().columns, 60), 120)
    head = f"    {name:10}" if name else "  "
    text = str(evidence.redact(text))
    return textwrap.wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head), max_lines=lines, placeholder=" …")
