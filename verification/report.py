"""report.html: one file without a network, from results.json alone, so that it says nothing that the data do not."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from verification.second import section
from verification.text import cut
from verification.words import AREAS, SEVERITIES, SPOKEN, percent

TEMPLATE = Path(__file__).parent / "report.html.j2"
LONG = 14  # lines of a value: beyond, those that are as expected are counted instead of shown
MOST = 200  # lines that differ
WIDE = 50_000  # characters of one text
Record = dict[str, Any]
Line = tuple[str, bool]


@dataclass
class Area:
    """What one area of the register has to show."""

    short: str
    states: Counter[str] = field(default_factory=Counter)
    passed: list[Record] = field(default_factory=list)
    planned: list[Record] = field(default_factory=list)

    @property
    def name(self) -> str:
        return AREAS.get(self.short, self.short)

    @property
    def judged(self) -> int:
        return self.states["pass"] + self.states["fail"]

    @property
    def score(self) -> float | None:
        return self.states["pass"] / self.judged if self.judged else None

    @property
    def only_planned(self) -> bool:
        return self.states["planned"] == self.states.total()

    @property
    def severities(self) -> str:
        return severities(self.planned)


def html(results: Record) -> str:
    """The page. Everything that came from a host is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(compared=compared, moment=moment, percent=percent, severities=severities, shown=shown, told=told)
    by_state = {state: sorted((r for r in results["results"] if r["state"] == state), key=_severest_first) for state in SPOKEN}
    tested = {result["control"] for result in results["results"]}
    template = environment.from_string(TEMPLATE.read_text())
    return template.render(
        run=results,
        words=SPOKEN,
        by_state=by_state,
        failed={result["control"] for result in by_state["fail"]},
        judged={result["control"] for result in by_state["fail"] + by_state["pass"]},
        tested=tested,
        probed={result["control"] for result in results["results"] if result["probed"]} & tested,
        several_hosts=len(results["hosts"]) > 1,
        areas=areas(results),
        others=section.html(results.get("second_witness")),
        changed=[result for result in results["results"] if _changed(result, results)],
    )


def areas(results: Record) -> list[Area]:
    """Every area that has a result or a plan: the failing ones first, those that are only planned last."""
    found: dict[str, Area] = {}
    for result in results["results"]:
        area = found.setdefault(result["area"], Area(result["area"]))
        area.states[result["state"]] += 1
        if result["state"] == "pass":
            area.passed.append(result)
    for control in results["planned"]:
        found.setdefault(control["area"], Area(control["area"])).planned.append(control)
    for area in found.values():
        area.states["planned"] = len(area.planned)
        area.planned.sort(key=_severest_first)
    order = list(AREAS)
    place = {short: order.index(short) if short in AREAS else len(order) for short in found}
    return sorted(found.values(), key=lambda area: (-area.states["fail"], area.only_planned, place[area.short], area.short))


def severities(entries: list[Record]) -> str:
    """How severe they are, in words: 2 critical, 5 high."""
    counted = Counter(entry["severity"] for entry in entries)
    return ", ".join(f"{counted[severity]} {severity}" for severity in SEVERITIES if counted[severity])


def told(states: Counter[str], judged: int) -> str:
    """An area's figures in words: 12 of 14 hold, 1 waived, 19 planned."""
    parts = [f"{states['pass']} of {judged} hold"] if judged else []
    words = {**SPOKEN, "planned": "planned"}
    parts += [f"{states[state]} {word}" for state, word in words.items() if state not in ("pass", "fail") and states[state]]
    return ", ".join(parts)


def compared(value: Any, other: Any) -> list[Line]:
    """The lines of a value, each with whether it is what differs from the other. A long one shows what differs, and counts the rest."""
    if isinstance(value, list) and isinstance(other, list):
        found = [(_text(item), item not in other) for item in value]
    elif isinstance(value, dict) and isinstance(other, dict):
        found = [(f"{key}: {_text(item)}", key not in other or other[key] != item) for key, item in value.items()]
    else:
        return _bounded([(line, False) for line in cut(shown(value), WIDE).splitlines()]) or [("nothing", False)]
    same = sum(not differs for _, differs in found)
    if len(found) > LONG and same > 2:
        found = [line for line in found if line[1]] + [(f"… and {same} that are as expected", False)]
    return _bounded(found) or [("nothing", False)]


def _bounded(found: list[Line]) -> list[Line]:
    """A host that says a million lines does not get a page of a million lines."""
    return found if len(found) <= MOST else [*found[:MOST], (f"… and {len(found) - MOST} more in results.json", False)]


def shown(value: Any) -> str:
    """A value as a reader wants it: text as text, lists and mappings a line each, everything else as JSON."""
    if isinstance(value, list) and value:
        return "\n".join(_text(item) for item in value)
    if isinstance(value, dict) and value:
        return "\n".join(f"{key}: {_text(item)}" for key, item in value.items())
    return "nothing" if value in (None, "", [], {}) else _text(value)


def moment(text: str) -> str:
    return text.replace("T", " ").replace("Z", " UTC")


def _text(value: Any) -> str:
    """One value in one line: a row of plain values as its words, such as `tcp 0.0.0.0 22 sshd`."""
    if isinstance(value, list) and value and all(isinstance(item, str | int | float) for item in value):
        return " ".join(str(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _severest_first(entry: Record) -> tuple[int, str, str]:
    return (SEVERITIES.index(entry["severity"]), entry["control"], entry.get("host", ""))


def _changed(result: Record, results: Record) -> bool:
    """What turned since the last run; not what merely was not tried this time, or the last."""
    turned = result["before"] is not None and result["before"] != result["state"]
    tried_otherwise = result["active"] and results["previous"].get("active") != results["active"] if turned else False
    return turned and (not tried_otherwise or "fail" in (result["before"], result["state"]))
