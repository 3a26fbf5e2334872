"""The second witness in report.html and at the terminal, from results.json alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

TEMPLATE = Path(__file__).parent / "section.html.j2"
WORDS = {
    "unexplained": "Not explained yet",
    "agreed": "Our own controls say so too",
    "open": "They are right: open here",
    "explained": "Left so, for a reason",
}


def html(second: dict[str, Any] | None) -> Markup:
    """The section, or nothing where nobody else was heard. Everything that came from a host is escaped."""
    if second is None:
        return Markup("")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    total = sum(len(host["disagreements"]) for host in second["hosts"])
    page = environment.from_string(TEMPLATE.read_text()).render(second=second, total=total, words=WORDS)
    return Markup(page)  # noqa: S704 (the template escaped what it was given)


def lines(second: dict[str, Any]) -> Iterable[str]:
    """A line a witness, then how many disagreements are in which state, then what nobody has explained."""
    for host in second["hosts"]:
        for witness in host["witnesses"]:
            index = "" if witness["index"] is None else f"hardening index {witness['index']}, "
            yield f"{host['host']}: {witness['name']}: {index}{', '.join(f'{count} {word}' for word, count in witness['counts'].items())}"
        states = ", ".join(f"{host['states'][state]} {WORDS[state].lower()}" for state in WORDS if host["states"][state])
        yield f"{host['host']}: {states or 'nothing that they find wanting'}"
        for entry in host["disagreements"]:
            if entry["state"] == "unexplained":
                yield f"  not explained: {entry['rule']}  {entry['title']}"
    for rule in second["stale"]:
        yield f"  explained, and found to hold by now: {rule}"
