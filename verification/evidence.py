"""evidence/<UTC time>/: the results and their forms, readable by their owner only, with no secret in them."""

import json
import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification import expectations
from verification.inventory import ROOT
from verification.register import CONTROLS, Control
from verification.text import visible
from verification.witness import plain
from verification.words import FROM_BEST_TO_WORST, Observation, Result, State

if TYPE_CHECKING:  # it brings pytest along, which those who only read evidence can do without
    from verification.runner import Run

SCHEMA_VERSION = "1.4"  # the same number before the dot: older results can still be compared with
CONTROLLER = "the controller"
REMOVED = "[removed: it looks like a secret]"
# What never belongs into evidence, whatever a check observed: the last line of defence, not the first.
SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----.*?(-----END [A-Z ]*PRIVATE KEY( BLOCK)?-----|\Z)", re.DOTALL),
    re.compile(r"\$?(argon2(id|i|d)\$v=\d+\$[^$\s]+)\$[A-Za-z0-9+/=]{8,}\$?[A-Za-z0-9+/=]*"),
    re.compile(r"(pbkdf2_sha\d+|scrypt|bcrypt_sha256)\$[^\s\"']{20,}"),
    re.compile(r"\$(y|gy|7|2[abxy]|5|6|1)\$[^\s:\"']{8,}"),  # crypt(5), as /etc/shadow has it
    re.compile(r"\*[0-9A-F]{40}\b"),  # MariaDB's mysql_native_password
    re.compile(r"(?i)\bidentified by (password )?'[^']+'"),
    re.compile(r"\bgAAAA[A-Za-z0-9_-]{20,}"),
    re.compile(r"(?i)\b(csrfmiddlewaretoken|csrftoken|sessionid|password|passwd|secret|token)(\"? ?value=\"|=|: ?)[^\s\"'<>;&]{12,}"),
    re.compile(r"(?i)\b(password|passwd|secret|token)[\"']?(=| ?[:=] ?[\"'])(?!\[removed)[^\s\"'<>;&,)]{4,}"),
    re.compile(r"(?i)\bauthorization: ?\w+ [^\s\"']{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),  # JWT (RFC 7519): base64url of {"
    re.compile(
        r"(?<![A-Za-z0-9_/+.=-])(?=[A-Za-z0-9_+/-]*[0-9])(?=[A-Za-z0-9_+/-]*[A-Z])[A-Za-z0-9_+/-]{43,88}={0,2}(?![A-Za-z0-9_/+=.-])"
    ),
)


