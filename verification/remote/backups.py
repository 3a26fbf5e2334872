"""Inside: what this host sent, what the repository says of it, and what lies around."""

import json
import secrets
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from verification.remote.sections import OWN_UNITS, Parameters, output, section

SETTINGS = Path("/etc/casemate/backup.json")
SENT = Path("/var/lib/casemate-backup/sent")
CREDENTIALS = ("backup-repository-password", "backup-ssh-key")
# In the sending unit's place, since no other account reaches the backup host or holds the credentials.
ASK = """
import json, subprocess, sys
from pathlib import Path
credentials, settings = Path(sys.argv[1]), json.loads(Path("/etc/casemate/backup.json").read_text())
server = settings["server"]
ssh = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/etc/casemate/backup_known_hosts"
ssh += f" -o IdentitiesOnly=yes -o ConnectTimeout=15 -i {credentials}/backup-ssh-key"
ssh += f" -p {server['port']} {server['account']}@{server['address']}"
def restic(password, *arguments):
    command = ["restic", "-o", f"rclone.program={ssh}", "--repo", "rclone:repository", "--no-cache", "--no-lock", *arguments]
    done = subprocess.run([*command, "--password-file", "/dev/stdin"], input=password, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else "refused: " + " ".join(done.stderr.split())[-300:]
print(json.dumps({
    "snapshots": restic((credentials / "backup-repository-password").read_text(), "snapshots", "--json"),
    "another password": restic("another password\\n", "cat", "config"),
    "a shell": subprocess.run([*ssh.split(), "id"], capture_output=True, text=True).stdout,
}))
"""


@section
def backups(_parameters: Parameters) -> dict[str, Any]:
    if not SETTINGS.is_file():
        raise RuntimeError("this host sends none: put it into the group backup (roles/backup/README.md)")
    said = json.loads(asked())
    if said["snapshots"].startswith("refused"):
        raise RuntimeError(said["snapshots"])
    snapshots = json.loads(said["snapshots"]) or []
    known = [line.split()[:2] for line in SENT.read_text().splitlines()] if SENT.is_file() else []
    newest = max((datetime.fromisoformat(entry["time"]).timestamp() for entry in snapshots), default=0.0)
    return {
        "snapshots": len(snapshots),
        "hours since the newest": round((time.time() - newest) / 3600, 2),
        "sent": len(known),
        "missing": sorted(_staying(known, time.time()) - {str(entry["id"]) for entry in snapshots}),
        "another password": "wrong password" in said["another password"],
        "a shell": said["a shell"],
    }


def _staying(sent: list[list[str]], now: float) -> set[str]:
    """Of these times and ids those that the backup host keeps: the last two days, and the first of a day, a week, a month."""
    times = sorted((datetime.fromisoformat(at), identifier) for at, identifier in sent)
    stay = {identifier for at, identifier in times if now - at.timestamp() < 47 * 3600}  # the backup host counts from its arrival
    for form, count in (("%Y-%m-%d", 7), ("%G-W%V", 5), ("%Y-%m", 12)):
        first = {at.strftime(form): identifier for at, identifier in reversed(times)}
        stay |= {first[period] for period in sorted(first)[-count:]}
    return stay


@section
def copies(parameters: Parameters) -> dict[str, Any]:
    """Where a copy of the database lies that somebody could carry away; and whether the marks of one are to be found in the database."""
    folders = [Path("/var/lib/casemate-backup-data"), Path("/var/lib/casemate-backup-keys")]
    left = [str(path) for folder in folders if folder.is_dir() for path in folder.iterdir()]
    names = ["-name", "ibdata1", "-o", "-name", "*.sql", "-o", "-name", "*.sql.*", "-o", "-name", "*.dump"]
    places = [place for place in ("/var", "/home", "/root", "/srv", "/tmp", "/opt") if Path(place).is_dir()]  # noqa: S108 (they are read)
    found = output("find", *places, "-xdev", "-type", "f", "(", *names, ")", ok=(0, 1)).splitlines()
    own = ("/var/lib/mysql/", "/var/lib/mysql.before-restore-", "/opt/casemate/releases/")
    marks = {mark: bool(output("grep", "-rlaF", mark, "/var/lib/mysql", ok=(0, 1))) for mark in parameters["marks"]}
    return {"copies": sorted(left + [path for path in found if not path.startswith(own)]), "marks in the database": marks}


def asked() -> str:
    loads = [part for name in CREDENTIALS for part in ("-p", f"LoadCredentialEncrypted={name}:/etc/credstore.encrypted/{name}")]
    name = f"--unit={OWN_UNITS}{secrets.token_hex(4)}"
    unit = ["systemd-run", name, "--quiet", "--wait", "--pipe", "--collect", "-p", "User=casemate-backup", "-p", "PrivateTmp=yes", *loads]
    folder = "${CREDENTIALS_DIRECTORY}"
    return output(*unit, "-p", "Environment=HOME=/tmp", "/bin/sh", "-c", f'exec python3 - "{folder}"', stdin=ASK, timeout=120)
