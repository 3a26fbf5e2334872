"""Inside: what a host's secrets are like; what the program that makes them does in stores that are thrown away; secrets in a text.

Whatever is made or opened here stays here: what leaves this host are lengths, counts and names.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

from verification.remote.database import TLS, TRY, as_account
from verification.remote.processes import credentials, single_values
from verification.remote.sections import Parameters, on_request, output, section

PROGRAM = "/usr/local/sbin/casemate-credentials"
STORE, NAMES = Path("/etc/credstore.encrypted"), Path("/etc/casemate/credentials.yml")
KEY = "django-secret-key"
MEMORY = "/run"  # what lies there is on no disk
# The program as it is, in an interpreter whose random source says what is known beforehand.
FROM_A_KNOWN_SOURCE = """
import os, runpy, sys
program, first = sys.argv[1], int(sys.argv[2])
os.urandom = lambda wanted: bytes((first + 7 * place) % 256 for place in range(wanted))
sys.argv = [program, "ensure"]
runpy.run_path(program, run_name="__main__")
"""


@section
def database_passwords(parameters: Parameters) -> dict[str, Any]:
    """Of each account's password: the bytes that it stands for, and what the server says to who comes with it."""
    accounts = list(parameters["statements"])
    values = {account: opened(STORE, of_account(account)) for account in accounts}
    with ThreadPoolExecutor(max_workers=3) as pool:
        said = dict(zip(accounts, pool.map(welcomed, accounts), strict=True))
    return {
        "bytes": {account: len(drawn(value)) for account, value in values.items()},
        "different bytes": {account: len(set(drawn(value))) for account, value in values.items()},
        "alike": len(values) - len(set(values.values())),
        "said": said,
    }


@section
def secrets_at_rest(_parameters: Parameters) -> dict[str, Any]:
    """How many values each secret of this host holds, and which two of them hold one, however it is written."""
    held = {file.name: single_values(opened(STORE, file.name)) for file in sorted(STORE.iterdir()) if file.name[0] != "."}
    meant = {name: {form for value in values for form in written(value)} for name, values in held.items()}
    return {
        "values": {name: len(values) for name, values in held.items()},
        "alike": [f"{one} and {other}" for one, other in combinations(held, 2) if meant[one] & meant[other]],
    }


@on_request
def secrets_made_again(_parameters: Parameters) -> dict[str, Any]:
    """What a second run makes of a copy of the store, as the role starts it; and of one in which Django's key is missing."""
    with tempfile.TemporaryDirectory(prefix="casemate-verifier-", dir=MEMORY) as folder:
        store = Path(shutil.copytree(STORE, Path(folder, "store")))
        for file in store.iterdir():
            file.chmod(0o600)  # who may read the originals, VAULT-003 says
        before, own = digests(store), opened(store)
        said = ensured(store, NAMES)
        again = digests(store)
        (store / KEY).unlink()
        said_then = ensured(store, NAMES)
        return {
            "secrets": sorted(before),
            "said": said,
            "changed": changed(before, again),
            "said where one is missing": said_then,
            "changed where one is missing": changed(before, digests(store)),
            "another value": opened(store) != own,
        }


@on_request
def keys_made(_parameters: Parameters) -> dict[str, Any]:
    """Keys of Django as the program makes them in empty stores: two as on two new hosts, three of a random source that is known."""
    with tempfile.TemporaryDirectory(prefix="casemate-verifier-", dir=MEMORY) as folder:
        names = Path(folder, "names.yml")
        names.write_text("".join(line for line in NAMES.read_text().splitlines(keepends=True) if f"name: {KEY}," in line))
        keys = [made(Path(folder, place), names) for place in ("one", "other")]
        sources = {"first": 1, "again": 1, "second": 2}
        known = {
            place: made(Path(folder, place), names, sys.executable, "-I", "-c", FROM_A_KNOWN_SOURCE, PROGRAM, str(first))
            for place, first in sources.items()
        }
        return {
            "characters": min(map(len, keys)),
            "different": min(len(set(key)) for key in keys),
            "twice": 3 - len({opened(STORE), *keys}),
            "of the same source": "the same" if known["first"] == known["again"] else "others",
            "of another source": "the same" if known["first"] == known["second"] else "others",
        }


