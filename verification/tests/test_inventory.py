"""What the verifier takes of an inventory: of several hosts each gets its own declaration, and nothing that it need not know."""

from pathlib import Path

import pytest

from verification import inventory
from verification.words import CannotRun

HOSTS = """
all:
  vars: {site_prefix: vault, mail_relay_password: canary}
  children:
    appliance:
      children:
        edge:
          hosts:
            north: {site_address: 192.0.2.10}
            south: {site_address: 192.0.2.11, ansible_host: 192.0.2.99}
"""
DECLARED = """
site_name: "{{ site_prefix }}-{{ inventory_hostname }}.example.org"
site_addresses: ["{{ site_address }}"]
profile: lab
"""


def an_inventory(folder: Path, declared: str = DECLARED) -> Path:
    (folder / "hosts.yml").write_text(HOSTS)
    (folder / "declared.yml").write_text(declared)
    return folder / "hosts.yml"


def test_each_host_is_declared_with_its_own_variables(tmp_path: Path) -> None:
    found = inventory.read(an_inventory(tmp_path))
    assert [address.ssh for address in found.hosts] == [("north",), ("192.0.2.99",)]
    assert found.declared_by("south") == {"site_name": "vault-south.example.org", "site_addresses": ["192.0.2.11"], "profile": "lab"}
    assert found.sites == ["vault-north.example.org", "vault-south.example.org"]
    assert "canary" not in repr(found)


def test_two_hosts_of_which_one_would_never_be_seen_are_refused(tmp_path: Path) -> None:
    path = an_inventory(tmp_path, DECLARED.replace('"{{ site_address }}"', "192.0.2.10"))
    with pytest.raises(CannotRun, match=r"north and south the same address 192\.0\.2\.10.*in hosts\.yml a site_address for each host"):
        inventory.read(path)
    assert inventory.read(path, limit="south").sites == ["vault-south.example.org"]


def test_a_profile_is_one_for_all_hosts(tmp_path: Path) -> None:
    path = an_inventory(tmp_path, DECLARED.replace("lab", "\"{{ 'lab' if inventory_hostname == 'north' else 'baseline' }}\""))
    with pytest.raises(CannotRun, match="north and south a different profile"):
        inventory.read(path)
