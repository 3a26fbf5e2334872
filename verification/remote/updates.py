"""Inside: whether security updates arrive. Read from apt's lists and dpkg themselves: the host's own look (casemate-updates) asks apt."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, on_request, output, section

LISTS = Path("/var/lib/apt/lists")
STAMP = Path("/var/lib/apt/periodic/update-stamp")  # apt's daily run touches it when all lists were fetched
SEEN = Path("/var/lib/casemate-updates/seen.json")
REBOOT = Path("/run/reboot-required")
DAY = 86400
SETTINGS = ("APT::Periodic", "Unattended-Upgrade", "Casemate", "APT::Get::AllowUnauthenticated", "Acquire::Allow", "DPkg::Options")


@section
def updates(parameters: Parameters) -> dict[str, Any]:
    """What apt is told, when it fetched its lists, and which security updates they offer that this host does not have."""
    archives = list(_security_archives())
    pattern = "${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Abbrev}\\n"
    rows = [line.split("\t") for line in output("dpkg-query", "-W", "-f", pattern).splitlines()]
    return {
        "settings": _settings(output("apt-config", "dump")),
        "units": _units(parameters["update_units"]),
        "archives": sorted({release.partition("_dists_")[2] for release in archives}),
        "lists are days old": _days(_fetched()),
        "pending": _pending(archives, {(name, arch): version for name, arch, version, state in rows if state[1:2] == "i"}),
        "held": sorted(name for name, _architecture, _version, state in rows if state[:1] == "h"),
        "a reboot waits for days": _days(REBOOT.stat().st_mtime) if REBOOT.exists() else 0.0,
    }


@on_request
def upgrade_rehearsed(_parameters: Parameters) -> dict[str, Any]:
    """What Debian's own program says that it would do now. It installs nothing; it fetches what it would install."""
    ran = subprocess.run(["unattended-upgrade", "--dry-run", "--verbose"], capture_output=True, text=True, check=False, timeout=280)
    allowed = re.search(r"Allowed origins are: (.*)", ran.stdout + ran.stderr)
    return {"status": ran.returncode, "origins": allowed[1].strip() if allowed else ""}


def _settings(dump: str) -> dict[str, list[str]]:
    """What `apt-config dump` says, lists with all their values; what is set to nothing is not set."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'^(\S+?)(?:::)? "(.*)";$', dump, re.MULTILINE):
        if value and name.startswith(SETTINGS):
            found.setdefault(name, []).append(value)
    return found


def _units(names: list[str]) -> dict[str, dict[str, str]]:
    shown = output("systemctl", "show", *names, "--property=Id,LoadState,UnitFileState,ActiveState,SubState,NextElapseUSecRealtime")
    found = {}
    for block in shown.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines())
        # systemd sets a timer's next run when the one that lasts has ended.
        runs_now = values["Id"].endswith(".timer") and values["SubState"] == "running"
        found[values["Id"]] = {
            "loaded": values["LoadState"],
            "enabled": values["UnitFileState"],
            "state": values["ActiveState"],
            "next run": "set" if values.get("NextElapseUSecRealtime") or runs_now else "none",
        }
    return found


def _security_archives() -> Iterator[str]:
    """The names, as apt's list files begin with them, of the archives that Debian labels so."""
    for path in sorted([*LISTS.glob("*_InRelease"), *LISTS.glob("*_Release")]):
        head = path.read_text(errors="replace")[:2000]
        if re.search(r"^Label: Debian-Security$", head, re.MULTILINE):
            yield path.name.rpartition("_")[0]


def _fetched() -> float:
    places = [place for place in (STAMP, LISTS) if place.exists()]
    return max([*(place.stat().st_mtime for place in places), *(path.stat().st_ctime for path in LISTS.glob("*InRelease"))], default=0.0)


def _pending(archives: list[str], installed: dict[tuple[str, str], str]) -> dict[str, dict[str, Any]]:
    """Each installed package of which a security archive has a newer version, whatever pins or holds say of it, and for how many days."""
    known: dict[str, float] = json.loads(SEEN.read_text()) if SEEN.exists() else {}
    found: dict[str, dict[str, Any]] = {}
    for archive in archives:
        for path in sorted(LISTS.glob(f"{archive}_*_Packages*")):
            for name, architecture, version in _offered(path):
                held = installed.get((name, architecture), version)
                if held != version and _older(held, version) and _older(found.get(name, {}).get("offered", ""), version):
                    # One that the host has not seen yet is as old as the file that offers it.
                    days = _days(known.get(f"{name} {version}", path.stat().st_ctime))
                    found[name] = {"installed": held, "offered": version, "days": days}
    return found


def _offered(path: Path) -> Iterator[tuple[str, str, str]]:
    text = path.read_text() if path.name.endswith("_Packages") else output("/usr/lib/apt/apt-helper", "cat-file", str(path))
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Architecture|Version): (\S+)$", stanza, re.MULTILINE))
        if len(fields) == 3:
            yield fields["Package"], fields["Architecture"], fields["Version"]


def _older(one: str, other: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", one, "lt", other], check=False).returncode == 0


def _days(since: float) -> float:
    return round((time.time() - since) / DAY, 1)
