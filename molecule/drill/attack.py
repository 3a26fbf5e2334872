"""As root of an appliance that was taken over, with every credential of its backups: what can be done to those on the backup host?

Runs on the appliance in the sending unit's place; prints a line for each try, and ends with 1 where one of them succeeded.
"""

import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

loader = SourceFileLoader("casemate_backup", "/usr/local/sbin/casemate-backup")
sys.dont_write_bytecode = True
backup = module_from_spec(spec_from_loader("casemate_backup", loader))
loader.exec_module(backup)


def snapshots() -> set[str]:
    return {
        line.split()[0]
        for line in backup.restic("snapshots", "--compact").splitlines()
        if len(line.split()) > 2 and len(line.split()[0]) == 8
    }


def restic(*arguments: str) -> str:
    try:
        return f"restic says {backup.restic(*arguments)!r}"
    except backup.Refused as refusal:
        return f"refused: {refusal}"


def shell(command: str, stdin: bytes = b"") -> str:
    done = subprocess.run([*backup.ssh(), command], input=stdin, capture_output=True)
    return f"{'done' if done.returncode == 0 else 'refused'}: {(done.stdout + done.stderr).decode(errors='replace').strip()[-200:]}"


before, succeeded = snapshots(), []
newest = sorted(before)[0]
for name, answer in {
    "forget a snapshot": restic("forget", newest),
    "forget all but one, and prune": restic("forget", "--keep-last", "1", "--prune"),
    "remove a key of the repository": restic("key", "remove", backup.restic("key", "list").split("*")[1].split()[0]),
    "a shell": shell("id"),
    "read the sealed keys": shell("cat /var/backups/casemate/*/keys/*"),
    "rclone with other arguments": shell("serve restic --stdio --config /notfound /", b"GET / HTTP/1.1\r\n\r\n"),
    "hand in what is no bundle of keys": shell("take-keys", b"ssh-ed25519 AAAA attacker"),
    "a port of the backup host": shell("-W 127.0.0.1:22"),
}.items():
    print(f"  {name}: {' '.join(answer.split())[:150]}")
    # restic forget ends well where the server let it delete nothing; what is gone is counted below.
    if name != "rclone with other arguments" and not answer.startswith("refused") and "0 / 1 files deleted" not in answer:
        succeeded.append(name)
if lost := before - snapshots():
    succeeded.append(f"snapshots {', '.join(sorted(lost))} are gone")
print(f"  {len(before)} snapshots before, and all of them after" if not lost else "")
if succeeded:
    sys.exit(f"succeeded: {'; '.join(succeeded)}")
