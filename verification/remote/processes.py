"""Inside: what the kernel says of each process, and whether a secret stands where one can read it."""

import json
import os
import pwd
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, output, section

PROC = Path("/proc")


@section
def processes(_parameters: Parameters) -> list[dict[str, Any]]:
    """Every process of user space with the rights that the kernel gives it."""
    found = []
    for folder in _folders():
        try:
            status = _status(folder)
            argv = (folder / "cmdline").read_bytes().split(b"\0")
            if argv == [b""]:
                continue  # a thread of the kernel, or a process that is ending
            found.append(
                {
                    "pid": int(folder.name),
                    "name": status["Name"],
                    "unit": _unit(folder),
                    "user": _user(int(status["Uid"].split()[1])),
                    "capabilities": int(status["CapEff"], 16),
                    "bounding": int(status["CapBnd"], 16),
                    "no_new_privileges": status["NoNewPrivs"] == "1",
                    "seccomp": status["Seccomp"] == "2",
                    "environment": sorted(_environment(folder)),
                }
            )
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


@section
def secrets_in_sight(parameters: Parameters) -> dict[str, Any]:
    """Searches the places where a secret must not be. The values stay here: only the places leave this host."""
    values = list(credentials(parameters["services"]))
    places: list[str] = []
    for folder in _folders():
        if int(folder.name) == os.getpid():
            continue
        for file in ("environ", "cmdline"):
            try:
                content = (folder / file).read_bytes()
                places += [f"{name} in {file} of {_status(folder)['Name']}" for name, v in values if v in content]
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
    for place in parameters["readable_places"]:
        for text in _texts(Path(place), tuple(parameters["secret_places"])):
            content = text.read_bytes()
            places += [f"{name} in {text}" for name, value in values if value in content]
    return {"searched_for": sorted({name for name, _ in values}), "places": sorted(set(places))}


@section
def egress(parameters: Parameters) -> dict[str, str]:
    """What the kernel answers to an account that has nothing to seek outside, for a place that is surely there: the gateway."""
    gateways = [r["gateway"] for r in json.loads(output("ip", "-j", "route", "show", "default")) if "gateway" in r]
    said: dict[str, str] = json.loads(output(sys.executable, "-ISc", GO_OUT, json.dumps([parameters["without_egress"], gateways])))
    return said


# Each account in a process that is it; one interpreter for all of them.
GO_OUT = """
import errno, json, os, pwd, socket, sys
accounts, gateways = json.loads(sys.argv[1])
shut = (errno.EPERM, errno.EACCES, errno.EHOSTUNREACH)
def answer(account, gateway):
    answers, told = os.pipe()
    if (child := os.fork()) == 0:
        os.initgroups(account.pw_name, account.pw_gid), os.setgid(account.pw_gid), os.setuid(account.pw_uid)
        try:
            socket.create_connection((gateway, 443), timeout=2)
            said = "connected"
        except OSError as error:
            said = "no way out" if error.errno in shut else str(error)
        os.write(told, said.encode())
        os._exit(0)
    os.close(told)
    with open(answers) as pipe:
        said = pipe.read()
    if os.waitpid(child, 0)[1]:
        sys.exit(f"nobody could be made {account.pw_name}")
    return said
print(json.dumps({f"{name} to {gateway}:443": answer(pwd.getpwnam(name), gateway) for name in accounts for gateway in gateways}))
"""


def credentials(services: list[str]) -> Iterator[tuple[str, bytes]]:
    """The credentials that systemd gave to the running services. Certificates are no secrets."""
    for service in services:
        # As the first process sees it: systemd hides this folder from a unit with a view of its own, such as the host's own reading.
        folder = PROC / "1/root/run/credentials" / service
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not file.name.endswith(".crt"):
                yield from ((file.name, value) for value in single_values(file.read_bytes().strip()) if len(value) >= 16)


def single_values(content: bytes) -> list[bytes]:
    """What to look for: the whole text, or each key where the credential is a set of keys by id, as JSON or as lines `id;key`."""
    if lines := re.findall(rb"^\d+;([0-9a-f]+)$", content, re.MULTILINE):
        return list(lines)
    try:
        keys = json.loads(content)
    except ValueError:
        keys = None
    return [str(key).encode() for key in keys.values()] if isinstance(keys, dict) else [content]


def _texts(place: Path, but: tuple[str, ...]) -> Iterator[Path]:
    """The plain files under a place, but for some folders."""
    for root, folders, names in os.walk(place):
        folders[:] = [name for name in folders if f"{root}/{name}" not in but and name != "__pycache__"]
        for name in names:
            file = Path(root, name)
            if file.is_file() and not file.is_symlink() and file.stat().st_size < 1_000_000:
                yield file


def _folders() -> list[Path]:
    return [folder for folder in PROC.iterdir() if folder.name.isdecimal()]


def _status(folder: Path) -> dict[str, str]:
    lines = (folder / "status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _unit(folder: Path) -> str:
    """The systemd unit of a process, from its cgroup."""
    parts = (folder / "cgroup").read_text().splitlines()[-1].split("/")
    return next((part for part in reversed(parts) if part.endswith((".service", ".socket", ".scope"))), "")


def _environment(folder: Path) -> set[str]:
    entries = (folder / "environ").read_bytes().split(b"\0")
    return {entry.partition(b"=")[0].decode(errors="replace") for entry in entries if entry}


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
