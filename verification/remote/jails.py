"""Inside, active: what the filters of the jails make of lines that are really in the journal; fail2ban's own program reads them there."""

import json
import re
import secrets
import subprocess

from verification.remote.sections import Parameters, on_request, output

# Each line has a process number of its own: fail2ban takes those of one process for one conversation. Who writes stays until its lines are
# in the journal, since journald looks late at whose they are.
WRITES = """
import json, subprocess, sys, time
from systemd import journal
unit, lines = sys.argv[1], json.load(sys.stdin)
for number, (program, line) in enumerate(lines, 1):
    journal.send(line, SYSLOG_IDENTIFIER=program, SYSLOG_PID=str(number))
for _try in range(150):
    asked = ["journalctl", "-q", "-o", "json", "--no-pager", f"_SYSTEMD_UNIT={unit}"]
    if len(subprocess.run(asked, capture_output=True, text=True).stdout.splitlines()) >= len(lines):
        break
    time.sleep(0.2)
"""


@on_request
def filtered(parameters: Parameters) -> dict[str, list[str]]:
    """Of each jail's collection, a list of programs and lines: the address that the jail finds in each line, or nothing."""
    return {jail: _found(jail, lines) for jail, lines in parameters["collections"].items()}


def _found(jail: str, lines: list[list[str]]) -> list[str]:
    unit = f"casemate-trial-{secrets.token_hex(4)}"
    argv = [
        "systemd-run",
        "--quiet",
        "--wait",
        "--collect",
        "--pipe",
        f"--unit={unit}",
        "/usr/bin/python3",
        "-c",
        WRITES,
        f"{unit}.service",
    ]
    subprocess.run(argv, input=json.dumps(lines), text=True, capture_output=True, check=True, timeout=120)
    match = f"_SYSTEMD_UNIT={unit}.service"
    there = [json.loads(entry)["MESSAGE"] for entry in output("journalctl", "-q", "-o", "json", "--no-pager", match).splitlines()]
    if there != [line for _program, line in lines]:
        raise RuntimeError(f"{len(there)} lines for the jail {jail} are in the journal; {len(lines)} were written")
    # By the jail's name it reads what jail.local adds to the filter, too.
    said = output("fail2ban-regex", "-o", "<ip> <msg>", "-m", match, "systemd-journal", jail)
    found = [""] * len(lines)
    for line in said.splitlines():
        if seen := re.match(r"(\S+) .*?\S+\[(\d+)\]: ", line):
            found[int(seen[2]) - 1] = seen[1]
    return found
