"""Evidence is signed: SHA256SUMS names every file of its folder, and SHA256SUMS.sig is ssh-keygen's signature of it.

So whoever has OpenSSH and coreutils can verify it without us (docs/evidence.md).
"""

import hashlib
import os
import pwd
import re
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verification.words import CannotRun

NAMESPACE = "casemate-evidence"  # a signature of a release, made with the same key, is none of evidence
SUMS, SIGNATURE = "SHA256SUMS", "SHA256SUMS.sig"
LINE = re.compile(r"([0-9a-f]{64})  ([^/\\\n]+)")
# Made whole beside its place and then put there: of two verifications that begin at once, both sign with one key.
MAKE_KEY = """
umask 077
mkdir -p "$1" && new=$(mktemp -d "$1/.evidence_key.XXXXXX") || exit
trap 'rm -rf "$new"' EXIT
ssh-keygen -q -t ed25519 -N '' -C "$2" -f "$new/key" || exit
if ln "$new/key" "$1/evidence_key" 2>/dev/null; then cp "$new/key.pub" "$1/evidence_key.pub"; fi
[ -s "$1/evidence_key" ]
"""


@dataclass
class Checked:
    """What a signed folder turned out to be. Each fault is a sentence that names the file and how to mend it."""

    folder: Path
    signer: str
    fingerprint: str
    as_signed: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)


def sums(files: Mapping[str, str]) -> str:
    """SHA256SUMS of these files, by name, as `sha256sum --check` reads it."""
    return "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in sorted(files.items()))


def place_of_own_key() -> Path:
    """Where the controller's own key is, or would be: with the person who called, under sudo too."""
    person = _caller()
    return Path(person.pw_dir if person else Path.home()) / ".config" / "casemate" / "evidence_key"


def own_key() -> Path:
    """The controller's own key, made where there is none yet."""
    key, person = place_of_own_key(), _caller()
    if not os.path.exists(key):  # False too where the folder is closed to us
        # As the person: root, writing in a folder of somebody else, could be led to another place by a link.
        who: dict[str, Any] = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []} if person else {}
        argv = ["sh", "-c", MAKE_KEY, "sh", str(key.parent), f"evidence@{socket.gethostname()}"]
        made = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **who)
        if made.returncode or not os.path.exists(key):
            raise CannotRun(f"no key to sign evidence with could be made in {key.parent}: {_words(made)}; name one with --sign-with KEY")
    return key


def make_key(path: Path, comment: str) -> None:
    """A key without a passphrase, for a rehearsal or a test."""
    ran = _keygen(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], "")
    if ran.returncode:
        raise CannotRun(f"ssh-keygen could not make {path}: {_words(ran)}")


def chosen_key(named: Path | None) -> Path:
    """The key that signs: the one that was named, else the controller's own. Raises before a host is asked anything."""
    if named is not None and not named.is_file():
        raise CannotRun(f"--sign-with names {named}, which is no file; make a key with ssh-keygen -t ed25519 -f FILE")
    return named or own_key()


def sign(text: str, key: Path) -> str:
    """The detached signature of a text."""
    argv = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE]
    ran = _keygen(argv, text)
    if ran.returncode or "BEGIN SSH SIGNATURE" not in ran.stdout:
        hint = "a key with a passphrase goes into ssh-agent (ssh-add); then name its public half, KEY.pub"
        raise CannotRun(f"ssh-keygen could not sign with {key}: {_words(ran)}; {hint}")
    return ran.stdout


def signer_line(key: Path) -> str:
    """The key as a line of ssh-keygen's allowed signers, to be given to who is to verify."""
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    try:
        text = public.read_text() if public.is_file() else _public_half(key)
        kind, blob, *comment = text.split()
    except (OSError, ValueError) as error:
        raise CannotRun(f"{public} holds no public key: {error}; ssh-keygen -y -f {key} prints it") from error
    name = comment[0] if comment and re.fullmatch(r"[\w.@+-]+", comment[0]) else "evidence"
    return f'{name} namespaces="{NAMESPACE}" {kind} {blob}'


