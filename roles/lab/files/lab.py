#!/usr/bin/env python3
"""Make and remove the local lab: real Debian 13 hosts on this machine, reached over SSH like any other.

    lab.py create  --lab up --network 10.77.0 --state .lab --host casemate --host observer
    lab.py destroy --lab up --network 10.77.0 --state .lab [--host casemate]

`create` prints `changed` where it made a host. Exit status 2 and one sentence where it cannot.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import sys
from pathlib import Path

import rootfs
from machine import ACCOUNT, STATE, Machine
from network import Network, resolver_configuration, run
from rootfs import LabError

# The last number of a host's addresses; the gateway, which is the controller, has 1.
NUMBERS = {"casemate": 10, "casemate-2": 11, "casemate-3": 12, "casemate-4": 13, "casemate-dev": 10, "builder": 10, "observer": 20}
FREE_BYTES = 6 * 1024**3
TOOLS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "nft": "nftables", "ip": "iproute2",
         "ssh": "openssh-client", "ssh-keygen": "openssh-client"}  # fmt: skip
SSH_CONFIG = """\
# Written by the lab; `make down` removes it.
Host {names}
    User {account}
    IdentityFile {state}/id_ed25519
    IdentitiesOnly yes
    UserKnownHostsFile {state}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    ControlMaster auto
    ControlPersist 10m
    ControlPath {sockets}/%i-%C
    ServerAliveInterval 15
    LogLevel ERROR
"""


def preflight(network: Network) -> None:
    """Refuse what would fail half-way. Raises LabError; changes nothing."""
    if os.geteuid():
        raise LabError("the lab needs root, for mounts and network namespaces. Run: sudo make up")
    if missing := sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)}):
        raise LabError(f"these Debian packages are missing: apt install {' '.join(missing)}")
    for place in (STATE, rootfs.cache_dir()):
        place.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(place).free) < FREE_BYTES:
            raise LabError(
                f"{place} has {free / 1024**3:.1f} GiB free and the lab needs 6 GiB. Free some, "
                "or move the cache: XDG_CACHE_HOME=/a/larger/disk make up"
            )
    network.refuse_if_taken()
    resolver_configuration()


def create(network: Network, hosts: list[str], state: Path, binds: list[str]) -> None:
    preflight(network)
    base = rootfs.ensure()
    state.mkdir(parents=True, exist_ok=True)
    public_key = _key(state / "id_ed25519")
    network.create()
    machines = [Machine(network, name, _number(name)) for name in hosts]
    made = [machine for machine in machines if machine.ensure(base, public_key, binds)]
    _write_ssh(network, machines, state)
    for machine in machines:
        machine.wait(state / "ssh_config")
        machine.finish(base, binds)
        if machine in made:
            print(f"changed: made {machine.name} at {network.address(machine.number)}", flush=True)
    _give_to_the_caller(state)


def destroy(network: Network, state: Path, hosts: list[str]) -> None:
    """Remove these hosts; without any, all of the lab, its network and what is in its state directory. Twice is fine."""
    if hosts:
        for name in hosts:
            Machine(network, name, _number(name)).destroy()
            print(f"changed: removed {name}", flush=True)
        return
    for directory in sorted((STATE / network.lab).glob("*")):
        Machine(network, directory.name, _number(directory.name)).destroy()
        print(f"changed: removed {directory.name}", flush=True)
    network.destroy()
    shutil.rmtree(STATE / network.lab, ignore_errors=True)
    shutil.rmtree(_sockets(network.lab), ignore_errors=True)
    for name in ("ssh_config", "known_hosts", "id_ed25519", "id_ed25519.pub"):
        (state / name).unlink(missing_ok=True)


def _number(host: str) -> int:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", host) or host not in NUMBERS:
        raise LabError(f"the lab knows no host {host!r}; it has {', '.join(NUMBERS)}")
    return NUMBERS[host]


def _key(path: Path) -> str:
    if not path.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "casemate-lab", "-f", str(path))
    return path.with_suffix(".pub").read_text()


def _sockets(lab: str) -> Path:
    # Not in the checkout: a socket's path holds 108 bytes, and a checkout may lie deep.
    return Path("/run/casemate-lab") / lab


def _write_ssh(network: Network, machines: list[Machine], state: Path) -> None:
    sockets = _sockets(network.lab)
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = {machine.name: network.address(machine.number) for machine in machines}
    text = "".join(f"Host {name}\n    HostName {address}\n" for name, address in names.items())
    text += SSH_CONFIG.format(names=" ".join(names), account=ACCOUNT, state=state, sockets=sockets)
    (state / "ssh_config").write_text(text)
    (state / "known_hosts").write_text(
        "".join(f"{names[machine.name]} {' '.join(key.split()[:2])}\n" for machine in machines for key in machine.host_keys())
    )
    _give_to_the_caller(sockets)


def _give_to_the_caller(path: Path) -> None:
    """Under sudo, what lies in the checkout belongs to the person who called it; keys stay private."""
    owner, group = int(os.environ.get("SUDO_UID", 0)), int(os.environ.get("SUDO_GID", 0))
    for entry in (path, *path.rglob("*")):
        if not entry.is_symlink():
            os.chown(entry, owner, group)
    if (key := path / "id_ed25519").exists():
        key.chmod(0o600)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("create", "destroy"))
    parser.add_argument("--lab", required=True)
    parser.add_argument("--network", required=True, metavar="A.B.C", help="the first three numbers of its /24")
    parser.add_argument("--state", required=True, type=Path, help="where ssh_config and the keys lie")
    parser.add_argument("--host", action="append", default=[], choices=sorted(NUMBERS))
    parser.add_argument("--bind", action="append", default=[], metavar="SOURCE:TARGET")
    arguments = parser.parse_args()
    try:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,20}", arguments.lab):
            raise LabError(f"--lab {arguments.lab!r}: a lab's name is lower-case letters, digits and hyphens")
        network = Network(arguments.lab, arguments.network)
        lock = Path(f"/run/lock/casemate-lab-{network.lab}")
        with lock.open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(f"another run is working on the lab {arguments.lab!r}; wait until it has finished") from None
            if arguments.action == "create":
                create(network, arguments.host, arguments.state.resolve(), arguments.bind)
            else:
                destroy(network, arguments.state.resolve(), arguments.host)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
