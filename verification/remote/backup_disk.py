"""Outside, where the second host of a lab also takes the backups: what its disk shows."""

import shutil
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, output, section


@section
def backup_disk(parameters: Parameters) -> dict[str, Any] | None:
    """On the second host of a lab, which takes the backups: what of the database can be read on its disk. None where it does not."""
    if not shutil.which("rclone") or not Path("/var/backups/casemate").is_dir():
        return None
    files = output("sudo", "-n", "find", "/var/backups/casemate", "-type", "f").splitlines()
    places = ["/var/backups", "/var/lib/casemate-backup-clients", "/var/tmp", "/tmp"]  # noqa: S108 (they are read)
    read = {mark: output("sudo", "-n", "grep", "-rlaF", mark, *places, ok=(0, 1)).splitlines() for mark in parameters["marks"]}
    return {"files": len(files), "read": {mark: paths for mark, paths in read.items() if paths}}
