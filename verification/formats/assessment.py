"""oscal-assessment-results.json: what one verification found, in the words of NIST SP 800-53.

An observation is one control of the register on one host; a finding is one control of NIST, made of those that map to it.
"""

import json
import re
from typing import Any

from verification.formats.oscal import CATALOG, control_id, metadata, named, nist, own, without_empty
from verification.report import shown
from verification.text import brief, cut, line

Record = dict[str, Any]
STATES = {"fail": "open", "waived": "deviation-approved"}  # of the risk that a result of this state is


def assessment_results(results: Record) -> str:
    """The document of results.json as OSCAL assessment results (1.2)."""
    results = brief(results)
    run = f"{results['site']} {results['started']}"
    hosts = dict.fromkeys([host["name"] for host in results["hosts"]] + [result["host"] for result in results["results"]])
    plan = named("plan", results["profile"])
    tested = nist(results["results"])
    result = without_empty(
        {
            "uuid": named("result", run),
            "title": line(f"{results['site']}, profile {results['profile']}"),
            "description": _told(results),
            "start": results["started"],
            "end": results["ended"],
            "props": [own("active", str(results["active"]).lower()), own("attested-by", results["attested_by"])]
            + [own(name, value) for name, value in results["verifier"].items()],
            "local-definitions": _definitions(results, list(hosts)),
            "reviewed-controls": {"control-selections": [_selection(sorted(tested))]},
            "observations": [_observation(results, run, found) for found in results["results"]],
            "risks": [_risk(run, found) for found in results["results"] if found["state"] in STATES],
            "findings": _findings(results, run, tested),
        }
    )
    document = {
        "uuid": named("assessment", run),
        "metadata": metadata(f"Verification of {results['site']}", results["ended"], results["verifier"].get("commit", "unknown")),
        "import-ap": {"href": f"#{plan}"},
        "results": [result],
        "back-matter": {"resources": [_plan(plan, results["profile"])]},
    }
    return json.dumps({"assessment-results": document}, indent=1, ensure_ascii=False) + "\n"


def _told(results: Record) -> str:
    figures = results["summary"]
    counted = ", ".join(f"{figures[key]} {key.replace('_', ' ')}" for key in ("pass", "fail", "waived", "not_testable", "not_applicable"))
    problems = "".join(f"\n\nThe verification itself:\n\n{literal(problem)}" for problem in results["problems"])
    return f"Controls of Casemate's register, looked at on each host: {counted}, {figures['planned']} planned and not claimed.{problems}"


def _plan(identifier: str, profile: str) -> Record:
    """OSCAL asks for a plan. Ours is the register: each implemented control has a check, and that is run."""
    text = "Every implemented control of the register (controls/) is checked on every host to which it applies (verification/checks/)."
    return {"uuid": identifier, "title": line(f"The register of controls, profile {profile}"), "description": text}


def _definitions(results: Record, hosts: list[str]) -> Record:
    verifier = {
        "uuid": named("verifier"),
        "type": "software",
        "title": "Casemate's verifier",
        "description": "Observes each host from outside, from inside and as the accounts of its database.",
        "status": {"state": "operational"},
    }
    items = [{"uuid": _host(results, host), "description": _described(host), "props": [own("host", host)]} for host in hosts]
    platform = {"uuid": named("platform"), "title": "The controller", "uses-components": [{"component-uuid": named("verifier")}]}
    return without_empty(
        {"inventory-items": items, "assessment-assets": {"components": [verifier], "assessment-platforms": [platform]}},
    )


def _described(host: str) -> str:
    return "The checkout from which the hosts are built." if host == "repo" else f"The host {line(host)} of the inventory."


def _selection(identifiers: list[str]) -> Record:
    if not identifiers:
        return {"include-all": {}}
    links = [{"href": CATALOG, "rel": "reference"}]
    return {"links": links, "include-controls": [{"control-id": control_id(identifier)} for identifier in identifiers]}


