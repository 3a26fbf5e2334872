#!/usr/bin/env python3
"""What the controller does of a restore: it alone holds the escrow's identity, and it changes nothing anywhere until all is proved.

restore.py prove    is there a snapshot, does the identity open its keys, are they the ones that it was made with?
                    prints {"snapshot", "manifest", "credentials"}
restore.py bring    streams the snapshot's database from the backup host to the new host

Standard input, JSON: {"identity": PATH, "client": NAME, "server": [ssh, ...], "snapshot": "latest" or ID}; for bring {"password", "client",
"server", "snapshot", "host": [ssh, ...]}. Each refusal is one sentence. Secrets go through pipes alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BACKUPS = "/var/backups/casemate"
MANIFEST = "/run/casemate-backup/manifest.json"
DATABASE = "/var/lib/casemate-backup-data/db"
FORMAT = 1
Plan = dict[str, Any]


class Refused(Exception):
    """A sentence for the operator."""


def on_server(plan: Plan, *command: str) -> subprocess.CompletedProcess[bytes]:
    """A command on the backup host, over the operator's own connection and as the account that owns this client's backups."""
    words = ["sudo", "-n", "-u", f"backup-{plan['client']}", *command]
    return subprocess.run([*plan["server"], shlex.join(words)], stdin=subprocess.DEVNULL, capture_output=True)


# -- keys ---------------------------------------------------------------------------------------------------------------------


def names_of_bundles(plan: Plan) -> list[str]:
    """The newest first; the backup host gave the names by its own clock."""
    listed = on_server(plan, "ls", "-1", f"{BACKUPS}/{plan['client']}/keys")
    said = listed.stderr.decode().strip()
    if listed.returncode == 255:
        raise Refused(f"the backup host does not answer: {said}")
    if listed.returncode or not listed.stdout.split():
        raise Refused(f"the backup host holds no keys of {plan['client']} ({said or 'the folder is empty'}); restore_client says whose.")
    return sorted((name for name in listed.stdout.decode().split() if name.endswith(".age")), reverse=True)


def opened(plan: Plan, name: str) -> tuple[dict[str, str], str]:
    """The keys of a bundle, and the bundle's SHA-256."""
    if not re.fullmatch(r"keys-[0-9TZ]+-[0-9a-f]{12}\.age", name):
        raise Refused(f"{name!r} is no name of a bundle of keys.")
    fetched = on_server(plan, "cat", f"{BACKUPS}/{plan['client']}/keys/{name}")
    if fetched.returncode:
        raise Refused(f"the backup host does not hold {name}, with which the snapshot was made: {fetched.stderr.decode().strip()}")
    done = subprocess.run(["age", "--decrypt", "--identity", plan["identity"]], input=fetched.stdout, capture_output=True)
    if done.returncode:
        words = done.stderr.decode().strip().splitlines()[0].removeprefix("age: error: ") if done.stderr else "it said nothing"
        raise Refused(f"the identity {plan['identity']} does not open {name} ({words}): it is another escrow's, or the file is damaged.")
    try:
        bundle = json.loads(done.stdout)
        keys = {str(key): str(value) for key, value in bundle["keys"].items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Refused(f"{name} opens, and what it holds is no bundle of keys.") from error
    if bundle.get("format") != FORMAT:
        raise Refused(f"{name} has format {bundle.get('format')}; this checkout knows {FORMAT}. Restore with the release that made it.")
    if "backup-repository-password" not in keys:
        raise Refused(f"{name} holds no backup-repository-password: the repository cannot be opened with it.")
    return keys, hashlib.sha256(fetched.stdout).hexdigest()


def fingerprints(name: str, value: str) -> dict[str, str]:
    """As files/backup/casemate-backup makes them."""
    try:
        parts = json.loads(value)
    except ValueError:
        parts = None
    entries = parts if isinstance(parts, dict) else {"": value}
    return {key: hashlib.sha256(f"casemate-backup|{name}|{key}|{part}".encode()).hexdigest()[:32] for key, part in entries.items()}


# -- repository ---------------------------------------------------------------------------------------------------------------


@contextmanager
def through_a_pipe(secret: str) -> Iterator[int]:
    """A file descriptor that gives the secret once."""
    reading, writing = os.pipe()
    try:
        os.write(writing, secret.encode())
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def restic_command(plan: Plan, descriptor: int, *arguments: str) -> list[str]:
    place = f"{BACKUPS}/{plan['client']}/repository"
    program = shlex.join([*plan["server"], f"sudo -n -u backup-{plan['client']} rclone --config /notfound"])
    options = ["-o", f"rclone.program={program}", "-o", "rclone.args=serve restic --stdio --append-only", "--repo", f"rclone:{place}"]
    return ["restic", *options, "--no-cache", "--no-lock", "--password-file", f"/dev/fd/{descriptor}", *arguments]


def restic(plan: Plan, password: str, *arguments: str) -> bytes:
    with through_a_pipe(password) as descriptor:
        done = subprocess.run(restic_command(plan, descriptor, *arguments), capture_output=True, pass_fds=[descriptor])
    if done.returncode:
        said = " ".join(done.stderr.decode().split())
        if "wrong password or no key found" in said:
            raise Refused(f"the password in the keys of {plan['client']} does not open the repository: it belongs to another installation.")
        if "Is there a repository" in said or "does not exist" in said:
            raise Refused(f"the backup host holds no repository of {plan['client']}.")
        raise Refused(f"restic {arguments[0]} failed: {said[-400:]}")
    return done.stdout


def chosen_snapshot(plan: Plan, password: str) -> str:
    snapshots = json.loads(restic(plan, password, "snapshots", "--json", "--tag", "casemate", "--host", plan["client"])) or []
    if not snapshots:
        raise Refused(f"the repository holds no snapshot of {plan['client']}.")
    snapshots.sort(key=lambda entry: str(entry["time"]))
    wanted = str(plan["snapshot"])
    if wanted == "latest":
        return str(snapshots[-1]["id"])
    found = [str(entry["id"]) for entry in snapshots if len(wanted) >= 6 and str(entry["id"]).startswith(wanted)]
    if len(found) != 1:
        newest = ", ".join(f"{entry['id'][:8]} ({entry['time'][:16]})" for entry in snapshots[-5:])
        raise Refused(f"there is no one snapshot {wanted!r} of {plan['client']}; the newest are {newest}.")
    return found[0]


def prove(plan: Plan) -> dict[str, Any]:
    identity = Path(plan["identity"])
    if not identity.is_file():
        raise Refused(f"there is no identity {identity}: give the escrow's private half, as age-keygen made it (IDENTITY=/path/to/it).")
    newest, newest_sum = opened(plan, name := names_of_bundles(plan)[0])
    snapshot = chosen_snapshot(plan, newest["backup-repository-password"])
    try:
        manifest = json.loads(restic(plan, newest["backup-repository-password"], "dump", snapshot, MANIFEST))
        bundle, wanted = manifest["bundle"], manifest["keys"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"the snapshot {snapshot[:8]} has no manifest that can be read: it is no whole backup.") from error
    if manifest.get("format") != FORMAT:
        raise Refused(f"the snapshot {snapshot[:8]} has format {manifest.get('format')}; this checkout knows {FORMAT}.")
    keys, found_sum = (newest, newest_sum) if bundle["name"] == name else opened(plan, str(bundle["name"]))
    if found_sum != bundle["sha256"]:
        raise Refused(
            f"{bundle['name']} on the backup host is not the bundle that the snapshot {snapshot[:8]} was sent with: it was changed there."
        )
    for key, prints in wanted.items():
        if fingerprints(key, keys.get(key, "")) != prints:
            raise Refused(f"the {key} in {bundle['name']} is not that of the snapshot {snapshot[:8]}: what it sealed would stay shut.")
    return {"snapshot": snapshot, "manifest": manifest, "credentials": {key: keys[key] for key in wanted}}


def bring(plan: Plan) -> dict[str, Any]:
    with through_a_pipe(plan["password"]) as descriptor:
        command = restic_command(plan, descriptor, "dump", "--archive", "tar", plan["snapshot"], DATABASE)
        with tempfile.TemporaryFile() as words:
            reading = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words, pass_fds=[descriptor])
            receive = [*plan["host"], "sudo -n /usr/local/sbin/casemate-restore receive"]
            writing = subprocess.Popen(receive, stdin=reading.stdout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if reading.stdout:  # where the host ends early, restic must notice
                reading.stdout.close()
            answer = " ".join((writing.communicate()[0] or "").split())
            reading.wait()
            words.seek(0)
            said = " ".join(words.read().decode(errors="replace").split())
    if writing.returncode:
        raise Refused(f"the host did not take the database: {answer[-400:]}")
    if reading.returncode:
        raise Refused(f"the snapshot could not be read to its end: {said[-400:]}. The database of the host is as it was.")
    return {"said": answer}


def main() -> int:
    commands = {"prove": prove, "bring": bring}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        print(__doc__)
        return 2
    try:
        print(json.dumps(commands[sys.argv[1]](json.load(sys.stdin))))
    except (Refused, OSError) as refusal:
        print(f"restore: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