def check(folder: Path, signers: str, source: str) -> Checked:
    """Who of `signers` signed a folder, and which of its files are as signed. `source` says where the signers come from.

    Raises CannotRun where the signature itself is missing, broken or of somebody else: then nothing in the folder says anything.
    """
    text, signature = _read(folder / SUMS), _read(folder / SIGNATURE)
    checked = _signed_by(folder, text, signature, signers, source)
    named = _entries(folder, text)
    for name, wanted in named.items():
        _compare(checked, name, wanted)
    for path in sorted(folder.iterdir()):
        if path.name not in named and path.name not in (SUMS, SIGNATURE):
            checked.faults[path.name] = f"{path} is not in {SUMS}: nobody signed it; take it out of the folder"
    return checked


def _signed_by(folder: Path, text: str, signature: str, signers: str, source: str) -> Checked:
    with tempfile.TemporaryDirectory(prefix="casemate-") as place:
        allowed, detached = Path(place) / "signers", Path(place) / "signature"
        allowed.write_text(signers.rstrip() + "\n")
        detached.write_text(signature)
        made = _keygen(["ssh-keygen", "-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(detached)], text)
        fingerprint = re.search(r"SHA256:\S+", made.stdout)
        found = _keygen(["ssh-keygen", "-Y", "find-principals", "-f", str(allowed), "-s", str(detached)], "")
        signer = found.stdout.split("\n")[0].strip()
        told = _keygen(["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", signer, "-n", NAMESPACE, "-s", str(detached)], text)
    if "BEGIN SSH SIGNATURE" not in signature or "parse signature" in made.stderr:
        raise CannotRun(f"{folder / SIGNATURE} is no signature: {AGAIN}")
    if made.returncode or fingerprint is None:
        raise CannotRun(f"{folder / SUMS} is not the text that was signed, or not signed for {NAMESPACE}: {AGAIN}")
    if not signer:
        known = f"whom {source} does not name"
        raise CannotRun(f"{folder / SIGNATURE} is of the key {fingerprint[0]}, {known}; if you know that key, name it with --signers FILE")
    if told.returncode:
        raise CannotRun(f"{folder / SIGNATURE} is of {signer}, and {source} does not let that key sign evidence now: {_words(told)}")
    return Checked(folder, signer, fingerprint[0])


AGAIN = "take the folder again from where it was written, or verify the hosts anew"


def _entries(folder: Path, text: str) -> dict[str, str]:
    """The names in SHA256SUMS with their sums. A name with a folder in it would lead out of this one."""
    found: dict[str, str] = {}
    for number, written in enumerate(text.splitlines(), 1):
        match = LINE.fullmatch(written)
        if match is None or match[2] in ("..", "."):
            raise CannotRun(f"{folder / SUMS} is signed, and its line {number} is no sum and name of a file here: {AGAIN}")
        found[match[2]] = match[1]
    return found


def _compare(checked: Checked, name: str, wanted: str) -> None:
    path = checked.folder / name
    if path.is_symlink() or not path.is_file():
        state = "is a link" if path.is_symlink() else "is missing, or no file,"
        checked.faults[name] = f"{path} {state} and was signed as a file: {AGAIN}"
    elif _sha256(path) != wanted:
        checked.faults[name] = f"{path} is not as it was signed: {AGAIN}"
    else:
        checked.as_signed.append(name)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CannotRun(f"{path} cannot be read: {error.strerror}; evidence is readable by who made it") from error


def _read(path: Path) -> str:
    """SHA256SUMS or its signature, whole."""
    if path.is_symlink() or not path.is_file():
        raise CannotRun(f"{path} is missing: nothing says who made this folder; {AGAIN}")
    try:
        return path.read_bytes().decode()  # as it is: read_text would make another text of line ends that somebody changed
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRun(f"{path} cannot be read: {error}; {AGAIN}") from error


def _public_half(key: Path) -> str:
    ran = _keygen(["ssh-keygen", "-y", "-f", str(key)], "")
    if ran.returncode:
        raise ValueError(_words(ran))
    return ran.stdout


def _caller() -> pwd.struct_passwd | None:
    user = os.environ.get("SUDO_USER")
    try:
        return pwd.getpwnam(user) if user and os.geteuid() == 0 else None
    except KeyError:
        return None


def _keygen(argv: list[str], text: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise CannotRun("there is no ssh-keygen here, which signs and verifies evidence: apt install openssh-client") from error


def _words(ran: subprocess.CompletedProcess[str]) -> str:
    return " ".join((ran.stderr or ran.stdout).split()) or f"status {ran.returncode}"
