"""Inside: what the kernel, systemd, nftables and sshd say of themselves."""

import grp
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

from verification.remote.sections import OWN_UNITS, Parameters, output, section

# A socket in a private /tmp is listed by the kernel, and its file is not to be seen from here.
HIDDEN = {"owner": "hidden", "group": "hidden", "mode": "hidden"}
PACKAGES = ("nginx", "mariadb-server", "openssh-server", "nftables", "openssl", "systemd", "python3", "linux-image-amd64")

MANY = 10_000  # packages: Debian has 70,000, a host that serves one application less than 500


@section
def versions(_parameters: Parameters) -> dict[str, str]:
    """The versions that a reader of the evidence asks for first."""
    shown = output("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Abbrev}\n", *PACKAGES, ok=(0, 1))
    found = {line.split()[0]: line.split()[1] for line in shown.splitlines() if line.split()[2:3] == ["ii"]}
    debian = Path("/etc/debian_version").read_text().strip()
    return {"debian": debian, "kernel": os.uname().release, **found}


@section
def debian_packages(_parameters: Parameters) -> list[dict[str, str]]:
    """Every package that is installed, with its source, by which Debian's advisories name it. Bounded: a Debian has some hundred."""
    fields = {"name": "Package", "version": "Version", "architecture": "Architecture", "source": "source:Package"}
    pattern = "${db:Status-Abbrev}\\t" + "\\t".join(f"${{{field}}}" for field in fields.values()) + "\\n"
    lines = [line.split("\t") for line in output("dpkg-query", "-W", "-f", pattern).splitlines()]
    found = [dict(zip(fields, values, strict=True)) for state, *values in lines if state[1:2] == "i"]
    if len(found) > MANY:
        raise RuntimeError(f"{len(found)} packages are more than the {MANY} that are read")
    return found


@section
def disposable(_parameters: Parameters) -> bool:
    mark = Path("/etc/casemate/disposable")
    return mark.is_file() and not mark.is_symlink() and mark.stat().st_uid == 0


@section
def listeners(_parameters: Parameters) -> list[dict[str, Any]]:
    """Every TCP and UDP socket that waits for strangers, from the kernel, and still does a moment later.

    While glibc sorts the addresses of a name, a socket of it looks like one that waits for datagrams.
    """
    before = _listening()
    time.sleep(0.3)
    return [listener for listener in _listening() if listener in before]


def _listening() -> list[dict[str, Any]]:
    found = []
    for line in output("ss", "-H", "-l", "-n", "-t", "-u", "-p").splitlines():
        protocol, _state, _receive, _send, local, _peer, *owner = line.split(None, 6)
        address, _, port = local.rpartition(":")
        names = sorted(set(re.findall(r'\("([^"]+)",pid=', owner[0] if owner else "")))
        found.append({"protocol": protocol, "address": address.strip("[]"), "port": int(port), "programs": names})
    return found


@section
def unix_listeners(_parameters: Parameters) -> list[dict[str, Any]]:
    """Every Unix socket with a name in the file system that a program listens on."""
    found = []
    for line in output("ss", "-H", "-l", "-n", "-x", "-p").splitlines():
        path = line.split()[4]
        names = sorted(set(re.findall(r'\("([^"]+)",pid=', line)))
        if path.startswith("/"):
            found.append({"path": path, "programs": names, **(_mode(path) or HIDDEN)})
    return found


@section
def ruleset(_parameters: Parameters) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = json.loads(output("nft", "-j", "list", "ruleset"))["nftables"]
    return rules


@section
def sshd(_parameters: Parameters) -> dict[str, list[str]]:
    """The effective configuration as the server itself prints it; a directive may be there more than once."""
    found: dict[str, list[str]] = {}
    for line in output("/usr/sbin/sshd", "-T").splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.lower(), []).append(value)
    return found


@section
def units(parameters: Parameters) -> dict[str, dict[str, str]]:
    """`systemctl show` of the units that the expectations name."""
    names = parameters["units"]
    properties = ",".join(parameters["unit_properties"])
    shown = output("systemctl", "show", "--no-pager", f"--property=Id,{properties}", *names)
    found = {}
    for block in shown.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        found[values.pop("Id", "?")] = values
    return found