def _observation(results: Record, run: str, found: Record) -> Record:
    said = [f"{found['control']} {found['title']}: {found['state'].replace('_', ' ')}.", literal(found["reason"])]
    return without_empty(
        {
            "uuid": _observed(run, found),
            "title": line(f"{found['control']} on {found['host']}"),
            "description": "\n\n".join(part for part in said if part),
            "props": [own(name, str(found[name])) for name in ("control", "state", "severity", "host")]
            + [own("seen-red-by-a-probe", str(found["probed"]).lower())],
            "methods": ["TEST"],
            "types": ["control-objective"],
            "origins": [{"actors": [{"type": "tool", "actor-uuid": named("verifier")}]}],
            "subjects": [{"subject-uuid": _host(results, found["host"]), "type": "inventory-item"}],
            "relevant-evidence": [_evidence(seen) for seen in found["observations"] if seen["state"] == "fail"],
            "collected": results["started"],
        }
    )


def _evidence(seen: Record) -> Record:
    said = [literal(seen["what"])]
    if seen["observed"] is not None or seen["expected"] is not None:
        said += ["Observed:", literal(cut(shown(seen["observed"]))), "Expected:", literal(cut(shown(seen["expected"])))]
    said += ["Show me:", literal(seen["show"])] if seen["show"] else []
    return {"href": "results.json", "description": "\n\n".join(said)}


def literal(text: str) -> str:
    """What a host said, as a block of code: OSCAL's texts are Markdown, in which it could bring markup and links along."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}" if text.strip() else ""


def _risk(run: str, found: Record) -> Record:
    waiver = found["waiver"] if found["state"] == "waived" else None
    return without_empty(
        {
            "uuid": named("risk", run, found["control"], found["host"]),
            "title": line(f"{found['control']} {found['title']} ({found['host']})"),
            "description": found["why"],
            "statement": literal(found["reason"]) or found["title"],
            "props": [own("severity", found["severity"])]
            + ([own(key, waiver[key]) for key in ("who", "reason", "until")] if waiver else []),
            "status": STATES[found["state"]],
            "deadline": f"{waiver['until']}T23:59:59Z" if waiver else None,
            "related-observations": [{"observation-uuid": _observed(run, found)}],
        }
    )


def _findings(results: Record, run: str, tested: dict[str, list[Record]]) -> list[Record]:
    planned = nist(results["planned"])
    return [_finding(run, identifier, found, planned.get(identifier, [])) for identifier, found in sorted(tested.items())]


def _finding(run: str, identifier: str, tested: list[Record], planned: list[Record]) -> Record:
    """Satisfied only where everything that maps to it was seen to hold: what is planned, waived or not testable here is not shown."""
    states = [result["state"] for result in tested]
    failed, held = states.count("fail"), all(state in ("pass", "not_applicable") for state in states) and "pass" in states
    satisfied = held and not planned
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    told = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in counts.items())
    missing = f"; {len(planned)} planned: {', '.join(entry['control'] for entry in planned)}" if planned else ""
    risks = [named("risk", run, found["control"], found["host"]) for found in tested if found["state"] in STATES]
    return without_empty(
        {
            "uuid": named("finding", run, identifier),
            "title": line(identifier),
            "description": f"Of Casemate's controls that map to it: {told}{missing}. What people and paper do for it was not looked at.",
            "target": {
                "type": "statement-id",
                "target-id": f"{control_id(identifier)}_smt",
                "status": {
                    "state": "satisfied" if satisfied else "not-satisfied",
                    "reason": "pass" if satisfied else "fail" if failed else "other",
                },
            },
            "related-observations": [{"observation-uuid": _observed(run, found)} for found in tested],
            "related-risks": [{"risk-uuid": risk} for risk in risks],
        }
    )


def _observed(run: str, found: Record) -> str:
    return named("observation", run, found["control"], found["host"])


def _host(results: Record, host: str) -> str:
    return named("host", results["site"], host)
