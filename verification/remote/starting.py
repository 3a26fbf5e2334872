"""Inside: starts of the application beside the one that runs, each with something missing or wrong."""

import base64
import json
import secrets
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from verification.remote.sections import OWN_UNITS, Parameters, on_request, output

UNITS = Path("/etc/systemd/system")
SERVICE, SANDBOX = UNITS / "casemate.service", UNITS / "casemate.service.d" / "sandbox.conf"
OF_A_START = ("User", "Group", "EnvironmentFile", "Environment", "MemoryMax", "TasksMax")
BUNDLE = "/etc/casemate/pki/database/bundle.crt"
ANOTHER_NAME = "another.casemate.internal"


@on_request
def refused_starts(_parameters: Parameters) -> dict[str, dict[str, Any]]:
    """What became of a start with everything, without each credential, and with each mistake about the database and the secrets.

    gunicorn loads the application as for the service, under the same user, in the same sandbox, and takes no request. A few side by
    side: each takes a second of a processor.
    """
    loads = _lines(SERVICE, "LoadCredential", "LoadCredentialEncrypted")
    starts = {"everything": loads, **{f"without {_named(left_out)}": [line for line in loads if line != left_out] for left_out in loads}}
    with tempfile.TemporaryDirectory(prefix="casemate-verifier-", dir="/run") as folder:
        Path(folder).chmod(0o755)
        starts |= _mistakes(Path(folder), loads)
        with ThreadPoolExecutor(max_workers=3) as pool:
            return dict(zip(starts, pool.map(_start, starts.values()), strict=True))


def _mistakes(folder: Path, loads: list[str]) -> dict[str, list[str]]:
    """What a start is given where somebody made a mistake, with the files for it."""
    other = folder / "other.crt"
    subject = ["-subj", "/CN=another authority", "-days", "1", "-keyout", f"{folder}/other.key", "-out", str(other)]
    output("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject)
    nothing, hosts = folder / "nothing", folder / "hosts"
    nothing.mkdir(mode=0o755)
    # The same server, by a name that its certificate does not carry.
    hosts.write_text(f"{Path('/etc/hosts').read_text()}\n127.0.0.1 {ANOTHER_NAME}\n")
    for file in (other, hosts):
        file.chmod(0o644)
    # The last file that names a variable wins.
    for name, host in (("named.env", ANOTHER_NAME), ("socket.env", "localhost"), ("address.env", "127.0.0.1")):
        (folder / name).write_text(f"CASEMATE_DATABASE_HOST={host}\n")

    def instead(name: str, value: str) -> list[str]:
        """The lines with another value of one credential."""
        file = folder / secrets.token_hex(4)
        file.touch(mode=0o600)
        file.write_text(value)
        return [*(line for line in loads if _named(line) != name), f"LoadCredential={name}:{file}"]

    return {
        "a database of another authority": [*loads, f"BindReadOnlyPaths={other}:{BUNDLE}"],
        "a missing file of the authority": [*loads, f"BindReadOnlyPaths={nothing}:{Path(BUNDLE).parent}"],
        "another name of the database": [*loads, f"BindReadOnlyPaths={hosts}:/etc/hosts", f"EnvironmentFile={folder}/named.env"],
        "the database's socket": [*loads, f"EnvironmentFile={folder}/socket.env"],
        "the database's address": [*loads, f"EnvironmentFile={folder}/address.env"],
        "a key of 49 characters": instead("django-secret-key", secrets.token_urlsafe(64)[:49]),
        "Django's key of a tutorial": instead("django-secret-key", f"django-insecure-{secrets.token_urlsafe(64)}"),
        "Django's key of two letters": instead("django-secret-key", "ab" * 32),
        "a password of 20 characters for the database": instead("database-app-password", secrets.token_urlsafe(64)[:20]),
        "the limiter's password of a sample": instead("limiter-app-password", f"changeme-{secrets.token_urlsafe(32)}"),
        "a key of zeros for the vault": instead("keyring-keks", _keys(bytes(32))),
        "a sentence as the key of the audit log": instead("audit-keys", _keys(b"This-is-an-example-of-a-key, 42!")),
    }


def _keys(key: bytes) -> str:
    return json.dumps({"1": base64.b64encode(key).decode()})


def _named(load: str) -> str:
    """The name of the credential that a line loads."""
    return load.partition("=")[2].partition(":")[0]


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
