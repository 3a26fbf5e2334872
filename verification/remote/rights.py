"""Inside: the programs that give whoever calls them the rights of another."""

import os
from pathlib import Path

from verification.remote.sections import Parameters, output, section

# What the kernel shows of itself, where nobody lays a program.
NO_FILES = {"autofs", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "fusectl", "mqueue", "nsfs", "proc", "pstore"}
NO_FILES |= {"securityfs", "sysfs", "tracefs"}


@section
def borrowed_rights(_parameters: Parameters) -> dict[str, str]:
    """Each file with set-user-ID, set-group-ID or capabilities of its own, wherever the kernel would heed them: whose, and which."""
    listed = output("find", *_file_systems(), "-xdev", "-type", "f", "-perm", "/6111", "-printf", "%04m %u:%g %p\\0", ok=(0, 1))
    found = {}
    for entry in filter(None, listed.split("\0")):
        mode, owner, path = entry.split(" ", 2)
        capabilities = _capabilities(path)
        if int(mode, 8) & 0o6000 or capabilities:
            found[path] = " ".join(filter(None, (owner, mode, capabilities)))
    return found


def _file_systems() -> list[str]:
    """As the first process sees them: the host's own reading runs in a unit, and systemd mounts everything nosuid for such a one."""
    found = []
    for line in Path("/proc/1/mountinfo").read_text().splitlines():
        mount, _, rest = line.partition(" - ")
        place, options = mount.split()[4:6]
        if "nosuid" not in options.split(",") and rest.split()[0] not in NO_FILES:
            found.append(place.encode().decode("unicode_escape"))
    return found


def _capabilities(path: str) -> str:
    try:
        return f"capabilities {os.getxattr(path, 'security.capability', follow_symlinks=False).hex()}"
    except OSError:
        return ""
