"""Inside: what the host itself says that a rollback of its policy would do, and who can read what it kept for that."""

import grp
import json
import pwd
import stat
import subprocess
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, section

PROGRAM = "/usr/local/sbin/casemate-rollback"
KEPT = Path("/var/lib/casemate-as-found")


@section
def rollback(_parameters: Parameters) -> dict[str, Any]:
    """The plan, or the sentence with which it is refused; nothing of it is done."""
    kept = {path.name: _rights(path) for path in (KEPT, *sorted(KEPT.glob("*")))} if KEPT.exists() else {}
    if "never.json" in kept and "found.json" not in kept:
        return {"never": json.loads((KEPT / "never.json").read_text())["why"], "rights": kept}
    asked = subprocess.run([PROGRAM, "plan", "--json"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        return {"refused": asked.stderr.strip(), "rights": kept}
    return {"refused": "", "rights": kept, "plan": json.loads(asked.stdout)}


def _rights(path: Path) -> str:
    seen = path.lstat()
    return f"{pwd.getpwuid(seen.st_uid).pw_name}:{grp.getgrgid(seen.st_gid).gr_name} {stat.S_IMODE(seen.st_mode):04o}"
