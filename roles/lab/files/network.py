"""The network of one lab: a bridge with the controller as gateway, a namespace and a veth pair for each host."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import subprocess
from pathlib import Path

from rootfs import LabError

WATCHERS = 1024


def run(*command: str, stdin: str | None = None, check: bool = True) -> str:
    """Run a command and return what it prints. Raises LabError with its own words where it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise LabError(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


class Network:
    """Names and addresses of a lab's network. Every name is made from the lab's, so that two labs never meet."""

    def __init__(self, lab: str, prefix: str) -> None:
        try:
            self.subnet = ipaddress.IPv4Network(f"{prefix}.0/24")
        except ValueError as error:
            raise LabError(f"--network {prefix!r} is not the first three numbers of an IPv4 network, as 10.77.0 is") from error
        first, second, third = prefix.split(".")
        if first != "10" or not 10 <= int(second) <= 99:
            raise LabError(f"--network {prefix!r}: the labs' networks are 10.10.0 to 10.99.255")
        # Labs of one name in two checkouts, each with networks of its own (CASEMATE_NETWORKS).
        self.lab, self.prefix = lab if second == "77" else f"{lab}-{second}", prefix
        self.prefix6 = f"fd{second}:0:0:{third}"
        # An interface name holds 15 characters.
        self.bridge = f"cm-{_short(self.lab)}"
        self.table = f"casemate_lab_{self.lab.replace('-', '_')}"

    def address(self, number: int) -> str:
        return f"{self.prefix}.{number}"

    def address6(self, number: int) -> str:
        return f"{self.prefix6}::{number}"

    def namespace(self, host: str) -> str:
        return f"casemate-{self.lab}-{host}"

    def refuse_if_taken(self) -> None:
        """Raise LabError where an interface or a route of somebody else already uses this subnet."""
        for route in json.loads(run("ip", "-j", "route", "show", "table", "all") or "[]"):
            if route.get("dev") in (self.bridge, None) or route["dst"] == "default":
                continue
            try:
                taken = ipaddress.ip_network(route["dst"], strict=False)
            except ValueError:
                continue
            if taken.version == 4 and taken.overlaps(self.subnet) and taken.prefixlen >= 8:
                raise LabError(
                    f"the lab's network {self.subnet} is in use here ({route['dst']} on {route['dev']}). "
                    "Take that one down (another checkout's lab? `make down` there), free the network, or set CASEMATE_NETWORKS=10.78"
                )

    def create(self) -> None:
        if self.bridge not in _links():
            run("ip", "link", "add", self.bridge, "type", "bridge", "stp_state", "0")
        run("ip", "address", "replace", f"{self.address(1)}/24", "dev", self.bridge)
        run("ip", "-6", "address", "replace", f"{self.address6(1)}/64", "dev", self.bridge, "nodad")
        run("ip", "link", "set", self.bridge, "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        # Each host's systemd and services watch files, about ten watchers a host, and all hosts' root is one user to the kernel: with
        # the usual limit of 128 the twelfth host on a machine, of whatever lab, does not boot.
        watchers = Path("/proc/sys/fs/inotify/max_user_instances")
        if int(watchers.read_text()) < WATCHERS:
            watchers.write_text(str(WATCHERS))
        # A table of the lab's own: deleting it is the whole clean-up.
        rules = f"""
table ip {self.table} {{}}
delete table ip {self.table}
table ip {self.table} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        ip saddr {self.subnet} ip daddr != {self.subnet} masquerade
    }}
}}
"""
        run("nft", "-f", "-", stdin=rules)

    def attach(self, host: str, number: int) -> None:
        """Give a host its namespace, with eth0 on the bridge and the controller as its gateway."""
        short = _short(f"{self.lab}/{host}")
        namespace, outside = self.namespace(host), f"cmv{short}"
        # The same after each start: its neighbours remember it, and for seconds would not reach a host that came back with another.
        hardware = f"02:{':'.join(re.findall('..', short))}"
        self.detach(host)
        run("ip", "netns", "add", namespace)
        run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "address", hardware, "netns", namespace)
        run("ip", "link", "set", outside, "master", self.bridge, "up")
        inside = ("ip", "-n", namespace)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "address", "add", f"{self.address(number)}/24", "dev", "eth0")
        run(*inside, "-6", "address", "add", f"{self.address6(number)}/64", "dev", "eth0", "nodad")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "route", "add", "default", "via", self.address(1))
        run(*inside, "-6", "route", "add", "default", "via", self.address6(1))

    def detach(self, host: str) -> None:
        run("ip", "link", "del", f"cmv{_short(f'{self.lab}/{host}')}", check=False)
        run("ip", "netns", "del", self.namespace(host), check=False)

    def destroy(self) -> None:
        run("ip", "link", "del", self.bridge, check=False)
        run("nft", "delete", "table", "ip", self.table, check=False)


def resolver_configuration() -> str:
    """What a lab host's resolv.conf says: the controller's, without name servers on its loopback, which no other host reaches.

    Raises LabError where none is left.
    """
    # Where systemd-resolved runs, the first names its stub alone, and the second the servers that it asks.
    for file in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        text = file.read_text() if file.exists() else ""
        kept = re.sub(r"^(#|nameserver\s+(127\.|::1$)).*\n?", "", text, flags=re.MULTILINE)
        if re.search(r"^nameserver", kept, flags=re.MULTILINE):
            return kept
    raise LabError("/etc/resolv.conf names no server beyond this machine's loopback, which no lab host reaches. Name one there as well")


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:10]


def _links() -> set[str]:
    return {link["ifname"] for link in json.loads(run("ip", "-j", "link"))}
