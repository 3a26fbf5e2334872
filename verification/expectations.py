"""What is expected of a host: verification/expected/baseline.yml, overlaid by the profile's, filled in from declared.yml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from verification.inventory import render
from verification.words import CannotRun

EXPECTED = Path(__file__).parent / "expected"


def load(profile: str, declared: Mapping[str, Any], folder: Path = EXPECTED) -> dict[str, Any]:
    """The expectations of a profile. They are written by hand and read nothing of the roles."""
    overlay = folder / f"{profile}.yml"
    if not overlay.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yml")))
        raise CannotRun(f"declared.yml names the profile {profile!r}; there are expectations for: {known}")
    merged: dict[str, Any] = yaml.safe_load((folder / "baseline.yml").read_text())
    if profile != "baseline":
        merged = merge(merged, yaml.safe_load(overlay.read_text()) or {})
    rendered: dict[str, Any] = render(merged, dict(declared))
    return rendered


def merge(base: Any, overlay: Any) -> Any:
    """Mappings are merged key by key; anything else is replaced whole."""
    if isinstance(base, dict) and isinstance(overlay, dict):
        return {**base, **{key: merge(base.get(key), value) for key, value in overlay.items()}}
    return overlay