@section
def failed_units(_parameters: Parameters) -> list[str]:
    shown = output("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")
    return [line.split()[0] for line in shown.splitlines() if line.strip()]


@section
def exposure(_parameters: Parameters) -> dict[str, float]:
    """systemd's own score, 0 (nothing) to 10, of what a unit could still do: of each service that was set up or changed on this host."""
    names = sorted(_services_of_this_host())
    asked = [name.replace("@.", "@verifier.") for name in names]  # systemd judges no template, only what is made of one
    shown = output("systemd-analyze", "security", "--no-pager", *asked, ok=(0, 1)) if asked else ""
    scores = dict(re.findall(r"Overall exposure level for (\S+): ([0-9.]+)", shown))
    return {name: float(scores.get(name.replace("@.", "@verifier."), 10.0)) for name in names}


def _services_of_this_host() -> set[str]:
    """Services whose text, or a part of it, stands where an administrator's stands; an alias is none of its own."""
    found = set()
    for folder in (Path("/etc/systemd/system"), Path("/run/systemd/system")):
        found |= {path.name for path in folder.glob("*.service") if path.is_file() and not path.is_symlink()}
        found |= {path.parent.name.removesuffix(".d") for path in folder.glob("*.service.d/*.conf")}
    return found


@section
def running_services(_parameters: Parameters) -> list[str]:
    shown = output("systemctl", "list-units", "--type=service", "--state=running", "--plain", "--no-legend", "--no-pager")
    # Sections are read side by side, and some ask as another account in a unit of their own.
    return [line.split()[0] for line in shown.splitlines() if line.strip() and not line.startswith(OWN_UNITS)]


@section
def users(_parameters: Parameters) -> dict[str, dict[str, Any]]:
    return {entry.pw_name: {"uid": entry.pw_uid, "shell": entry.pw_shell} for entry in pwd.getpwall()}


@section
def sudoers(_parameters: Parameters) -> list[str]:
    """Who may become root through sudo: the lines of its configuration that say so."""
    files = [Path("/etc/sudoers"), *sorted(Path("/etc/sudoers.d").glob("*"))]
    lines = [line.strip() for file in files if file.is_file() for line in file.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "Defaults", "@include"))]


@section
def files(parameters: Parameters) -> dict[str, Any]:
    """Owner, group and mode of each path that the expectations name; of folders named with a `/*`, of what is in them."""
    found: dict[str, Any] = {}
    for name in parameters["files"]:
        folder = Path(name[:-2])
        paths = sorted(map(str, folder.iterdir())) if name.endswith("/*") and folder.is_dir() else [name]
        for path in paths:
            mode = _mode(path)
            found[path] = f"{mode['owner']}:{mode['group']} {mode['mode']}" if mode else "absent"
    return found


@section
def plain_credentials(_parameters: Parameters) -> list[str]:
    """Files where credentials rest that this host's key does not open, so that are no encrypted ones. Nothing is kept."""
    plain = [str(path) for path in Path("/etc/credstore").glob("*")]
    for path in sorted(Path("/etc/credstore.encrypted").glob("*")):
        argv = ["systemd-creds", "decrypt", f"--name={path.name}", str(path), "-"]
        if subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
            plain.append(str(path))
    return plain


@section
def builders(_parameters: Parameters) -> list[str]:
    """What could build a program or bring a package, in the system and beside the application."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/local/bin:/opt/casemate/current/venv/bin"
    tools = ("cc", "gcc", "g++", "clang", "ld", "make", "cmake", "git", "rustc", "cargo", "go", "pip", "pip3", "uv")
    return [name for name in tools if shutil.which(name, path=path)]


def _mode(path: str) -> dict[str, str] | None:
    try:
        seen = os.lstat(path)
    except FileNotFoundError:
        return None
    return {"owner": _user(seen.st_uid), "group": _group(seen.st_gid), "mode": f"{stat.S_IMODE(seen.st_mode):04o}"}


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
