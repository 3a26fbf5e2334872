"""Inside: whether what runs is what was signed."""

import base64
import contextlib
import csv
import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, section

CURRENT = Path("/opt/casemate/current")
PROCESSES = Path("/sys/fs/cgroup/system.slice/casemate.service/cgroup.procs")
LOADED = re.compile(r"/opt/casemate/releases/([^/\n]+)/[^\n]*?( \(deleted\))?$", re.MULTILINE)


@section
def release(_parameters: Parameters) -> dict[str, Any]:
    """Every file that the release brought, hashed and compared with what the release says of it."""
    current = CURRENT.resolve(strict=True)
    manifest = json.loads((current / "manifest.json").read_text())
    altered = [*_altered_static(current, manifest["files"]), *_altered_packages(current / "venv")]
    bom = json.loads((current / "sbom.cdx.json").read_text())
    application = bom["metadata"]["component"]
    return {
        "version": manifest["version"],
        "name": _package(application["name"], application["version"]),
        "folder": current.name,
        "altered": sorted(altered),
        "packages": sorted(_package(d.name, d.version) for d in importlib.metadata.distributions(path=[str(_site(current / "venv"))])),
        "named": sorted(_named(bom)),
    }


@section
def release_loaded(_parameters: Parameters) -> dict[str, list[str]]:
    """From which releases the service's processes have loaded something, and which programs they are."""
    maps, programs = "", set[str]()
    for pid in PROCESSES.read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a worker that was replaced while we look
            programs.add(os.readlink(f"/proc/{pid}/exe"))
            maps += Path("/proc", pid, "maps").read_text()
    releases = {f"{name} (gone since)" if gone else name for name, gone in LOADED.findall(maps)}
    return {"releases": sorted(releases), "programs": sorted(programs)}


@section
def release_owners(_parameters: Parameters) -> list[str]:
    """What under /opt/casemate somebody else than root may write. The application must not change its own code."""
    found = subprocess.run(
        ["find", "/opt/casemate", "(", "!", "-user", "root", "-o", "-perm", "/022", ")", "!", "-type", "l"],
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(found.stdout.splitlines())


def _altered_static(current: Path, files: dict[str, str]) -> list[str]:
    """Static files against the manifest: changed, missing, and those that no release brought."""
    wanted = {name: digest for name, digest in files.items() if name.startswith("static/")}
    found = {str(path.relative_to(current)) for path in (current / "static").rglob("*") if path.is_file()}
    altered = [f"{name}: no release brought it" for name in found - wanted.keys()]
    altered += [f"{name}: missing" for name in wanted.keys() - found]
    return altered + [f"{name}: changed" for name in found & wanted.keys() if _sha256(current / name) != wanted[name]]


def _altered_packages(venv: Path) -> list[str]:
    """Installed packages against their RECORD, whose wheel the signed requirements.txt pins by its hash."""
    site = _site(venv)
    recorded: set[str] = set()
    altered = []
    for record in site.glob("*.dist-info/RECORD"):
        for name, hashed, _size in csv.reader(record.read_text().splitlines()):
            path = os.path.normpath(os.path.join(site, name))  # of thousands: pathlib takes longer than their hashes
            recorded.add(path)
            if not hashed or path.endswith(".pyc"):
                continue
            try:
                content = _as_recorded(path, venv)
            except OSError:
                altered.append(f"{os.path.relpath(path, venv)}: missing")
                continue
            algorithm, _, digest = hashed.partition("=")
            if _digest(content, algorithm) != digest:
                altered.append(f"{os.path.relpath(path, venv)}: changed")
    return altered + [f"{os.path.relpath(path, venv)}: no package brought it" for path in _importable(site) - recorded]


def _importable(site: Path) -> set[str]:
    """What Python would import from there, or run at its start: modules of any kind, and links to folders elsewhere."""
    found = set()
    for folder, folders, names in os.walk(site):
        endings = (".py", ".pth", ".so") if folder.endswith("/__pycache__") else (".py", ".pth", ".so", ".pyc")
        found |= {os.path.join(folder, name) for name in names if name.endswith(endings)}
        found |= {path for name in folders if os.path.islink(path := os.path.join(folder, name))}
    return found


def _named(bom: dict[str, Any]) -> list[str]:
    """The packages that the release says it consists of, itself among them."""
    return [_package(part["name"], part["version"]) for part in (bom["metadata"]["component"], *bom["components"])]


def _package(name: str, version: str) -> str:
    """As PEP 503 compares names."""
    return f"{re.sub(r'[-_.]+', '-', name).lower()} {version}"


def _site(venv: Path) -> Path:
    return next((venv / "lib").glob("python3*/site-packages"))


def _as_recorded(path: str, venv: Path) -> bytes:
    """A file as pip wrote it: it put the release together in a folder beside, whose name scripts have in their first line."""
    with open(path, "rb") as file:
        content = file.read()
    if path.startswith(f"{venv}/bin/"):
        release = venv.parent
        return content.replace(bytes(release), bytes(release.with_name(f".{release.name}.building")), 1)
    return content


def _digest(content: bytes, algorithm: str) -> str:
    """As PEP 376 writes it: base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=").decode()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
