"""What is expected of a host: verification/expected/baseline, a file an area, overlaid by the profile's, by without/GROUP.yml for a
group without a host, and by application/other.yml where another application than Casemate's own runs; filled in from declared.yml.
All of it is written by hand, from the requirements and never from the roles: a wrong default there must be seen here."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from verification.inventory import render
from verification.words import CannotRun

EXPECTED = Path(__file__).parent / "expected"


def load(profile: str, declared: Mapping[str, Any], folder: Path = EXPECTED, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """The expectations of a profile, where no host is in the groups `without`."""
    overlay = folder / "profile" / f"{profile}.yml"
    if profile != "baseline" and not overlay.is_file():
        known = ", ".join(sorted(["baseline", *(path.stem for path in overlay.parent.glob("*.yml"))]))
        raise CannotRun(f"declared.yml names the profile {profile!r}; there are expectations for: {known}")
    merged = baseline(folder / "baseline")
    if profile != "baseline":
        merged = merge(merged, yaml.safe_load(overlay.read_text()) or {})
    for group in without:
        if (over := folder / "without" / f"{group}.yml").is_file():
            merged = merge(merged, yaml.safe_load(over.read_text()))
    application = str(declared.get("application", "casemate"))
    if application != "casemate":
        over = folder / "application" / f"{application}.yml"
        if not over.is_file():
            raise CannotRun(f"declared.yml says application: {application}; it is casemate (the default) or other")
        merged = merge(merged, yaml.safe_load(over.read_text()))
    rendered: dict[str, Any] = render(merged, dict(declared))
    return rendered


def baseline(folder: Path) -> dict[str, Any]:
    """The files of all areas as one. What to read may stand in each; anything said twice would be said once too often, and is refused."""
    merged: dict[str, Any] = {}
    for path in sorted(folder.glob("*.yml")):
        merged = joined(merged, yaml.safe_load(path.read_text()), path.name)
    return merged


def joined(base: dict[str, Any], more: Mapping[str, Any], where: str) -> dict[str, Any]:
    both = dict(base)
    for key, value in more.items():
        if key not in base:
            both[key] = value
        elif isinstance(base[key], dict) and isinstance(value, dict):
            both[key] = joined(base[key], value, f"{where}: {key}")
        else:
            raise CannotRun(f"verification/expected/baseline/{where} says {key}, and so does another file beside it: say it in one")
    return both


def merge(base: Any, overlay: Any) -> Any:
    """Mappings are merged key by key, and a null takes its key away; anything else is replaced whole."""
    if isinstance(base, dict) and isinstance(overlay, dict):
        kept = {key: value for key, value in base.items() if key not in overlay}
        return kept | {key: merge(base.get(key), value) for key, value in overlay.items() if value is not None}
    return overlay
