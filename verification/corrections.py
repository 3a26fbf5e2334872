"""Where the sources are wrong: controls/corrections.yml, checked against controls/corrections.schema.json and the register."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from verification import documents
from verification.register import CONTROLS, CORRECTIONS, Control, Register
from verification.words import CannotRun

SPOKEN = {"built": "built", "planned": "planned", "not_taken": "not taken"}
OURS = "Casemate"  # the source of a control that none of the sources asks for


@dataclass(frozen=True)
class Correction:
    """One error of a source: what it says, what is so, and what we build."""

    id: str
    sources: tuple[str, ...]
    says: str
    right: str
    instead: str
    why: str
    controls: tuple[str, ...]
    status: str
    reason: str = ""


def load(controls: Register, folder: Path = CONTROLS) -> tuple[Correction, ...]:
    """All of them, in their order. Raises CannotRun with every fault that it found."""
    entries = documents.read(folder / CORRECTIONS)
    schema = json.loads((folder / "corrections.schema.json").read_text())
    faults = [_told(entries, fault) for fault in jsonschema.Draft202012Validator(schema).iter_errors(entries)]
    if not faults:
        found = tuple(_correction(entry) for entry in entries)
        faults = [*_numbers(found), *(fault for correction in found for fault in _affected(correction, controls))]
        if not faults:
            return found
    raise CannotRun(f"{CORRECTIONS} has faults:\n  " + "\n  ".join(sorted(faults)))


def of(control: Control, corrections: tuple[Correction, ...]) -> list[Correction]:
    return [correction for correction in corrections if control.id in correction.controls]


def _numbers(found: tuple[Correction, ...]) -> list[str]:
    wrong = [correction.id for number, correction in enumerate(found, 1) if correction.id != f"E-{number:03}"]
    return [f"{wrong[0]}: ids run from E-001 without a gap, each once"] if wrong else []


def _affected(correction: Correction, controls: Register) -> list[str]:
    """A control that took a wrong requirement from a source has to say what was made of it."""
    unknown = [f"{correction.id}: {name} is not in the register" for name in correction.controls if name not in controls]
    known = [controls[name] for name in correction.controls if name in controls]
    silent = [control.id for control in known if not control.corrected and set(control.sources) != {OURS}]
    return unknown + [f"{correction.id}: {name} has no `corrected` text" for name in silent]


def _correction(entry: dict[str, Any]) -> Correction:
    return Correction(**{**entry, "sources": tuple(entry["sources"]), "controls": tuple(entry["controls"])})


def _told(entries: Any, fault: jsonschema.ValidationError) -> str:
    """The id of the entry with the fault, where it has one."""
    place = [step for step in fault.absolute_path if isinstance(step, int)]
    entry = entries[place[0]] if place and isinstance(entries, list) else {}
    return f"{entry.get('id', 'the file') if isinstance(entry, dict) else 'the file'}: {fault.message[:200]}"