def redact(value: Any) -> Any:
    """A value without anything that looks like a secret, at any depth, and with characters that are shown and not obeyed."""
    if isinstance(value, str):
        for pattern in SECRETS:
            value = pattern.sub(REMOVED, value)
        # Afterwards: a name in place of a NUL would be a letter before the word that a pattern looks for.
        return visible(value)
    if isinstance(value, dict):
        return {redact(key): redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def document(run: "Run", previous: dict[str, Any] | None = None, *, attested_by: str = CONTROLLER) -> dict[str, Any]:
    """results.json as decisions and verification/results.schema.json define it."""
    before = {(r["control"], r["host"]): r["state"] for r in (previous or {}).get("results", [])}
    results = [_result(run, result, before) for result in sorted(run.results, key=_worst_first)]
    found: dict[str, Any] = redact(
        {
            "schema_version": SCHEMA_VERSION,
            "started": _utc(run.started),
            "ended": _utc(datetime.now(UTC)),
            "seconds": round(run.seconds, 2),
            "site": ", ".join(run.inventory.sites),
            "profile": run.inventory.profile,
            "profile_differs": expectations.differences(run.inventory.profile),
            "active": run.active,
            "attested_by": attested_by,
            "verifier": _versions(),
            "hosts": run.hosts,
            "summary": summary(run),
            "areas": {area: _counts(group) for area, group in sorted(_by_area(run).items())},
            "problems": run.problems,
            "results": results,
            "planned": [_planned(control) for control in run.planned],
            "without_probe": (without := sorted({r.control for r in run.results} - run.probed)),
            "why_without_probe": {i: run.register[i].without_probe for i in without if run.register[i].without_probe},
            "previous": _before(previous) if previous else None,
        }
    )
    return found


def _before(previous: dict[str, Any]) -> dict[str, Any]:
    return {"started": previous["started"], "active": previous["active"], "score": previous["summary"]["score"]}


def summary(run: "Run") -> dict[str, Any]:
    score = run.score
    return {**_counts(run.results), "planned": len(run.planned), "score": None if score is None else round(score, 4)}


def _counts(results: list[Result]) -> dict[str, int]:
    return {state.value: sum(result.state is state for result in results) for state in State}


def _by_area(run: "Run") -> dict[str, list[Result]]:
    areas: dict[str, list[Result]] = {}
    for result in run.results:
        areas.setdefault(run.register[result.control].area, []).append(result)
    return areas


def _worst_first(result: Result) -> tuple[int, str, str]:
    return (-FROM_BEST_TO_WORST.index(result.state), result.control, result.host)


def _planned(control: Control) -> dict[str, Any]:
    return {
        "control": control.id,
        "title": control.title,
        "area": control.area,
        "severity": control.severity,
        "implemented_by": list(control.implemented_by),
        "mappings": control.mappings,
    }


def _result(run: "Run", result: Result, before: dict[tuple[str, str], str]) -> dict[str, Any]:
    control: Control = run.register[result.control]
    return {
        "control": control.id,
        "title": control.title,
        "statement": control.statement,
        "why": control.why,
        "area": control.area,
        "severity": control.severity,
        "host": result.host,
        "state": result.state.value,
        "reason": result.reason,
        "before": before.get((result.control, result.host)),
        "waiver": vars(result.waiver) if result.waiver else None,
        "active": result.active,
        "probed": control.id in run.probed,
        "seconds": round(result.seconds, 4),
        "mend": control.mend,
        "implemented_by": list(control.implemented_by),
        "mappings": control.mappings,
        "observations": [_observation(observation) for observation in result.observations],
    }


def _observation(observation: Observation) -> dict[str, Any]:
    return {
        "what": observation.what,
        "state": observation.state.value,
        "observed": plain(observation.observed),
        "expected": plain(observation.expected),
        "show": observation.show,
        "reason": observation.reason,
    }


def _git(*arguments: str) -> str:
    if shutil.which("git") is None:  # a host that attests itself has none
        return ""
    command = ["git", "--no-optional-locks", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def commit() -> str:
    """The verifier's own, with `-dirty` where something is not committed."""
    # `describe --dirty` would write the index anew, which under sudo is the caller's.
    return (_git("describe", "--always") or "unknown") + ("-dirty" if _git("status", "--porcelain") else "")


def _versions() -> dict[str, str]:
    return {"commit": commit(), "python": platform.python_version(), "pytest": version("pytest")}


def register_changed() -> str:
    """When the register last did: its last commit, or the newest of its files where there is no history (a tarball)."""
    newest = max(path.stat().st_mtime for path in CONTROLS.glob("*.yml"))
    return _git("log", "-1", "--format=%cI", "--", "controls") or _utc(datetime.fromtimestamp(newest, UTC))


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def previous(folder: Path) -> dict[str, Any] | None:
    """The last run's results, where there are some that can be read."""
    try:
        found: dict[str, Any] = json.loads((folder / "latest" / "results.json").read_text())
    except (OSError, ValueError):
        return None
    return found if str(found.get("schema_version")).partition(".")[0] == SCHEMA_VERSION.partition(".")[0] else None


def write(folder: Path, files: dict[str, str], moment: datetime, *, latest: bool = True) -> Path:
    """Writes the files of one run into a folder of its own, which `latest` then names. Under sudo it belongs to the caller."""
    place = folder / moment.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    place.mkdir(parents=True, mode=0o755)
    for name, text in files.items():
        (place / name).write_bytes(text.encode())
        (place / name).chmod(0o600)
    if latest:
        link = folder / "latest"
        fresh = folder / f".latest.{os.getpid()}"
        fresh.symlink_to(place.name)
        fresh.replace(link)
    _give_to_the_caller(folder, place)
    return place


def _give_to_the_caller(folder: Path, place: Path) -> None:
    """Under sudo the evidence belongs to SUDO_USER, who asked for it."""
    user = os.environ.get("SUDO_USER")
    if not user or os.geteuid() != 0:
        return
    for path in (folder, place, *place.iterdir()):
        shutil.chown(path, user, None)
    latest = folder / "latest"
    if latest.is_symlink():
        seen = place.stat()
        os.chown(latest, seen.st_uid, seen.st_gid, follow_symlinks=False)
