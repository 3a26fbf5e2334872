"""What a host has of its own policy: every file below /etc and /usr/local, the ports, the units, the kernel's settings. Runs as root."""

import hashlib
import json
import os
import shutil
import subprocess

files = {}
for top in ("/etc", "/usr/local"):
    for folder, _folders, names in os.walk(top):
        for path in (folder, *(f"{folder}/{name}" for name in names)):
            seen = os.lstat(path)
            what = os.readlink(path) if os.path.islink(path) else ""
            if os.path.isfile(path) and not what:
                with open(path, "rb") as file:
                    what = hashlib.sha256(file.read()).hexdigest()
            files[path] = f"{seen.st_mode:o} {seen.st_uid}:{seen.st_gid} {what}"


def lines(*command: str) -> list[str]:
    if not shutil.which(command[0]):
        return []
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


ports = sorted({line.split()[4] for line in lines("ss", "-Hltun")})
units = lines("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "--type=service,socket,timer,path")
# Settings that only count, or are drawn anew by each boot.
moving = (
    "kernel.random.",
    "fs.dentry",
    "fs.inode",
    "fs.file-nr",
    "kernel.ns_last_pid",
    "fs.quota.",
    "kernel.pty.nr",
    "kernel.perf_",
    "net.netfilter.nf_conntrack_count",
)
kernel = [line for line in lines("sysctl", "-a") if not line.startswith(moving)]
packaged = {line.split(" ", 1)[1].strip() for line in lines("sh", "-c", "cat /var/lib/dpkg/info/*.list | sed 's/^/x /'")}
borrowed = sorted(lines("find", "/usr", "-xdev", "-type", "f", "-perm", "/6000", "-printf", "%m %u %g %p\\n"))
firewall = lines("nft", "list", "ruleset")
print(
    json.dumps(
        {
            "files": files,
            "ports": ports,
            "units": sorted(line.split()[0] for line in units),
            "kernel": sorted(kernel),
            "borrowed": borrowed,
            "firewall": firewall,
            "packaged": sorted(path for path in packaged if path in files),
        }
    )
)
