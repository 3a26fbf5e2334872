"""Reads an XCCDF 1.2 result of OpenSCAP."""

import xml.etree.ElementTree as ET
from collections import Counter

from verification.second.statement import Finding, Statement
from verification.words import CannotRun

XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
RULE = "xccdf_org.ssgproject.content_rule_"
PROFILE = "xccdf_org.ssgproject.content_profile_"
# What is run, and what it answers too: every rule of level 1 is one of level 2, so one pass over the host serves both.
WIDEST = "cis_level2_server"
PROFILES = {"cis_level1_server": "CIS level 1, server", WIDEST: "CIS level 2, server"}
SPOKEN = {"notapplicable": "not applicable", "notchecked": "not checked"}
WANTING = ("fail", "error", "unknown")
# What an SSG title calls unknown is a rule without a severity of its own.
SEVERITIES = {"unknown": "unrated", "info": "unrated"}


def read(text: bytes) -> list[Statement]:
    """What each profile says. Raises CannotRun where the text is no result of the widest, or does not hold the others' answers."""
    try:
        root = ET.fromstring(text)  # noqa: S314 (expat bounds what entities expand to; the size was bounded when it came)
    except ET.ParseError as error:
        raise CannotRun(f"what OpenSCAP wrote is no XML: {error}") from error
    result = root.find(f"{XCCDF}TestResult")
    profile = None if result is None else result.find(f"{XCCDF}profile")
    if result is None or profile is None or profile.get("idref") != PROFILE + WIDEST:
        raise CannotRun(f"what OpenSCAP wrote has no result of {WIDEST}")
    rules = {rule.get("id", ""): rule for rule in root.iter(f"{XCCDF}Rule")}
    said = {one.get("idref", ""): one for one in result.findall(f"{XCCDF}rule-result") if _word(one) != "notselected"}
    asked = {name: _asked(root, name) for name in PROFILES}
    for name in PROFILES:
        if otherwise := (asked[name][0] - said.keys()) | (asked[name][1].items() - asked[WIDEST][1].items()):
            raise CannotRun(f"{name} asks otherwise than {WIDEST}, whose answers were taken for it: {sorted(map(str, otherwise))[0]}")
    return [_statement(name, [said[rule] for rule in said if rule in asked[name][0]], rules) for name in PROFILES]


def _word(one: ET.Element) -> str:
    return one.findtext(f"{XCCDF}result", "")


def _asked(root: ET.Element, name: str) -> tuple[set[str], dict[str, str]]:
    """The rules that a profile selects, and the values that it sets for them."""
    profile = next((one for one in root.iter(f"{XCCDF}Profile") if one.get("id") == PROFILE + name), None)
    if profile is None:
        raise CannotRun(f"the data stream has no profile {name}")
    rules = {one.get("idref", "") for one in profile.findall(f"{XCCDF}select") if one.get("selected") == "true"}
    return (
        {rule for rule in rules if rule.startswith(RULE)},
        {one.get("idref", ""): one.get("selector", "") for one in profile.findall(f"{XCCDF}refine-value")},
    )


def _statement(name: str, said: list[ET.Element], rules: dict[str, ET.Element]) -> Statement:
    findings = [_finding(one, rules.get(one.get("idref", ""))) for one in said if _word(one) in WANTING]
    held = frozenset(one.get("idref", "").removeprefix(RULE) for one in said if _word(one) == "pass")
    return Statement(PROFILES[name], dict(sorted(Counter(SPOKEN.get(_word(one), _word(one)) for one in said).items())), findings, held)


def _finding(one: ET.Element, entry: ET.Element | None) -> Finding:
    title, section = "", ""
    if entry is not None:
        title = " ".join("".join(found.itertext()) for found in entry.findall(f"{XCCDF}title")[:1])
        section = next((found.text or "" for found in entry.findall(f"{XCCDF}reference") if "cis-benchmarks" in found.get("href", "")), "")
    severity, rule = one.get("severity", "unknown"), one.get("idref", "").removeprefix(RULE)
    return Finding(rule, " ".join(title.split()), SEVERITIES.get(severity, severity), _word(one), section and f"CIS {section}")
