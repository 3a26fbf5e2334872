"""report.html: one file without a network, from results.json alone, so that it says nothing that the data do not."""

import json
from pathlib import Path
from typing import Any

import jinja2

TEMPLATE = Path(__file__).parent / "report.html.j2"
WORDS = {
    "fail": "failed",
    "waived": "waived",
    "not_testable": "not testable here",
    "pass": "passed",
    "not_applicable": "not applicable",
}


def html(results: dict[str, Any]) -> str:
    """The page. Everything that came from a host is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = shown
    template = environment.from_string(TEMPLATE.read_text())
    return template.render(run=results, words=WORDS, changed=[r for r in results["results"] if _changed(r)])


def shown(value: Any) -> str:
    """A value as a reader wants it: text as text, lists and mappings a line each, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        return "\n".join(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in value)
    if isinstance(value, dict) and value:
        return "\n".join(f"{key}: {item if isinstance(item, str) else json.dumps(item)}" for key, item in value.items())
    return json.dumps(value, ensure_ascii=False)


def percent(score: float | None) -> str:
    return "none" if score is None else f"{100 * score:.0f} %"


def _changed(result: dict[str, Any]) -> bool:
    return result["before"] is not None and result["before"] != result["state"]
