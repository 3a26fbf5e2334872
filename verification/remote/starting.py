"""Inside: starts of the application beside the one that runs, each with something missing."""

import secrets
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from verification.remote.sections import OWN_UNITS, Parameters, on_request, output

UNITS = Path("/etc/systemd/system")
SERVICE, SANDBOX = UNITS / "casemate.service", UNITS / "casemate.service.d" / "sandbox.conf"
OF_A_START = ("User", "Group", "EnvironmentFile", "Environment", "MemoryMax", "TasksMax")
BUNDLE = "/etc/casemate/pki/database/bundle.crt"


@on_request
def refused_starts(_parameters: Parameters) -> dict[str, dict[str, Any]]:
    """What became of a start with everything, without each credential, and with an authority that the database's certificate is not of.

    gunicorn loads the application as for the service, under the same user, in the same sandbox, and takes no request.
    """
    loads = _lines(SERVICE, "LoadCredential", "LoadCredentialEncrypted")
    tried = {"everything": _start(loads)}
    for left_out in loads:
        name = left_out.partition("=")[2].partition(":")[0]
        tried[f"without {name}"] = _start(line for line in loads if line != left_out)
    with tempfile.TemporaryDirectory(prefix="casemate-verifier-", dir="/run") as folder:
        Path(folder).chmod(0o755)
        other = Path(folder, "other.crt")
        subject = ["-subj", "/CN=another authority", "-days", "1", "-keyout", f"{folder}/other.key", "-out", str(other)]
        output("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject)
        other.chmod(0o644)
        tried["a database of another authority"] = _start([*loads, f"BindReadOnlyPaths={other}:{BUNDLE}"])
    return tried


@on_request
def starts_with_features(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """What became of a start with each of these texts as what pages may use of devices."""
    loads, tried = _lines(SERVICE, "LoadCredential", "LoadCredentialEncrypted"), {}
    with tempfile.TemporaryDirectory(prefix="casemate-verifier-", dir="/run") as folder:
        # The last file that names a variable wins.
        more = Path(folder, "features.env")
        for name, text in parameters["tried"].items():
            more.write_text(f'CASEMATE_ALLOWED_FEATURES="{text}"\n')
            tried[name] = _start([*loads, f"EnvironmentFile={more}"])
    return tried


def _start(more: Iterable[str]) -> dict[str, Any]:
    """Exit status and last words."""
    (program,) = (line.partition("=")[2].split() for line in _lines(SERVICE, "ExecStart"))
    properties = [*_lines(SERVICE, *OF_A_START), *_lines(SANDBOX), *more]
    unit = ["systemd-run", f"--unit={OWN_UNITS}{secrets.token_hex(4)}", "--quiet", "--wait", "--pipe", "--collect"]
    command = [*unit, *(f"--property={line}" for line in properties), "--", *program, "--check-config"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return {"status": ran.returncode, "says": (ran.stdout + ran.stderr).strip()[-600:]}


def _lines(file: Path, *only: str) -> list[str]:
    """A unit's directives, or those of these names."""
    lines = (line.strip() for line in file.read_text().splitlines())
    found = [line for line in lines if "=" in line and not line.startswith(("#", "[", ";"))]
    return [line for line in found if not only or line.partition("=")[0] in only]
