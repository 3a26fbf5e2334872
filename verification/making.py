"""Which files make a control hold, and a digest of them: so that a sample of the probes takes what was changed since it was proved."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from verification.inventory import ROOT
from verification.register import Control

# What a role copies to hosts, of the policy in files/: its own folder, or just the unit that it names.
POLICY = re.compile(r"policy_dir }}/([\w.@-]+)/([\w.@-]+)")


def digest(control: Control, house: Path = ROOT) -> str:
    """Of the files of all who implement a control, by name and content; 16 hexadecimal digits."""
    whole = hashlib.sha256()
    for path in sorted({path for by in control.implemented_by if by != "docs" for path in files(by, house)}):
        whole.update(f"{path.relative_to(house)}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def files(by: str, house: Path = ROOT) -> Iterator[Path]:
    """The files of one implementer: a folder, a file, a module of the application, or a role with the policy that it writes."""
    place = house / (by.replace(".", "/") if by.startswith("app.") else by)
    yield from _below(place if place.exists() else place.with_suffix(".py"))
    if by.startswith("roles/"):
        tasks = "\n".join(path.read_text() for path in place.glob("tasks/*.yml"))
        for folder, name in POLICY.findall(tasks):
            yield from _below(house / "files" / (f"systemd/{name}" if folder == "systemd" else folder))


def _below(place: Path) -> Iterator[Path]:
    """A file, or those of a folder that somebody wrote: neither caches nor what only people read."""
    if place.is_file():
        yield place
    yield from (path for path in place.rglob("*") if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md")
