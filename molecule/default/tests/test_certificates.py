"""A certificate that somebody else issued: judged before anything is touched, served, watched, and given back."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import ROOT, SITE, STATE, Shell, address
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PROGRAM = ROOT / "roles" / "pki" / "files" / "casemate-certificates"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass
class Issuer:
    """An authority that we do not own, with one between it and its leaves."""

    root_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    between_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.root = signed("Elsewhere Root", self.root_key, "Elsewhere Root", self.root_key, authority=True)
        self.between = signed("Elsewhere CA", self.between_key, "Elsewhere Root", self.root_key, authority=True)

    def leaf(self, *, name: str = SITE, key: Key | None = None, days: float = 60, client: bool = False) -> tuple[str, str]:
        """The chain and the key, as a site is given them."""
        own = key or ec.generate_private_key(ec.SECP256R1())
        certificate = signed(name, own, "Elsewhere CA", self.between_key, days=days, client=client)
        return pem(certificate) + pem(self.between), key_pem(own)


def signed(
    name: str, key: Key, by: str, by_key: ec.EllipticCurvePrivateKey, *, authority: bool = False, days: float = 60, client: bool = False
) -> x509.Certificate:
    now = datetime.now(UTC)
    usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), critical=False)
    )
    if authority:
        uses = {"key_cert_sign": True, "crl_sign": True, "digital_signature": True}
        others = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        )
        builder = builder.add_extension(x509.KeyUsage(**uses, **others), critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(by_key, hashes.SHA256())


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: Key, passphrase: bytes = b"") -> str:
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()


def judged(chain: str, key: str) -> str:
    given = json.dumps({"dns": [SITE], "chain": chain, "key": key})
    ran = subprocess.run([sys.executable, PROGRAM, "judge"], input=given, capture_output=True, text=True, check=False)
    return "good" if ran.returncode == 0 else ran.stderr.strip()


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


def test_a_good_one_is_taken_with_its_chain_or_straight_from_a_root(issuer: Issuer) -> None:
    chain, key = issuer.leaf()
    assert judged(chain, key) == "good"
    assert judged(*issuer.leaf(key=ec.generate_private_key(ec.SECP384R1()))) == "good"
    own = ec.generate_private_key(ec.SECP256R1())
    assert judged(pem(signed(SITE, own, "Elsewhere Root", issuer.root_key)), key_pem(own)) == "good"


def test_each_fault_has_a_sentence_of_its_own(issuer: Issuer) -> None:
    chain, key = issuer.leaf()
    (leaf, between), stranger = chain.split("\n-----BEGIN", 1), Issuer()
    turned = f"-----BEGIN{between}{leaf}\n"
    own = ec.generate_private_key(ec.SECP256R1())
    faults = {
        "holds no certificate in PEM": ("", key),
        "cannot be read at its 1. certificate": ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key),
        "came with a key that cannot be read: it must be PEM, without a passphrase": (chain, "no key"),
        "does not belong to the key that came with it": (chain, issuer.leaf()[1]),
        "is not the first of its chain": (turned, key),
        "has no key on the curve P-256 or P-384": issuer.leaf(key=rsa.generate_private_key(65537, 2048)),
        "ended on ": issuer.leaf(days=-1),
        f"is not for {SITE}, but for other.test": issuer.leaf(name="other.test"),
        "is no certificate for a server": issuer.leaf(client=True),
        "its chain does not fit together": (f"{leaf}\n{pem(stranger.between)}", key),
    }
    said = {fault: judged(*given) for fault, given in faults.items()}
    assert {fault: words for fault, words in said.items() if fault not in words} == {}
    assert "without a passphrase" in judged(chain, key_pem(own, b"a passphrase"))


@pytest.fixture
def given_back(converge: Shell) -> Iterator[None]:
    """Afterwards the site has a certificate of our own authority again."""
    yield
    assert converge("--tags", "pki").returncode == 0


def served(trusted: str) -> str:
    """The name of who issued what the site serves to a client that trusts just this."""
    context = ssl.create_default_context(cadata=trusted)
    with socket.create_connection((address(), 443), timeout=10) as plain, context.wrap_socket(plain, server_hostname=SITE) as connection:
        certificate = connection.getpeercert(binary_form=True)
    assert certificate
    (name,) = x509.load_der_x509_certificate(certificate).issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


@pytest.mark.usefixtures("given_back")
def test_the_site_serves_it_and_refuses_a_worse_one(issuer: Issuer, converge: Shell, on_host: Shell, tmp_path: Path) -> None:
    def provided(chain: str, key: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "provided.json"
        path.write_text(json.dumps({"edge_certificate": "provided", "pki_provided_chain": chain, "pki_provided_key": key}))
        return converge("--tags", "pki", "-e", f"@{path}")

    chain, key = issuer.leaf()
    first = provided(chain, key)
    assert first.returncode == 0, first.stdout
    assert served(pem(issuer.root)) == "Elsewhere CA"
    assert "changed=0" in provided(chain, key).stdout
    assert key.splitlines()[1] not in first.stdout
    refused = provided(chain, issuer.leaf()[1])
    assert refused.returncode != 0
    assert "the certificate that pki_provided_chain gives does not belong to the key that came with it. Nothing was changed." in " ".join(
        refused.stdout.split()
    )
    assert "changed=0" in refused.stdout
    assert served(pem(issuer.root)) == "Elsewhere CA"
    # Nobody here can renew it: the timer tells in time.
    assert on_host("sudo systemctl start casemate-certificates.service").returncode == 0
    assert provided(*issuer.leaf(days=13)).returncode == 0
    assert on_host("sudo systemctl start casemate-certificates.service").returncode != 0
    said = on_host("sudo journalctl -u casemate-certificates.service -n 20 -o cat").stdout
    assert f"the certificate that is provided for {SITE} ends on " in said
    assert "give a new one in pki_provided_chain" in said
    on_host("sudo systemctl reset-failed casemate-certificates.service")


def test_afterwards_it_is_our_own_authority_that_issued_it() -> None:
    assert served((STATE / "ca.crt").read_text()) == "Casemate Edge CA"
