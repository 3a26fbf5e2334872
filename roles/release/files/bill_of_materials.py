"""The software bill of materials of a release, CycloneDX 1.6 JSON, from the wheels themselves."""

from __future__ import annotations

import email
import hashlib
import re
import uuid
import zipfile
from email.message import Message
from pathlib import Path
from typing import Any


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA") and entry.count("/") == 1)
        return email.message_from_bytes(archive.read(name))


def licences(about: Message) -> list[dict[str, Any]]:
    if about["License-Expression"]:
        return [{"expression": about["License-Expression"]}]
    trove = [value.split(" :: ")[-1] for value in about.get_all("Classifier", []) if value.startswith("License :: ")]
    return [{"license": {"name": name}} for name in trove]


def component(wheel: Path) -> dict[str, Any]:
    about = metadata(wheel)
    name, version = normalised(about["Name"]), about["Version"]
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
    }
    if about["Summary"]:
        found["description"] = about["Summary"]
    if licences(about):
        found["licenses"] = licences(about)
    return found


def needs(wheel: Path) -> set[str]:
    """Names that it requires when no extra is asked for."""
    lines = metadata(wheel).get_all("Requires-Dist", [])
    return {normalised(re.split(r"[\s;\[<>=!~(]", line, maxsplit=1)[0]) for line in lines if "extra ==" not in line}


def bill_of_materials(wheels: list[Path], name: str, version: str, timestamp: str) -> dict[str, Any]:
    components = {wheel: component(wheel) for wheel in sorted(wheels)}
    references = {entry["name"]: entry["bom-ref"] for entry in components.values()}
    application = next(entry for entry in components.values() if entry["name"] == normalised(name))
    libraries = [entry for entry in components.values() if entry is not application]
    if len(references) != len(wheels):
        raise ValueError("two wheels of one package")
    dependencies = [
        {"ref": entry["bom-ref"], "dependsOn": sorted(references[needed] for needed in needs(wheel) if needed in references)}
        for wheel, entry in components.items()
        if entry is not application
    ]
    # The application's own list of packages is its lock: all of them.
    dependencies.append({"ref": application["bom-ref"], "dependsOn": sorted(entry["bom-ref"] for entry in libraries)})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{name}/{version}')}",
        "version": 1,
        "metadata": {"timestamp": timestamp, "component": {**application, "type": "application"}},
        "components": libraries,
        "dependencies": dependencies,
    }
