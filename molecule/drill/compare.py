"""Compares what found.py said of a host at two moments; ends with 1 where they differ more than they may.

compare.py unchanged A B FOLDER   nothing differs
compare.py went A B FOLDER        much differs: files are gone, ports are shut
compare.py bare A B FOLDER        B is what A was, but for packages, accounts, keys, and what somebody else changed
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

# What a package makes as it is installed, and what a machine makes by itself.
MACHINES = re.compile(
    r"/etc(/(passwd|shadow|group|gshadow|subuid|subgid)-?|/machine-id|/ld\.so\.cache|/adjtime|/resolv\.conf|/mtab|/\.updated|/\.pwd\.lock"
    r"|/alternatives/.*|/ssl/certs/.*|/rc.\.d/.*)?$|/usr/local/sbin/casemate-rollback$"
)
# What packages make as they are installed, beside the files that dpkg knows; and the program that the database's package lends rights.
MADE = {
    *("/etc/apt/apt.conf.d/20auto-upgrades", "/etc/apt/apt.conf.d/50unattended-upgrades"),
    *("/etc/apparmor.d/local", "/etc/apparmor.d/local/usr.sbin.chronyd", "/etc/chrony/chrony.conf", "/etc/chrony/chrony.keys"),
    *("/etc/mysql/debian.cnf", "/etc/mysql/my.cnf", "/etc/nginx/sites-enabled/default"),
}
LENT = "4755 root root /usr/lib/mysql/plugin/auth_pam_tool_dir/auth_pam_tool"
DATA = re.compile(r"/etc/(credstore\.encrypted(/.*)?|casemate|casemate/pki(/.*)?|casemate/(audit|grants)\.sql)$")
OTHERS = {"/etc/hosts", "/etc/motd", "/etc/profile.d/ours.sh"}


def differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def unexplained(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Paths that are not what they were, and for no reason that may be."""
    new = now["files"].keys() - then["files"].keys()
    packaged = {*now["packaged"]}
    excused = {path for path in new if path in packaged or any(name.startswith(f"{path}/") for name in packaged)}
    return [
        path
        for path in differing(then["files"], now["files"])
        if not (MACHINES.match(path) or DATA.match(path) or path in OTHERS | MADE | excused)
    ]


def main() -> int:
    how, first, second, folder = sys.argv[1:]
    then, now = (json.loads((Path(folder) / name).read_text()) for name in (first, second))
    files = differing(then["files"], now["files"])
    rest = {name: sorted({*then[name]} ^ {*now[name]}) for name in ("ports", "units", "kernel", "borrowed", "firewall")}
    if how == "went":
        print(f"  {len(files)} files differ; ports: {', '.join(now['ports'])}")
        return 0 if len(files) > 100 and rest["firewall"] and not any(port.endswith((":443", ":80")) for port in now["ports"]) else 1
    if how == "bare":
        files = unexplained(then, now)
        rest["borrowed"] = sorted({*rest["borrowed"]} - {LENT})
    wrong = {"files": files, **rest}
    for name, differ in wrong.items():
        for one in differ[:20]:
            print(f"  {name}: {one}", file=sys.stderr)
    if not any(wrong.values()):
        print(f"  {', '.join(f'{len(now[name])} {name}' for name in ('files', 'ports', 'units'))} and the kernel's settings: as they were")
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
