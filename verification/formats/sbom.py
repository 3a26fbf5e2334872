"""sbom-HOST.cdx.json: what is installed on a host, by its own word: Debian's packages, the release and its parts (CycloneDX 1.6)."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from verification.evidence import redact
from verification.host import Facts, NotObserved
from verification.text import visible

Record = dict[str, Any]
NAMES = uuid.uuid5(uuid.NAMESPACE_URL, "urn:casemate:sbom")


@dataclass(frozen=True)
class Software:
    """What a host says is on it."""

    debian: tuple[Mapping[str, str], ...]  # name, version, architecture, source
    python: tuple[str, ...]  # "name version", as PEP 503 compares names
    release: str  # "name version" of the release in use, or nothing
    edition: str  # Debian's: 13.7
    unread: tuple[str, ...] = field(default=())  # why a part is missing


def software(inside: Facts) -> Software:
    """Taken from what was read of a host. What could not be read is named, so that the list does not look whole."""
    found: Record = {}
    unread = []
    for section in ("debian_packages", "release", "versions"):
        try:
            found[section] = redact(inside[section])
        except NotObserved as error:
            unread.append(redact(str(error)))
    release = found.get("release", {"packages": [], "name": ""})
    edition = found.get("versions", {}).get("debian", "")
    return Software(tuple(found.get("debian_packages", ())), tuple(release["packages"]), release["name"], edition, tuple(unread))


def file_name(host: str) -> str:
    """One file a host; a name of an inventory may hold what no file's may."""
    return f"sbom-{quote(host, safe='')}.cdx.json"


def sbom(results: Record, host: str, found: Software) -> str:
    """The list of one host, as part of the verification that the document of results.json tells of."""
    debian = {part["bom-ref"]: part for part in (_debian(package, found.edition) for package in found.debian)}
    python = {part["bom-ref"]: part for part in map(_python, found.python)}
    release = {**_python(found.release), "type": "application"} if found.release else None
    if release:
        python.pop(release["bom-ref"], None)
    serial = uuid.uuid5(NAMES, visible(f"{results['site']} {host} {results['started']}"))
    parts = [*debian.values(), *([release] if release else []), *python.values()]
    subject = {"type": "platform", "bom-ref": "host", "name": visible(host), "version": visible(f"Debian {found.edition}".strip())}
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"timestamp": results["started"], "component": subject},
        "components": parts,
        "dependencies": [
            {"ref": "host", "dependsOn": sorted([*debian, *([release["bom-ref"]] if release else python)])},
            *([{"ref": release["bom-ref"], "dependsOn": sorted(python)}] if release else []),
        ],
        # Never complete: a file that no package brought is not in it.
        "compositions": [{"aggregate": "incomplete" if found.unread else "unknown", "assemblies": ["host"]}],
    }
    if found.unread:
        document["properties"] = [{"name": "casemate:not-read", "value": visible(reason)} for reason in found.unread]
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _debian(package: Mapping[str, str], edition: str) -> Record:
    """As scanners look a package up: Debian's advisories are told by the source, which `upstream` names where it has another name."""
    qualifiers = {"arch": package["architecture"], "distro": f"debian-{edition.partition('.')[0]}"}
    if package["source"] != package["name"]:
        qualifiers["upstream"] = package["source"]
    asked = "&".join(f"{key}={_quoted(value)}" for key, value in qualifiers.items())
    purl = f"pkg:deb/debian/{_quoted(package['name'])}@{_quoted(package['version'])}?{asked}"
    return _library(package["name"], package["version"], purl)


def _python(package: str) -> Record:
    name, _, version = package.partition(" ")
    return _library(name, version, f"pkg:pypi/{_quoted(name)}@{_quoted(version)}")


def _library(name: str, version: str, purl: str) -> Record:
    return {"type": "library", "bom-ref": purl, "name": visible(name), "version": visible(version), "purl": purl}


def _quoted(text: str) -> str:
    """As package-url writes it: all but letters, digits, . _ - ~ and the colon is escaped."""
    return quote(visible(text), safe=":")
