"""Questions about addresses that a preflight asks."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable


def within(address: str, networks: Iterable[str]) -> bool:
    """True where the address lies in one of the networks."""
    place = ipaddress.ip_address(address.partition("%")[0])
    return any(place in ipaddress.ip_network(network, strict=False) for network in networks)


def of_family(networks: Iterable[str], version: int) -> list[str]:
    """Those of the networks or addresses that are IPv4 or IPv6, sorted, each once."""
    return sorted({network for network in networks if ipaddress.ip_network(network, strict=False).version == version})


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., object]]:
        return {"within": within, "of_family": of_family}
