"""What is expected of a host: verification/expected/baseline.yml, overlaid by the profile's, by without/GROUP.yml for a group without
a host, and by application/other.yml where another application than Casemate's own runs; filled in from declared.yml."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from verification.inventory import render
from verification.words import CannotRun

EXPECTED = Path(__file__).parent / "expected"


def load(profile: str, declared: Mapping[str, Any], folder: Path = EXPECTED, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """The expectations of a profile, where no host is in the groups `without`. They are written by hand and read nothing of the roles."""
    overlay = folder / f"{profile}.yml"
    if not overlay.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yml")))
        raise CannotRun(f"declared.yml names the profile {profile!r}; there are expectations for: {known}")
    merged: dict[str, Any] = yaml.safe_load((folder / "baseline.yml").read_text())
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


def merge(base: Any, overlay: Any) -> Any:
    """Mappings are merged key by key, and a null takes its key away; anything else is replaced whole."""
    if isinstance(base, dict) and isinstance(overlay, dict):
        kept = {key: value for key, value in base.items() if key not in overlay}
        return kept | {key: merge(base.get(key), value) for key, value in overlay.items() if value is not None}
    return overlay
