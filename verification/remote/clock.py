"""Inside: what chronyd says of the time, of where it comes from, and of who vouches for that."""

from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, output, section

SOCKET = "/run/chrony/chronyd.sock"


@section
def clock(_parameters: Parameters) -> dict[str, Any]:
    tracking = _report("tracking")[0]
    # By the names that the configuration has: what a name led to is another matter.
    reach = {row[2]: row for row in _report("sources")}
    vouched = {row[0]: row for row in _report("authdata")}
    sources = {
        name: {
            "agrees": row[1] in "*+-" and int(row[5], 8) > 0,
            "authenticated": vouched.get(name, ["", "-"])[1] == "NTS" and int(vouched[name][8]) > 0,
        }
        for name, row in reach.items()
    }
    return {
        "sources": sources,
        "synchronised": tracking[13] != "Not synchronised",
        "seconds off": abs(float(tracking[4])),
        "daemons": sorted(_commands({"chronyd", "systemd-timesyncd", "systemd-timesyn", "ntpd", "openntpd"})),
    }


@section
def time_command(_parameters: Parameters) -> str:
    """What the look at the clock runs, as systemd has it."""
    shown = output("systemctl", "show", "casemate-time.service", "--property=ExecStart", "--value")
    return shown.partition("argv[]=")[2].partition(" ;")[0].strip()


def _report(name: str) -> list[list[str]]:
    return [line.split(",") for line in output("chronyc", "-c", "-N", "-h", SOCKET, name).splitlines()]


def _commands(names: set[str]) -> set[str]:
    """How the programs of these names were started; chronyd's helper has the same line."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() in names:
                found.add((folder / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found
