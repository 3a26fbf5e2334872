"""The root file system that all lab hosts share as the lower layer of their overlay: a bare Debian 13, made once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SUITE = "trixie"
# What a freshly installed server has: an init, SSH, sudo and the Python that Ansible needs. Nothing of the appliance.
PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "libpam-systemd",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "sudo",
    "systemd",
    "systemd-sysv",
)


class LabError(Exception):
    """Something that stops the lab, said in one sentence that names it and how to mend it."""


def cache_dir() -> Path:
    """Where downloads and the root file system are kept: survives `make down`, removed by `make clean`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "casemate"


def _sources() -> list[str]:
    """The apt sources of a lab host: the controller's own archive, with the suite of Debian 13.

    Empty where the controller names no Debian archive; mmdebstrap then takes its default.
    """
    if mirror := os.environ.get("CASEMATE_MIRROR"):
        return [f"deb {mirror} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL)\t$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    archives = dict(line.split("\t", 1) for line in sorted(listing.stdout.splitlines(), reverse=True) if "\t" in line)
    lines = []
    if archive := archives.get("Debian"):
        lines += [f"deb {archive} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]
        if security := archives.get("Debian-Security"):
            lines.append(f"deb {security} {SUITE}-security main")
    return lines


def ensure() -> Path:
    """Return the directory of the root file system, making it first where it is missing.

    Raises LabError where the archive cannot be reached; nothing half-made is left under the final name.
    """
    sources = _sources()
    key = hashlib.sha256("\n".join((SUITE, *PACKAGES, *sources)).encode()).hexdigest()[:12]
    root = cache_dir() / f"rootfs-{SUITE}-{key}"
    if root.exists():
        return root
    cache_dir().mkdir(parents=True, exist_ok=True)
    half_made = root.with_suffix(f".making-{os.getpid()}")
    for left in cache_dir().glob("rootfs-*.making-*"):
        if not Path(f"/proc/{left.suffix.rpartition('-')[2]}").exists():
            shutil.rmtree(left)
    print(f"lab: making the Debian 13 root file system once ({root})", flush=True)
    made = subprocess.run(
        # The mode is root: each file keeps its owner, and mmdebstrap needs no user namespace.
        # The package lists stay, so that the first installation on a host needs no fresh index.
        ["mmdebstrap", "--mode=root", "--variant=minbase", "--quiet", "--skip=cleanup/apt/lists",
         f"--include={','.join(PACKAGES)}", SUITE, str(half_made), *(sources or [])],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if made.returncode:
        shutil.rmtree(half_made, ignore_errors=True)
        reason = next((line for line in reversed(made.stderr.splitlines()) if line.startswith(("E:", "Err"))), "")
        archive = sources[0].split()[1] if sources else "mmdebstrap's default"
        raise LabError(
            f"the Debian archive ({archive}) gave no {SUITE}: {reason or made.stderr[-300:]!r}. "
            "Check the network, or name another one: CASEMATE_MIRROR=http://… make up"
        )
    half_made.rename(root)
    return root
