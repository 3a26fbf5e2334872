"""The register of controls: controls/<area>.yml, checked against controls/schema.json."""

import difflib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema

from verification import documents
from verification.words import AREAS, CannotRun

HOUSE = Path(__file__).parent.parent
CONTROLS = HOUSE / "controls"
CORRECTIONS = "corrections.yml"  # beside the areas, and none of them: verification/corrections.py


@dataclass(frozen=True)
class Control:
    """One requirement, in our words, with who meets it."""

    id: str
    title: str
    statement: str
    why: str
    severity: str
    applies_to: str
    profile: str
    status: str
    implemented_by: tuple[str, ...]
    sources: tuple[str, ...]
    mappings: dict[str, list[str]]
    corrected: str = ""
    without_probe: str = ""

    @property
    def area(self) -> str:
        return self.id.rpartition("-")[0]

    @property
    def implemented(self) -> bool:
        return self.status == "implemented"

    @property
    def of_the_repository(self) -> bool:
        """Whether this checkout shows it, and no host does."""
        return self.applies_to == "repo"

    @property
    def by_the_application(self) -> bool:
        """Whether Casemate's own application alone meets it, and no part of the baseline."""
        builders = [by for by in self.implemented_by if by != "docs"]
        return bool(builders) and all(by.startswith("app.") for by in builders)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of site.yml that put this control right. A module of the application comes by the role `application`."""
        roles = (
            by.removeprefix("roles/") if by.startswith("roles/") else "application"
            for by in self.implemented_by
            if by.startswith(("roles/", "app."))
        )
        return tuple(dict.fromkeys(roles))

    @property
    def mend(self) -> str:
        """The command that puts it right."""
        return f"make converge TAGS={','.join(self.tags)}" if self.tags else ""


Register = dict[str, Control]


def load(folder: Path = CONTROLS) -> Register:
    """All controls by id, in the order of their files, read anew where one has changed. Raises CannotRun with every fault that it found."""
    return dict(_load(folder, tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.iterdir()))))


@lru_cache(maxsize=4)
def _load(folder: Path, _stamp: tuple[tuple[str, int, int], ...]) -> Register:
    schema = json.loads((folder / "schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    register: Register = {}
    faults: list[str] = []
    for path in sorted(path for path in folder.glob("*.yml") if path.name != CORRECTIONS):
        entries = documents.read(path)
        for fault in sorted(validator.iter_errors(entries), key=str):
            faults.append(f"{path.name}: {_place(entries, fault)}: {fault.message}")
        for entry in entries if isinstance(entries, list) else []:
            control = _control(entry)
            if control is None:
                continue
            if control.id in register:
                faults.append(f"{path.name}: {control.id} is there twice; an id is never used again")
            if control.area.lower() != path.stem:
                faults.append(f"{path.name}: {control.id} belongs in {control.area.lower()}.yml")
            register[control.id] = control
    if faults:
        raise CannotRun("the register has faults:\n  " + "\n  ".join(faults))
    return register


def find(controls: Register, name: str) -> Control:
    """The control of this id, also written in small letters or short (web-3). Raises CannotRun with the nearest ones."""
    wanted = name.strip().upper()
    if wanted in controls:
        return controls[wanted]
    short = re.fullmatch(r"(K8S|[A-Z]+)[ -]*([0-9]{1,3})", wanted)
    meant = [c for c in controls if short and (c.rpartition("-")[0], int(c.rpartition("-")[2])) == (short[1], int(short[2]))]
    if meant:
        return controls[meant[0]]
    raise CannotRun(f"{name} is not in the register" + _nearest(controls, wanted, short[1] if short else wanted.rstrip("-")))


def _nearest(controls: Register, wanted: str, area: str) -> str:
    numbers = [c for c in controls if c.rpartition("-")[0] == area]
    if numbers:
        return f"; {area} ({AREAS.get(area, area)}) has {numbers[0]} to {numbers[-1]}"
    near = difflib.get_close_matches(wanted, controls, n=4, cutoff=0.6)
    if not near:
        words = wanted.lower().split()
        near = [c.id for c in controls.values() if words and all(word in c.title.lower() for word in words)][:4]
    named = ", ".join(f"{identifier} ({controls[identifier].title})" for identifier in near)
    return f"; nearest: {named}" if near else "; casemate controls lists what there is"


def area(controls: Register, name: str) -> str:
    """The short name of an area. Raises CannotRun with all of them where it is none."""
    known = dict.fromkeys(control.area for control in controls.values())
    if name.upper() in known:
        return name.upper()
    raise CannotRun(f"{name} is no area; there are {', '.join(f'{short} ({AREAS.get(short, short)})' for short in known)}")


def implementer(controls: Register, name: str) -> frozenset[str]:
    """Who is meant by nginx, roles/nginx, vault or app.casemate.vault. Raises CannotRun with the nearest names."""
    known = sorted({by for control in controls.values() for by in control.implemented_by})
    meant = frozenset(by for by in known if name in (by, by.removeprefix("roles/"), by.removeprefix("app.casemate.")))
    if meant:
        return meant
    near = difflib.get_close_matches(name, [*known, *(re.split("[/.]", by)[-1] for by in known)], n=3, cutoff=0.5)
    raise CannotRun(f"{name} implements no control" + (f"; nearest: {', '.join(near)}" if near else f"; there are {', '.join(known)}"))


def missing_implementers(controls: Register, house: Path = HOUSE) -> dict[str, list[str]]:
    """Who is named by an implemented control and is not in the house. A planned control may name who is to come."""
    found = {c.id: [by for by in c.implemented_by if not _is_there(house, by)] for c in controls.values() if c.implemented}
    return {identifier: names for identifier, names in found.items() if names}


def _is_there(house: Path, by: str) -> bool:
    place = house / (by.replace(".", "/") if by.startswith("app.") else by)
    return place.exists() or place.with_suffix(".py").is_file()


def _control(entry: Any) -> Control | None:
    """An entry as a control, or nothing where it lacks a field (the schema has said so)."""
    try:
        return Control(
            id=entry["id"],
            title=entry["title"],
            statement=entry["statement"],
            why=entry["why"],
            severity=entry["severity"],
            applies_to=entry["applies_to"],
            profile=entry["profile"],
            status=entry["status"],
            implemented_by=tuple(entry.get("implemented_by", ())),
            sources=tuple(entry["sources"]),
            mappings=dict(entry.get("mappings", {})),
            corrected=entry.get("corrected", ""),
            without_probe=entry.get("without_probe", ""),
        )
    except (KeyError, TypeError):
        return None


def _place(entries: Any, fault: jsonschema.ValidationError) -> str:
    """The id of the entry with the fault, where it has one."""
    path = list(fault.absolute_path)
    if path and isinstance(entries, list) and isinstance(path[0], int):
        entry = entries[path[0]]
        name = entry.get("id", f"entry {path[0] + 1}") if isinstance(entry, dict) else f"entry {path[0] + 1}"
        return ".".join([str(name), *map(str, path[1:])])
    return "the file"
