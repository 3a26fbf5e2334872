"""Questions about addresses that a preflight asks."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

SERVICES = ("http", "https", "submission")  # names that nft knows too


def within(address: str, networks: Iterable[str]) -> bool:
    """True where the address lies in one of the networks."""
    place = ipaddress.ip_address(address.partition("%")[0])
    return any(place in ipaddress.ip_network(network, strict=False) for network in networks)


def of_family(networks: Iterable[str], version: int) -> list[str]:
    """Those of the networks or addresses that are IPv4 or IPv6, sorted, each once."""
    return sorted({network for network in networks if ipaddress.ip_network(network, strict=False).version == version})


def roads(networks: Iterable[str]) -> list[str]:
    """Those that are somebody's: a network of more than a 256th of IPv4, or a 65536th of IPv6, is a part of the world."""
    narrowest = {4: 8, 6: 16}
    return [one for one in networks if (network := ipaddress.ip_network(one, strict=False)).prefixlen >= narrowest[network.version]]


def egress_faults(egress: dict[str, list[Any]]) -> list[str]:
    """A sentence for each line of egress from which no rule of the firewall can be made."""
    return [sentence for account, services in egress.items() for sentence in _faults(str(account), services)]


def _faults(account: str, services: object) -> Iterator[str]:
    if not re.fullmatch(r"[a-z_][a-z0-9_-]*", account):
        yield f"{account!r} is no name of an account"
    for service in services if isinstance(services, list) else [services]:
        where = service if isinstance(service, dict) else {"port": service}
        if where.keys() - {"port", "to"}:
            yield f"{account} has {service!r}, of which only port and to are known"
        port = str(where.get("port"))
        if not (re.fullmatch(r"[1-9][0-9]{0,4}", port) and int(port) <= 65535) and port not in SERVICES:
            yield f"{account} has {service!r}, whose port is neither a number up to 65535 nor one of {', '.join(SERVICES)}"
        for address in where.get("to", []):
            try:
                ipaddress.ip_network("%" if "%" in str(address) else str(address), strict=False)
            except ValueError:
                yield f"{account} has {address!r}, which is no address or network"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., object]]:
        return {"within": within, "of_family": of_family, "roads": roads, "egress_faults": egress_faults}
