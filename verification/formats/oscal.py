"""oscal-component-definition.json: which part of Casemate meets which control of NIST SP 800-53, by the register alone.

OSCAL 1.2 (NIST). Ids are UUIDs of stable names, so an unchanged register gives the same file, and a host keeps its id from run to run.
"""

import json
import re
import uuid
from collections.abc import Iterable
from typing import Any

from verification.register import Control, Register
from verification.text import line, visible

Record = dict[str, Any]
OSCAL = "1.2.1"
OURS = "urn:casemate:oscal"  # the namespace of the properties that are ours
NAMES = uuid.uuid5(uuid.NAMESPACE_URL, OURS)
CATALOG = "https://raw.githubusercontent.com/usnistgov/oscal-content/main/nist.gov/SP800-53/rev5/json/NIST_SP-800-53_rev5_catalog.json"
KINDS = {"verification": "validation", "molecule": "validation", ".ci": "validation", "docs": "guidance", "SECURITY.md": "guidance"}


def component_definition(register: Register, changed: str) -> str:
    """The register for programs. `changed` is when it last did, as OSCAL writes a time: 2026-11-22T17:00:00Z."""
    by_part: dict[str, list[Control]] = {}
    for control in register.values():
        for part in control.implemented_by:
            by_part.setdefault(part, []).append(control)
    components = [_component(part, controls) for part, controls in sorted(by_part.items())]
    content = named("components", json.dumps(components, sort_keys=True))
    definition = without_empty(
        {
            "uuid": content,
            "metadata": metadata("Casemate: its parts and the controls that they meet", changed, content),
            "components": components,
        }
    )
    return json.dumps({"component-definition": definition}, indent=1, ensure_ascii=False) + "\n"


def _component(part: str, controls: list[Control]) -> Record:
    by_nist: dict[str, list[Control]] = {}
    for control in controls:
        for identifier in control.mappings.get("nist", ()):
            by_nist.setdefault(identifier, []).append(control)
    implementation = {
        "uuid": named("implementation", part),
        "source": CATALOG,
        "description": "NIST SP 800-53 Revision 5, by the mappings of Casemate's register of controls.",
        "implemented-requirements": [_requirement(part, *pair) for pair in sorted(by_nist.items())],
    }
    return without_empty(
        {
            "uuid": named("component", part),
            "type": KINDS.get(part, "software"),
            "title": line(part),
            "description": f"{line(part)} of Casemate; {len(controls)} controls of its register name it.",
            "control-implementations": [implementation] if by_nist else [],
        }
    )


def _requirement(part: str, identifier: str, controls: list[Control]) -> Record:
    """What one part does for one control of NIST: each control of ours that maps to it, and how far these are."""
    done = sum(control.implemented for control in controls)
    status = "implemented" if done == len(controls) else "partial" if done else "planned"
    told = [f"{control.id} ({control.status}) {control.title}: {' '.join(control.statement.split())}" for control in controls]
    return {
        "uuid": named("requirement", part, identifier),
        "control-id": control_id(identifier),
        "description": visible("\n\n".join(told)),
        "props": [
            {"name": "implementation-status", "value": status},
            *(own("control", control.id, control.status) for control in controls),
        ],
    }


def control_id(identifier: str) -> str:
    """An id as NIST's catalogue has it: IA-5(7) is ia-5.7."""
    return re.sub(r"\((\d+)\)", r".\1", identifier.replace(" ", "")).lower()


def metadata(title: str, changed: str, version: str) -> Record:
    return {"title": line(title), "last-modified": changed, "version": line(version), "oscal-version": OSCAL}


def named(*names: str) -> str:
    """A UUID of a name: the same for the same."""
    return str(uuid.uuid5(NAMES, visible("\n".join(names))))


def own(name: str, value: str, kind: str = "") -> Record:
    """A property of ours, which OSCAL takes as one line that is not empty."""
    return {"name": name, "ns": OURS, "value": line(value), **({"class": kind} if kind else {})}


def without_empty(entry: Record) -> Record:
    """OSCAL has no empty lists: what there is none of is left out."""
    return {key: value for key, value in entry.items() if value not in ([], {}, "", None)}


def nist(entries: Iterable[Record]) -> dict[str, list[Record]]:
    """Results or planned controls by the controls of NIST that they map to."""
    found: dict[str, list[Record]] = {}
    for entry in entries:
        for identifier in entry["mappings"].get("nist", ()):
            found.setdefault(identifier, []).append(entry)
    return found
