"""results.sarif: what code-scanning services take in. SARIF 2.1.0 (OASIS): a rule a control, a result for each that fails or is waived.

Passes are left out although the format has a kind for them: the services show each result as an open alert, whatever its kind.
"""

import hashlib
import json
from typing import Any

from verification.report import shown
from verification.text import brief, cut
from verification.words import AREAS

Record = dict[str, Any]
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
# In the middle of the ranges that code scanning makes of CVSS: above 9.0 critical, from 7.0 high, from 4.0 medium.
SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
FRAMEWORKS = {"asvs": "ASVS-5.0", "cis": "CIS", "nist": "NIST-800-53r5"}


def sarif(results: Record) -> str:
    """The document of results.json as one run of a scanner."""
    results = brief(results)
    told = [result for result in results["results"] if result["state"] in ("fail", "waived")]
    controls = {result["control"]: result for result in results["results"]}
    places = {control: index for index, control in enumerate(sorted(controls))}
    driver: Record = {
        "name": "Casemate",
        "version": results["verifier"].get("commit", "unknown"),
        "shortDescription": {"text": "Proves each control of a hardened Django appliance on the real host."},
        "rules": [_rule(controls[control]) for control in places],
    }
    run: Record = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"casemate/{results['site']}/"},
        "invocations": [_invocation(results)],
        "columnKind": "unicodeCodePoints",
        "properties": {"profile": results["profile"], "active": results["active"], "attestedBy": results["attested_by"]},
        "results": [_result(result, places[result["control"]]) for result in told],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rule(control: Record) -> Record:
    mended = f"\n\nMend it: `{control['mend']}`" if control["mend"] else ""
    text = f"{control['statement']}\n\n{control['why']}{mended}"
    area: str = control["area"]
    mappings = [f"{FRAMEWORKS.get(name, name)}/{key}" for name, keys in control["mappings"].items() for key in keys]
    return {
        "id": control["control"],
        "shortDescription": {"text": control["title"]},
        "fullDescription": {"text": control["statement"]},
        "help": {"text": text.replace("`", ""), "markdown": text},
        "defaultConfiguration": {"level": LEVELS[control["severity"]]},
        "properties": {
            "tags": ["security", AREAS.get(area, area), *mappings],
            "security-severity": SCORES[control["severity"]],
            "precision": "very-high",
            "problem.severity": LEVELS[control["severity"]].replace("note", "recommendation"),
        },
    }


def _result(result: Record, rule: int) -> Record:
    entry = f"controls/{result['area'].lower()}.yml"
    found: Record = {
        "ruleId": result["control"],
        "ruleIndex": rule,
        "kind": "fail",
        "level": LEVELS[result["severity"]],
        "message": {"text": _message(result)},
        "locations": [
            {
                # A host has no line of a file. The control's entry has, and services refuse a result without a file.
                "physicalLocation": {"artifactLocation": {"uri": entry, "uriBaseId": "%SRCROOT%"}, "region": {"startLine": 1}},
                "logicalLocations": [{"name": result["host"], "kind": "host"}],
            }
        ],
        "partialFingerprints": {"controlAndHost/v1": hashlib.sha256(f"{result['control']}@{result['host']}".encode()).hexdigest()},
        "properties": {"host": result["host"], "probed": result["probed"], "mend": result["mend"]},
    }
    if result["state"] == "waived":
        waiver = result["waiver"]
        found["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": f"{waiver['who']}: {waiver['reason']} (until {waiver['until']})",
                "properties": {key: waiver[key] for key in ("who", "reason", "until")},
            }
        ]
    return found


def _message(result: Record) -> str:
    """What was seen in place of what on which host, and the command that shows it."""
    said = [f"{result['title']} ({result['host']})"]
    for seen in result["observations"]:
        if seen["state"] != "fail":
            continue
        if seen["observed"] is None and seen["expected"] is None:
            said.append(f"{seen['what']}: {seen['reason']}")
        else:
            said.append(f"{seen['what']}: observed {cut(shown(seen['observed']))}; expected {cut(shown(seen['expected']))}")
        if seen["show"]:
            said.append(f"Show me: {seen['show']}")
    return _without_links("\n".join(said))


def _without_links(text: str) -> str:
    """A message may hold links (SARIF 3.11.6), and what a host says shall be none that somebody clicks on."""
    return text.replace("](", "] (")


def _invocation(results: Record) -> Record:
    """The verification itself. Its faults are no result of a rule, and they fail it all the same."""
    faults = [{"level": "error", "message": {"text": _without_links(problem)}} for problem in results["problems"]]
    return {
        "executionSuccessful": not faults,
        "startTimeUtc": results["started"],
        "endTimeUtc": results["ended"],
        "toolExecutionNotifications": faults,
    }
