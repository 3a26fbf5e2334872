"""What is expected of a host: verification/expected/baseline, a file an area, overlaid by the profile's, by without/GROUP.yml for a
group without a host, and by application/other.yml, edge_certificate/provided.yml and http3/false.yml where declared.yml says so; filled in
from there.
All of it is written by hand, from the requirements and never from the roles: a wrong default there must be seen here."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from verification import documents
from verification.inventory import render
from verification.words import CannotRun

EXPECTED = Path(__file__).parent / "expected"
# What else of declared.yml leads to other expectations, and what is meant where it says nothing.
USUAL = {"application": "casemate", "edge_certificate": "private", "http3": "true"}


def load(profile: str, declared: Mapping[str, Any], folder: Path = EXPECTED, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """The expectations of a profile, where no host is in the groups `without`."""
    changes, _why = overlay(profile, folder)
    merged = merge(baseline(folder / "baseline"), changes)
    for group in without:
        if (over := folder / "without" / f"{group}.yml").is_file():
            merged = merge(merged, documents.read(over))
    for name, usual in USUAL.items():
        if (said := _said(declared.get(name, usual))) != usual:
            known = [path.stem for path in (folder / name).glob("*.yml")]
            if said not in known:
                raise CannotRun(f"declared.yml says {name}: {said}; it is {usual} (the default) or {' or '.join(known)}")
            merged = merge(merged, documents.read(folder / name / f"{said}.yml"))
    rendered: dict[str, Any] = render(merged, dict(declared))
    # What this installation tightens after a trial stands in declared.yml alone.
    for name, *sources in (part.split() for part in str(declared.get("csp_enforced", "")).split(";") if part.strip()):
        rendered["policies"]["application"][name] = sources
    return rendered


def _said(value: Any) -> str:
    """As YAML writes it: true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def profiles(folder: Path = EXPECTED) -> list[str]:
    return sorted(["baseline", *(path.stem for path in (folder / "profile").glob("*.yml"))])


def differences(profile: str, folder: Path = EXPECTED) -> list[dict[str, Any]]:
    """What a profile expects otherwise than baseline, each with both values and the reason. Raises CannotRun for one without a reason."""
    changes, why = overlay(profile, folder)
    why = {name: reason for name, reason in why.items() if reason}
    found, usual = dict(leaves(changes)), dict(leaves(baseline(folder / "baseline")))
    for name, fault in (
        (sorted(found.keys() - why.keys()), "changes {} and gives no reason"),
        (sorted(why.keys() - found.keys()), "gives a reason for {} and changes nothing there"),
        (sorted(found.keys() - usual.keys()), "changes {}, of which baseline knows nothing"),
    ):
        if name:
            raise CannotRun(f"verification/expected/profile/{profile}.yml {fault.format(', '.join(name))}")
    return [{"what": name, "baseline": usual[name], "here": found[name], "why": why.get(name, "")} for name in sorted(found)]


def overlay(profile: str, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """A profile's changes, and the reason of each by its place, as `hsts.stage`."""
    if profile not in profiles(folder):
        raise CannotRun(f"declared.yml names the profile {profile!r}; there are expectations for: {', '.join(profiles(folder))}")
    if profile == "baseline":
        return {}, {}
    changes = documents.read(folder / "profile" / f"{profile}.yml") or {}
    if not isinstance(why := changes.pop("reasons", None), dict):
        raise CannotRun(f"verification/expected/profile/{profile}.yml has no `reasons`: each change needs one, by its place")
    return changes, why


def leaves(value: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield from leaves(item, f"{before}{key}.")
        else:
            yield f"{before}{key}", item


def baseline(folder: Path) -> dict[str, Any]:
    """The files of all areas as one. What to read may stand in each; anything said twice would be said once too often, and is refused."""
    merged: dict[str, Any] = {}
    for path in sorted(folder.glob("*.yml")):
        merged = joined(merged, documents.read(path), path.name)
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
