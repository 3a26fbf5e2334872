"""Reads the report of lynis (lynis-report.dat)."""

import re
from collections import defaultdict

from verification.second.statement import Finding, Statement
from verification.words import CannotRun

ITSELF = "LYNIS"  # what it says of its own age


def read(text: str) -> Statement:
    """Warnings and suggestions, one finding each; where a suggestion stands for several values (sysctl), one a value.

    Raises CannotRun where the report has no end, as one of a run that was broken off.
    """
    values: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        name, _, value = line.partition("=")
        values[name].append(value)
    if not values["hardening_index"] or values["finish"] != ["true"]:
        raise CannotRun("the report of lynis has no end")
    executed, skipped = (frozenset(filter(None, "".join(values[name]).split("|"))) for name in ("tests_executed", "tests_skipped"))
    details = _details(values["details[]"])
    findings = [one for word in ("warning", "suggestion") for line in values[f"{word}[]"] for one in _findings(word, line, details)]
    findings = list(dict.fromkeys(findings))  # six suggestions of one test about sshd say six values each
    counts = {
        "tests run": len(executed),
        "not run": len(skipped),
        "warning": len(values["warning[]"]),
        "suggestion": sum(not line.startswith(f"{ITSELF}|") for line in values["suggestion[]"]),
    }
    held = executed - {finding.rule for finding in findings}
    return Statement("lynis", counts, findings, frozenset(held), int(values["hardening_index"][0]))


def _details(lines: list[str]) -> dict[str, list[str]]:
    """`KRNL-6000|sysctl|desc:…;field:net.core.bpf_jit_harden;prefval:2;value:0;|` as `net.core.bpf_jit_harden is 0, not 2`, by test."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        test, _, rest = line.partition("|")
        part = dict(re.findall(r"(field|prefval|value):([^;|]*)", rest))
        if "field" in part:
            found[test].append(f"{part['field']} is {part.get('value', '?')}, not {part.get('prefval', '?')}")
    return found


def _findings(word: str, line: str, details: dict[str, list[str]]) -> list[Finding]:
    test, text, detail, *_ = [*line.split("|"), "", ""]
    if test == ITSELF:
        return []
    severity = "medium" if word == "warning" else "low"
    if details.get(test):
        return [Finding(test, one, severity, word) for one in details[test]]
    return [Finding(test, f"{text}: {detail}" if detail not in ("", "-") else text, severity, word)]
