"""Inside: what leaves this host for the collector of logs, how far that is, and what a trial writes to see it arrive."""

import json
import re
import socket
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, on_request, output, section

CONFIGURATION, STATE = Path("/etc/casemate/forward/forward.json"), Path("/var/lib/casemate-forward/state.json")
UNIT = "casemate-forward.service"
JOURNALS: dict[str, tuple[str, ...]] = {"journal": (), "casemate-audit": ("--namespace=casemate-audit",)}
FIELDS = "--output-fields=MESSAGE"


@section
def forwarding(_parameters: Parameters) -> dict[str, Any]:
    """Where the lines go, and how long the oldest waits that the collector has not confirmed: from the journals, and not from who sends."""
    if not CONFIGURATION.exists():
        return {"to": {}, "confirmed": False, "minutes": 0.0}
    state: dict[str, Any] = json.loads(STATE.read_text()) if STATE.exists() else {}
    places = state.get("places", {})
    waiting = [_next(places.get(name) or "", *which) for name, which in JOURNALS.items()]
    oldest = min((at for at in waiting if at), default=time.time())
    # What was written before there was a collector waits since there is one.
    since = max(oldest, CONFIGURATION.stat().st_mtime)
    return {"to": json.loads(CONFIGURATION.read_text()), "confirmed": bool(state), "minutes": round((time.time() - since) / 60, 2)}


@on_request
def said(parameters: Parameters) -> dict[str, list[str]]:
    """Has services write a line with the marker (who asked for its page was outside), or takes the newest line of one that nobody can ask:
    by service, what that line has."""
    marker = parameters["marker"]
    subprocess.run(["mariadb", f"--user={marker}", "--execute=SELECT 1"], capture_output=True, check=False)
    subprocess.run(["sudo", "--non-interactive", "--user=nobody", "true", marker], capture_output=True, check=False)
    return {
        "nginx": ['log="access"', marker],
        "the application": ['unit="casemate.service"', marker],
        "MariaDB": ['unit="mariadb.service"', marker],
        "sudo": [" sudo ", marker],
        "the limiter": ['unit="casemate-limiter.service"', _stamp("_SYSTEMD_UNIT=casemate-limiter.service")],
        "the audit log": ['log="casemate-audit"', _stamp("--namespace=casemate-audit")],
    }


@on_request
def written(parameters: Parameters) -> str:
    """Writes a line and has it sent at once, whatever the pause is that an earlier failure waits out: what the sender says of that."""
    began = time.time()
    subprocess.run(["logger", "--tag", "casemate-verifier", parameters["marker"]], check=True)
    output("systemctl", "restart", UNIT)
    # Its own lines since: the one before it may have said of the same second that the collector went away.
    own = [f"_SYSTEMD_INVOCATION_ID={output('systemctl', 'show', '--property=InvocationID', '--value', UNIT).strip()}"]
    while time.time() - began < parameters["seconds"]:
        shown = output("journalctl", "-q", "-o", "cat", *own, ok=(0, 1))
        if found := re.search(r"takes nothing: (.*)\. The logs wait", shown):
            return found[1]
        time.sleep(0.3)
    return "nothing"


def _next(cursor: str, *which: str) -> float | None:
    """When the first line after this place was written."""
    after = [f"--after-cursor={cursor}"] if cursor else []
    shown = subprocess.run(
        ["bash", "-o", "pipefail", "-c", 'journalctl "$@" | head -n 1', "-", "-q", "-o", "json", FIELDS, *which, *after],
        capture_output=True,
        text=True,
        check=False,
    )
    return int(json.loads(shown.stdout)["__REALTIME_TIMESTAMP"]) / 1e6 if shown.stdout.strip() else None


def _stamp(*which: str) -> str:
    """The time of the newest line, as syslog writes it."""
    shown = output("journalctl", "-q", "-n", "1", "-o", "json", FIELDS, *which, ok=(0, 1)).strip()
    if not shown:
        return "no line"
    at = int(json.loads(shown)["__REALTIME_TIMESTAMP"]) / 1e6
    return f"{datetime.fromtimestamp(at, UTC).strftime('%Y-%m-%dT%H:%M:%S.%f')}Z {socket.gethostname()}"
