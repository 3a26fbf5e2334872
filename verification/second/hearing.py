"""Hears the second witness on every host, and makes of it the part `second_witness` of results.json."""

import importlib.resources
import io
import json
import shlex
import subprocess
import tarfile
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from verification.host import Host
from verification.second import archive, disagreement, lynis, openscap, payload
from verification.second.statement import Statement
from verification.words import CannotRun

UNIT = "casemate-second-witness"
DESCRIPTION = "OpenSCAP and lynis look at this host for casemate verify"
SECONDS = 400  # for all of it on one host: systemd ends the unit then, and everything in it
LARGEST = 64_000_000  # bytes of an answer, unpacked: two results are 9 MB each
SHIPPED = ("openscap-scanner", "ssg-debian", "lynis")  # the packages that judge; the others are libraries
Note = Callable[[str], None]


def fetch(note: Note) -> bytes:
    """What goes to the hosts. First of all: where it cannot be had, no host has been touched."""
    found = payload.pack(archive.fetch(note))
    note("")
    return found


def hear(hosts: list[Host], sent: bytes, known: list[disagreement.Note], ours: disagreement.Ours, note: Note) -> dict[str, Any]:
    """All hosts at the same time. `ours` is the state of each control and host."""
    listeners: list[subprocess.Popen[bytes]] = []
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        try:
            heard = list(pool.map(lambda host: _hear_one(host, sent, note, listeners), hosts))
        except BaseException:  # an interruption too: whoever waits for an answer stops, and with its input each host's unit ends
            for process in listeners:
                process.kill()
            raise
    note("")
    return {
        "versions": {pin.package: pin.version for pin in archive.pins() if pin.package in SHIPPED},
        "skipped": payload.SKIPPED,
        "stale": disagreement.stale([one for said, _ in heard for one in said], known),
        "hosts": [described(host.name, said, facts, known, ours) for host, (said, facts) in zip(hosts, heard, strict=True)],
    }


def described(
    name: str, said: list[Statement], facts: dict[str, Any], known: list[disagreement.Note], ours: disagreement.Ours
) -> dict[str, Any]:
    found = disagreement.disagreements(name, said, known, ours)
    return {
        "host": name,
        "seconds": facts["seconds"],
        "assumed": facts["assumed"],
        "witnesses": [{"name": one.witness, "counts": one.counts, "index": one.index} for one in said],
        "states": {state: sum(entry["state"] == state for entry in found) for state in disagreement.ORDER},
        "disagreements": found,
    }


def _hear_one(host: Host, sent: bytes, note: Note, listeners: list[subprocess.Popen[bytes]]) -> tuple[list[Statement], dict[str, Any]]:
    files = unpacked(host.name, _answer(host, sent, note, listeners))
    try:
        facts = json.loads(files["facts.json"])
        said = [*openscap.read(files["openscap.xml"]), lynis.read(files["lynis.dat"].decode(errors="replace"))]
    except (KeyError, ValueError) as error:
        raise CannotRun(f"{host.name}: the second witness gave no whole answer: {error}") from error
    return said, {"seconds": {str(k): float(v) for k, v in facts["seconds"].items()}, "assumed": [str(one) for one in facts["assumed"]]}


def command() -> str:
    """What runs on a host: a transient unit that is bounded and leaves nothing. Its text comes as input, or the journal would hold it."""
    program = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
    parameters = {"place": payload.PLACE, "profile": openscap.PROFILE + openscap.WIDEST}
    properties = (
        f"RuntimeDirectory={payload.PLACE.removeprefix('/run/')}",
        "RuntimeDirectoryMode=0700",
        "PrivateMounts=yes",
        f"RuntimeMaxSec={SECONDS}",
        "MemoryMax=1G",
        "TasksMax=256",
        "Nice=10",
    )
    unit = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", f"--unit={UNIT}", f"--description={DESCRIPTION}"]
    unit += [*(f"--property={one}" for one in properties)]
    return shlex.join(["sudo", "-n", *unit, "python3", "-c", program, json.dumps(parameters)])


def _answer(host: Host, sent: bytes, note: Note, listeners: list[subprocess.Popen[bytes]]) -> bytes:
    """Sends the payload, keeps the input open until the end (its closing ends the unit), and takes what comes back."""
    argv = [*host.connection.argv, command()]
    script = (importlib.resources.files("verification.remote") / "guest.py").read_bytes()
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    listeners.append(process)
    if not (process.stdin and process.stdout and process.stderr):
        raise AssertionError  # three pipes were asked for
    errors: list[str] = []
    listener = threading.Thread(target=_listen, args=(process.stderr, host.name, errors, note), daemon=True)
    listener.start()
    timer = threading.Timer(SECONDS + 30, process.kill)
    timer.start()
    try:
        try:
            process.stdin.write(b"".join(f"{len(part)}\n".encode() + part for part in (script, sent)))
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it refused before it had read all; what it said tells why
        found = process.stdout.read(LARGEST + 1)
        if len(found) > LARGEST:
            raise CannotRun(f"{host.name}: the second witness's answer has no end")
        status = process.wait()
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        listener.join(timeout=5)
    if status:
        raise CannotRun(f"{host.name}: the second witness could not be heard: {reason(errors, status)}")
    return found


def _listen(stream: IO[bytes], name: str, errors: list[str], note: Note) -> None:
    for line in stream:
        text = line.decode(errors="replace").strip()
        if text.startswith("begins: "):
            note(f"{name}: {text.removeprefix('begins: ')} looks at the host")
        elif text:
            errors.append(text)


def reason(errors: list[str], status: int) -> str:
    """Its own words where it refused, else the last thing that was said: by sudo, by systemd-run or by SSH."""
    refused = [line.removeprefix("refused: ") for line in errors if line.startswith("refused: ")]
    if any("already loaded" in line or "already exists" in line for line in errors):
        return "another verification hears it there at this moment"
    return (refused or errors or [f"it ended with {status}"])[-1][-400:]


def unpacked(name: str, found: bytes) -> dict[str, bytes]:
    """The files of an answer. A host that is not ours any more may send anything: nothing is written, and sizes are bounded."""
    files: dict[str, bytes] = {}
    left = LARGEST
    try:
        with tarfile.open(fileobj=io.BytesIO(found), mode="r|gz") as answer:
            for member in answer:
                file = answer.extractfile(member) if member.isfile() and member.size <= left else None
                if file is None:
                    raise CannotRun(f"{name}: the second witness's answer holds {member.name[:80]!r}, which is no file of a fitting size")
                files[member.name] = file.read()
                left -= member.size
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise CannotRun(f"{name}: the second witness's answer cannot be read: {error}") from error
    return files
