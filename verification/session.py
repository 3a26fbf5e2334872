"""A verification's connections: one an appliance, one to the observer, and the facts that were read over them."""

import re
import subprocess
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Self

from verification import expectations
from verification.host import PART_OF_HOUSEHOLD, Facts, Host, Observer, read_inside
from verification.household import PARTS
from verification.inventory import TIERS, Inventory
from verification.mending import converge
from verification.ssh import Connection
from verification.words import CannotRun

SSH_OFFERS = "ssh_offers"  # what a connection of its own tells, from this controller


@dataclass
class Session:
    """Open it with `with`: the connections close at the end."""

    inventory: Inventory
    hosts: list[Host] = field(init=False)
    observer: Observer = field(init=False)
    expected: dict[str, Any] = field(init=False)
    problems: list[str] = field(default_factory=list, init=False)  # what is wrong with the inventory, and ends no verification

    def __post_init__(self) -> None:
        without = [tier for tier in TIERS if not any(tier in address.tiers for address in self.inventory.hosts)]
        self.expected = expectations.load(self.inventory.profile, self.inventory.declared, without=without)
        self.hosts = [Host.at(address, self.inventory.declared_by(address.name)) for address in self.inventory.hosts]
        seen_from = self.inventory.observer
        self.observer = Observer(seen_from.name, Connection(seen_from.name, seen_from.ssh)) if seen_from else Observer("controller")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for host in self.hosts:
            with suppress(CannotRun):  # a host that is gone counts nobody
                host.count_again()
            host.connection.close()
        if self.observer.connection:
            self.observer.connection.close()

    def read(self, sections: Collection[str] | None = None) -> None:
        """Reads the facts of all hosts, inside and outside at the same time: all sections, or just these.

        Whether a host may be acted on is read in any case; what else is asked for follows when it is.
        """
        chosen = {} if sections is None else {"sections": sorted({*sections, "disposable"})}
        with ThreadPoolExecutor(max_workers=2 * len(self.hosts) + 2) as pool:
            inside = [pool.submit(read_inside, host, {**self.expected["read_inside"], **chosen}) for host in self.hosts]
            outside = [pool.submit(self.observer.look, {**self._outside_parameters(host), **chosen}) for host in self.hosts]
            knocking = self.hosts if sections is None or SSH_OFFERS in sections else []
            knocks = {host.name: pool.submit(offered_by_ssh, host) for host in knocking}
            for host, within, around in zip(self.hosts, inside, outside, strict=True):
                host.inside = within.result()
                offered = {SSH_OFFERS: knocks[host.name].result()} if host.name in knocks else {}
                host.outside = Facts({**around.result().sections, **offered}, around.result().seconds)
                host.site, host.witness = host.declared["site_name"], self.observer.name
                host.seen_by_stranger = self.observer.connection is not None
                host.page, host.kinds_left_out = self.expected["site"]["page"], frozenset(self.expected["site"]["kinds_left_out"])
                host.look_outside = partial(self._look, host)
                host.dry_run = partial(converge, self.inventory, host.name, [], dry=True)
                host.expected_parts = _parts(sections)
                host.forget()
                if sections is not None:
                    host.inside.read_more = partial(self._more_inside, host)
                    host.outside.read_more = partial(self._more_outside, host)
                if "open_ports" in host.outside.sections:
                    self._look_again(host)

    def _look(self, host: Host, parameters: Mapping[str, Any]) -> Facts:
        return self.observer.look({**self._outside_parameters(host), **parameters})

    def _more_inside(self, host: Host, section: str) -> Facts:
        return read_inside(host, {**self.expected["read_inside"], "sections": [section]})

    def _more_outside(self, host: Host, section: str) -> Facts:
        if section == SSH_OFFERS:
            return Facts({SSH_OFFERS: offered_by_ssh(host)})
        return self._look(host, {"sections": [section], "listening_ports": _unusual_ports(host)})

    def _look_again(self, host: Host) -> None:
        """Ports that the host listens on and that are not among the usual ones are tried from outside too."""
        unusual = _unusual_ports(host)
        if not {*unusual} - {3306}:
            return
        again = self._look(host, {"sections": ["open_ports"], "listening_ports": unusual})
        host.outside.sections = {**host.outside.sections, **again.sections}
        host.outside.seconds += again.seconds

    def _outside_parameters(self, host: Host) -> dict[str, Any]:
        addresses = [str(address) for address in host.declared.get("site_addresses", [])]
        if not addresses:
            raise CannotRun("declared.yml lists no site_addresses: the verifier does not know where to look from outside")
        return {
            "site": host.declared["site_name"],
            "page": self.expected["site"]["page"],
            "address": addresses[0],
            "addresses": addresses,
            "ca": self._trust_anchor(),
            "listening_ports": [],
            "marks": self.expected["read_inside"]["marks"],
            "body_limits": self.expected.get("body_limits", {}),
            "http3": host.declared.get("http3", True),
            "nowhere": self.expected.get("nowhere", []),
        }

    def _trust_anchor(self) -> str | None:
        """None where it is not there, as on a host that was never converged: then everything else is still to be seen."""
        try:
            return self.inventory.trust_anchor
        except CannotRun as error:
            self.problems = sorted({*self.problems, str(error)})
            return None


def _unusual_ports(host: Host) -> list[int]:
    return sorted({listener["port"] for listener in host.inside.get("listeners", []) if listener["port"] > 1024})


def _parts(sections: Collection[str] | None) -> frozenset[str]:
    """The parts of a household that are among these sections, or all."""
    if sections is None:
        return PARTS
    return frozenset(name.removeprefix(PART_OF_HOUSEHOLD) for name in sections if name.startswith(PART_OF_HOUSEHOLD))


def offered_by_ssh(host: Host) -> dict[str, Any]:
    """The ways of signing in that sshd names to somebody without a key, asked for over a connection of its own."""
    argv = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ControlPath=none"]
    argv += ["-o", "PreferredAuthentications=none", "-o", "PubkeyAuthentication=no", *host.connection.options, "true"]
    said = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stderr
    if match := re.search(r"Permission denied \(([^)]*)\)", said):
        return {"value": match[1].split(",")}
    return {"error": said.strip()[-200:] or "sshd let somebody in who showed nothing"}
