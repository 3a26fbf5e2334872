"""Reads an XCCDF 1.2 result of OpenSCAP."""

import xml.etree.ElementTree as ET
from collections import Counter

from verification.second.statement import Finding, Statement
from verification.words import CannotRun

XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
RULE = "xccdf_org.ssgproject.content_rule_"
PROFILE = "xccdf_org.ssgproject.content_profile_"
PROFILES = {"cis_level1_server": "CIS level 1, server", "cis_level2_server": "CIS level 2, server"}
WANTING = ("fail", "error", "unknown")
# What an SSG title calls unknown is a rule without a severity of its own.
SEVERITIES = {"unknown": "unrated", "info": "unrated"}


def read(name: str, text: bytes) -> Statement:
    """The statement of one profile. Raises CannotRun where the text is no result of it."""
    try:
        root = ET.fromstring(text)  # noqa: S314 (expat bounds what entities expand to; the size was bounded when it came)
    except ET.ParseError as error:
        raise CannotRun(f"what OpenSCAP wrote of {name} is no XML: {error}") from error
    result = root.find(f"{XCCDF}TestResult")
    profile = None if result is None else result.find(f"{XCCDF}profile")
    if result is None or profile is None or profile.get("idref") != PROFILE + name:
        raise CannotRun(f"what OpenSCAP wrote has no result of {name}")
    rules = {rule.get("id"): rule for rule in root.iter(f"{XCCDF}Rule")}
    said = [(one.get("idref", ""), one.findtext(f"{XCCDF}result", ""), one) for one in result.findall(f"{XCCDF}rule-result")]
    said = [(rule, word, one) for rule, word, one in said if word != "notselected"]
    findings = [_finding(rule, word, one, rules.get(rule)) for rule, word, one in said if word in WANTING]
    held = frozenset(rule.removeprefix(RULE) for rule, word, _ in said if word == "pass")
    return Statement(PROFILES[name], dict(sorted(Counter(word for _, word, _ in said).items())), findings, held)


def _finding(rule: str, word: str, one: ET.Element, entry: ET.Element | None) -> Finding:
    title, section = "", ""
    if entry is not None:
        title = " ".join("".join(found.itertext()) for found in entry.findall(f"{XCCDF}title")[:1])
        section = next((found.text or "" for found in entry.findall(f"{XCCDF}reference") if "cis-benchmarks" in found.get("href", "")), "")
    severity = one.get("severity", "unknown")
    return Finding(rule.removeprefix(RULE), " ".join(title.split()), SEVERITIES.get(severity, severity), word, section and f"CIS {section}")
