"""A certificate from an authority that speaks ACME: Pebble, on the lab's second host, which asks over port 80 as Let's Encrypt does."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from conftest import INVENTORY, ROOT, SITE, STATE, Shell, address, run_here
from test_certificates import served

ANCHOR = STATE / "ca.crt"
UNIT = "casemate-lab-pebble"
OWN = ROOT / ".lab" / "inventory-acme"  # the same hosts, of which something else is declared
# By which a person would see that a certificate was kept.
SERIAL = "sudo openssl x509 -noout -serial -in /etc/casemate/pki/edge/server.crt"


@dataclass
class Pebble:
    """An ACME authority on the observer. Its root is another one each time it starts."""

    on_host: Shell
    address: str

    @property
    def directory(self) -> str:
        return f"https://{self.address}:14000/dir"

    def start(self, life_seconds: int) -> None:
        """What it issues lives so long."""
        configuration = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "127.0.0.1:15000",
            "certificate": "/etc/casemate/relay.crt",
            "privateKey": "/etc/casemate/relay.key",
            "httpPort": 80,
            "tlsPort": 443,
            "certificateValidityPeriod": life_seconds,
        }
        self.stop()
        self._run(f"echo '{json.dumps({'pebble': configuration})}' | sudo tee /etc/casemate/pebble.json >/dev/null")
        self._run(
            f"sudo systemd-run --quiet --unit={UNIT} --setenv=PEBBLE_VA_NOSLEEP=1 --setenv=PEBBLE_AUTHZREUSE=0 "
            "pebble -config /etc/casemate/pebble.json"
        )
        self._run("for i in $(seq 50); do curl -sk https://127.0.0.1:15000/roots/0 >/dev/null && exit 0; sleep 0.2; done; exit 1")

    def stop(self) -> None:
        self.on_host(f"sudo systemctl stop {UNIT} 2>/dev/null; sudo systemctl reset-failed {UNIT} 2>/dev/null", "observer")

    def root(self) -> str:
        return self._run("curl -sk https://127.0.0.1:15000/roots/0")

    def _run(self, command: str) -> str:
        ran = self.on_host(command, "observer")
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


@pytest.fixture(scope="module")
def pebble(on_host: Shell, converge: Shell) -> Iterator[Pebble]:
    found = re.search(r"Host observer\n\s+HostName (\S+)", (STATE / "ssh_config").read_text())
    assert found
    install = (
        "dpkg-query -s pebble >/dev/null 2>&1 || sudo DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends pebble"
    )
    ran = on_host(f"{install} && (grep -q ' {SITE}$' /etc/hosts || echo '{address()} {SITE}' | sudo tee -a /etc/hosts)", "observer")
    assert ran.returncode == 0, ran.stderr
    on_host("sudo rm -rf /var/lib/casemate-acme/config")  # of an earlier run on this host
    authority = Pebble(on_host, found[1])
    authority.stop()
    yield authority
    # The site has a certificate of our own authority again, and nobody asks for another.
    given_back = converge("--tags", "pki,firewall,nginx")
    authority.stop()
    assert given_back.returncode == 0, given_back.stdout
    assert served(ANCHOR.read_text()) == "Casemate Edge CA"
    assert on_host("systemctl is-enabled certbot.timer; ls /etc/systemd/system/certbot.service.d").stdout.split() == ["disabled"]


def inventory(**declared: Any) -> str:
    """One in which this is declared as well."""
    shutil.rmtree(OWN, ignore_errors=True)
    OWN.mkdir(parents=True)
    lab = (ROOT / INVENTORY).parent
    shutil.copy(lab / "hosts.yml", OWN)
    (OWN / "group_vars").symlink_to((lab / "group_vars").resolve())
    (OWN / "declared.yml").write_text(yaml.safe_dump(yaml.safe_load((lab / "declared.yml").read_text()) | declared))
    return str(OWN / "hosts.yml")


def acme(converge: Shell, pebble: Pebble, *tags: str) -> tuple[int, str]:
    authority = {"directory": pebble.directory, "trust_anchor": str(ANCHOR), "addresses": [pebble.address], "contact": f"ops@{SITE}"}
    hosts = inventory(edge_certificate="acme", acme=authority, trust_anchor=str(OWN / "root.crt"))
    ran = converge("--tags", ",".join(tags or ("pki",)), inventory=hosts)
    return ran.returncode, " ".join(ran.stdout.split())


def test_an_authority_that_does_not_answer_leaves_the_old_certificate(converge: Shell, pebble: Pebble) -> None:
    status, said = acme(converge, pebble, "pki", "firewall", "nginx")
    assert status != 0
    assert f"no certificate came by ACME for {SITE}; the old one stays" in said
    assert "Connection refused" in said
    assert served(ANCHOR.read_text()) == "Casemate Edge CA"


def test_it_is_issued_taken_and_kept(converge: Shell, on_host: Shell, pebble: Pebble) -> None:
    pebble.start(life_seconds=6 * 86400)
    status, said = acme(converge, pebble)
    assert status == 0, said
    assert served(pebble.root()).startswith("Pebble Intermediate CA")
    status, said = acme(converge, pebble)
    assert status == 0, said
    assert "changed=0" in said, said
    before = on_host(SERIAL).stdout
    assert on_host("sudo systemctl start certbot.service").returncode == 0
    assert on_host(SERIAL).stdout == before
    # Nothing of what is secret in it can be read by who has no right to: nginx's workers, for one.
    keys = on_host("sudo -u www-data find /var/lib/casemate-acme -name '*.pem' -readable 2>/dev/null").stdout
    assert keys == ""
    # And the whole host is as it is expected to be with it, to a client that trusts that authority alone.
    (OWN / "root.crt").write_text(pebble.root())
    verified = run_here(["casemate", "verify", "-i", str(OWN / "hosts.yml"), "--limit", "casemate", "--evidence", str(STATE / "evidence")])
    assert verified.returncode == 0, verified.stdout
    assert "score 100 %" in verified.stdout


@pytest.mark.skipif(os.environ.get("CASEMATE_PROBES") != "all", reason="waits for a certificate to grow old: make test-full")
def test_a_renewal_that_fails_is_an_alert_and_the_next_one_mends_it(converge: Shell, on_host: Shell, pebble: Pebble) -> None:
    # With half of it over it is renewed, as one of six days after three.
    pebble.start(life_seconds=60)
    on_host("sudo rm -rf /var/lib/casemate-acme/config")
    status, said = acme(converge, pebble)
    assert status == 0, said
    first = on_host(SERIAL).stdout
    time.sleep(31)
    # What Debian's timer starts.
    assert on_host("systemctl show certbot.timer --property=Unit --value").stdout.strip() == "certbot.service"
    away = f"sudo ip route add unreachable {pebble.address}; sudo systemctl start certbot.service; failed=$?"
    assert on_host(f"{away}; sudo ip route del unreachable {pebble.address}; exit $failed").returncode != 0
    assert on_host(SERIAL).stdout == first
    told = (
        "for i in $(seq 50); do sudo journalctl -q -t casemate-alert --since=-60s -o cat | grep certbot.service && exit 0; sleep 0.2; done"
    )
    assert on_host(told).stdout != ""

    assert on_host("sudo systemctl start certbot.service").returncode == 0
    assert on_host(SERIAL).stdout != first
    assert served(pebble.root()).startswith("Pebble Intermediate CA")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"directory": "http://ca.casemate.test/dir"}, "directory must be an https address"),
        ({"directory": "https://ca.casemate.test/dir", "staging": True}, "give one of them"),
        ({"addresses": ["ca.casemate.test"]}, "addresses IPv4 or IPv6 addresses"),
    ],
)
def test_what_no_authority_can_be_asked_by_is_refused(converge: Shell, given: dict[str, object], named: str) -> None:
    ran = converge("--tags", "pki", "-e", json.dumps({"edge_certificate": "acme", "acme": given}))
    assert ran.returncode != 0
    assert named in " ".join(ran.stdout.split())
    assert "changed=0" in ran.stdout