@on_request
def passwords_made(parameters: Parameters) -> dict[str, Any]:
    """Passwords of these accounts as the program makes them in empty stores: two as on two new hosts, three of a source that is known."""
    wanted = [of_account(account) for account in parameters["statements"]]
    with tempfile.TemporaryDirectory(prefix="casemate-verifier-", dir=MEMORY) as folder:
        names = Path(folder, "names.yml")
        lines = NAMES.read_text().splitlines(keepends=True)
        names.write_text("".join(line for line in lines if any(f"name: {name}," in line for name in wanted)))

        def passwords(place: str, *command: str) -> list[bytes]:
            ensured(Path(folder, place), names, *command)
            return [opened(Path(folder, place), name) for name in wanted]

        new = [*passwords("one"), *passwords("other")]
        known = [
            passwords(place, sys.executable, "-I", "-c", FROM_A_KNOWN_SOURCE, PROGRAM, first)
            for place, first in (("first", "1"), ("again", "1"), ("second", "2"))
        ]
        every = [*new, *(opened(STORE, name) for name in wanted)]
        return {
            "bytes": sorted({len(drawn(password)) for password in new}),
            "twice": len(every) - len(set(every)),
            "of the same source": "the same" if known[0] == known[1] else "others",
            "of another source": "the same" if {*known[0]} & {*known[2]} else "others",
        }


@on_request
def secrets_in_text(parameters: Parameters) -> dict[str, Any]:
    """Which of these of the application's secrets stand in a packed text, and which of these words, that surely do."""
    text = zlib.decompress(base64.b64decode(parameters["packed"]))
    values = [(name, value) for name, value in credentials(["casemate.service"]) if name in parameters["names"]]
    return {
        "searched for": sorted({name for name, _value in values}),
        "found": sorted({name for name, value in values if value in text}),
        "words": sorted(word for word in parameters["words"] if word.encode() in text),
    }


def made(store: Path, names: Path, *command: str) -> bytes:
    """The value of the key that comes into an empty store."""
    ensured(store, names, *command)
    return opened(store)


def ensured(store: Path, names: Path, *command: str) -> list[str]:
    """What the program says while it makes what this store lacks: as the role starts it, or by another command."""
    environment = {**os.environ, "CASEMATE_CREDENTIAL_STORE": str(store), "CASEMATE_CREDENTIAL_NAMES": str(names)}
    ran = subprocess.run(command or (PROGRAM, "ensure"), env=environment, capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode:
        raise RuntimeError(f"{PROGRAM} ended with {ran.returncode}: {ran.stderr.strip()[-300:]}")
    return ran.stdout.splitlines()


def opened(store: Path, name: str = KEY) -> bytes:
    return output("systemd-creds", "decrypt", f"--name={name}", str(store / name), "-").strip().encode()


def of_account(account: str) -> str:
    """The name of the credential with the password of an account of the database."""
    return f"database-{account}-password"


def drawn(text: bytes) -> bytes:
    """The bytes that a url-safe text stands for; none where it is no such text."""
    whole = re.fullmatch(rb"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1
    return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4)) if whole else b""


def written(value: bytes) -> set[bytes]:
    """A value as it is, and what it means as base64 of either alphabet and as hexadecimal digits, where it means something so."""
    forms = {value, drawn(value.rstrip(b"=").translate(bytes.maketrans(b"+/", b"-_")))}
    if re.fullmatch(rb"([0-9a-fA-F]{2})+", value):
        forms.add(bytes.fromhex(value.decode()))
    return forms - {b""}


def welcomed(account: str) -> str:
    """What the server says to who comes with this account's password and certificate."""
    own = "--ssl-cert=$CREDENTIALS_DIRECTORY/crt --ssl-key=$CREDENTIALS_DIRECTORY/key"
    return as_account(account, f"{TRY}\ntry own {TLS} {own}").strip().removeprefix("own\t")


def digests(store: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in store.iterdir()}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The names of what is another, gone, or new."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
