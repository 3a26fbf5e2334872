"""Outside, where the second host of a lab also takes the backups: what it keeps, for how long, and what it takes away."""

import json
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, on_request, output, section

PLACE = Path("/var/backups/casemate")
PROGRAM = "/usr/local/sbin/casemate-backup-server"
DAY = 86400


@section
def retention(_parameters: Parameters) -> dict[str, Any] | None:
    """Of each client: what thins out its snapshots, and when those arrived that are there. None where this is no backup host of a lab."""
    if not shutil.which("rclone") or not PLACE.is_dir():
        return None
    found = {}
    for client in output("sudo", "-n", "ls", str(PLACE)).split():
        shown = output("systemctl", "show", f"casemate-backup-thin@{client}.timer", "--property=ActiveState,UnitFileState")
        run = output("systemctl", "show", f"casemate-backup-thin@{client}.service", "--property=Result")
        arrived = output("sudo", "-n", "find", f"{PLACE}/{client}/repository/snapshots", "-type", "f", "-printf", "%T@ ").split()
        found[client] = {
            **dict(line.split("=", 1) for line in (shown + run).splitlines() if "=" in line),
            "older than two days": sum(time.time() - float(at) > 2 * DAY for at in arrived),
            "snapshots": len(arrived),
        }
    return found


@on_request
def stop_thinning_out(_parameters: Parameters) -> None:
    """What the probe does, as the backup host's administrator."""
    for client in output("sudo", "-n", "ls", str(PLACE)).split():
        output("sudo", "-n", "systemctl", "disable", "--now", f"casemate-backup-thin@{client}.timer")


@on_request
def retention_tried(_parameters: Parameters) -> dict[str, Any]:
    """A client that is nobody, for a moment: what would stay of 800 nights, and what goes of three real snapshots."""
    client = f"verifier-{secrets.token_hex(6)}"
    home, repository = PLACE / client, PLACE / client / "repository"
    key = output("sudo", "-n", "cat", "/etc/ssh/ssh_host_ed25519_key.pub").rsplit(" ", 1)[0]
    output("sudo", "-n", PROGRAM, "ensure", client, stdin=key)
    try:
        nights = _nights(client, repository)
        return {"nights": nights, **_three(client, repository)}
    finally:
        for gone in (home, f"/var/lib/casemate-backup-clients/{client}", f"/etc/credstore.encrypted/backup-thin-{client}"):
            output("sudo", "-n", "rm", "-rf", str(gone))
        output("sudo", "-n", "userdel", f"backup-{client}")


def _nights(client: str, repository: Path) -> dict[str, int]:
    """Each night of the last 800 days has a file that looks like a snapshot, and each noon another: how many stay, of which kind."""
    script = (
        "import os, pathlib, secrets, sys, time\n"
        "folder, now = pathlib.Path(sys.argv[1], 'snapshots'), time.time()\n"
        "folder.mkdir()\n"
        "midnight = now - now % 86400\n"
        "for day in range(3, 803):\n"
        "    for hour in (2.5, 12):\n"
        "        name = ('aa' if hour == 12 else 'bb') + secrets.token_hex(31)\n"
        "        (folder / name).touch()\n"
        "        os.utime(folder / name, (midnight - day * 86400 + hour * 3600,) * 2)\n"
    )
    output("sudo", "-n", "python3", "-c", script, str(repository))
    told = json.loads(output("sudo", "-n", PROGRAM, "plan", client, "--json"))
    reasons = [reason.split()[0] for one in told.values() for reason in one["stays"]]
    output("sudo", "-n", "rm", "-rf", f"{repository}/snapshots")
    return {
        "all": len(told),
        **{kind: reasons.count(kind) for kind in ("day", "week", "month")},
        "of noon": sum(name.startswith("aa") and bool(one["stays"]) for name, one in told.items()),
        "of the last two days": reasons.count("of"),
    }


def _three(client: str, repository: Path) -> dict[str, Any]:
    """Two of one day a month ago, and one that says that it is from 2001 and came just now."""
    password = output("sudo", "-n", PROGRAM, "password", client)
    as_client = ("sudo", "-n", "-u", f"backup-{client}", "bash", "-c", 'RESTIC_PASSWORD=$(cat) exec restic "$@" </dev/null', "restic")

    def restic(*arguments: str) -> str:
        return output(*as_client, "--repo", str(repository), "--no-cache", "--quiet", *arguments, stdin=password)

    def there() -> set[str]:
        return set(output("sudo", "-n", "ls", f"{repository}/snapshots").split())

    restic("init")
    noon = time.time() // DAY * DAY - 29.5 * DAY
    arrivals = {"of the night": noon - DAY / 3, "of noon": noon, "dated back": time.time()}
    made = {}
    for name, arrived in arrivals.items():
        before = there()
        dated = ["--time", "2001-01-01 00:00:00"] if name == "dated back" else []
        restic("backup", "--host", name, *dated, "/etc/hostname")
        (made[name],) = there() - before
        output("sudo", "-n", "touch", "-d", f"@{int(arrived)}", f"{repository}/snapshots/{made[name]}")
    output("sudo", "-n", "systemctl", "start", f"casemate-backup-thin@{client}.service", timeout=120)
    return {"made": sorted(made), "stayed": sorted(name for name, identifier in made.items() if identifier in there())}
