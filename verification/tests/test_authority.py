"""X-23: what OpenSSL says of a certificate is read as it is meant, and what casemate-certificates decides on its own."""

import ipaddress
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

from verification.remote import authority

SITE = "casemate.test"
Key = ec.EllipticCurvePrivateKey


@dataclass
class Made:
    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.sealed(serialization.NoEncryption())

    def sealed(self, seal: serialization.KeySerializationEncryption) -> str:
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, seal).decode()

    def lay(self, place: Path) -> Path:
        """As PLACE.crt and PLACE.key; the first of them."""
        place.parent.mkdir(exist_ok=True)
        place.with_suffix(".key").write_text(self.key_pem)
        place.with_suffix(".crt").write_text(self.pem)
        return place.with_suffix(".crt")


def made(
    name: str, by: Made | None = None, *, life: float = 30, left: float = 30, names: Iterable[x509.GeneralName] = (), ca: bool = False
) -> Made:
    """A certificate that lives so many days, of which so many are left."""
    key, ends = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC) + timedelta(days=left)
    issuer = by.certificate.subject if by else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    uses = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=life))
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca and by else None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **uses), critical=True)
        .add_extension(x509.ExtendedKeyUsage([Purpose.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key((by.key if by else key).public_key()), critical=False)
    )
    if ca and by:
        permitted = [x509.DNSName(SITE), x509.IPAddress(ipaddress.ip_network("10.77.0.10/32"))]
        excluded = [x509.IPAddress(ipaddress.ip_network("::/0"))]
        builder = builder.add_extension(x509.NameConstraints(permitted, excluded), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Made(builder.sign(by.key if by else key, hashes.SHA256()), key)


@pytest.fixture(scope="module")
def root() -> Made:
    return made("Root", life=3650, left=3650, ca=True)


def test_an_authority_is_read_with_what_it_may_and_may_not_sign_for(root: Made, tmp_path: Path) -> None:
    read = authority._certificate(made("Between", root, life=700, left=699.96, ca=True).lay(tmp_path / "between"))
    assert read["limits"] == ["DNS:casemate.test", "IP:10.77.0.10/32", "not IP:::/0"]
    assert read["use"] == ["CRL Sign", "Certificate Sign", "TLS Web Server Authentication"]
    assert (read["subject"], read["issuer"], read["authority"]) == ("CN=Between", "CN=Root", "CA:TRUE, pathlen:0")
    assert (read["days"], read["days left"]) == (700, 700)


def test_one_that_is_made_older_for_a_trial_keeps_its_name_and_limits(root: Made, tmp_path: Path) -> None:
    made("Between", root, life=700, ca=True).lay(tmp_path / "edge" / "ca")
    root.lay(tmp_path / "root")
    for name in ("root", "edge/ca"):
        authority._sign(tmp_path / name, 50, tmp_path / "root")
    read = authority._certificate(tmp_path / "edge" / "ca.crt")
    assert (read["subject"], read["authority"], read["days"]) == ("CN=Between", "CA:TRUE, pathlen:0", 50)
    assert read["limits"] == ["DNS:casemate.test", "IP:10.77.0.10/32", "not IP:::/0"]
    trusted = ["openssl", "verify", "-x509_strict", "-CAfile", str(tmp_path / "root.crt"), str(tmp_path / "edge" / "ca.crt")]
    assert subprocess.run(trusted, capture_output=True, check=False).returncode == 0


def test_a_leafs_names_are_read_and_none_where_there_are_none(root: Made, tmp_path: Path) -> None:
    names = [x509.DNSName(SITE), x509.IPAddress(ipaddress.ip_address("10.77.0.10")), x509.IPAddress(ipaddress.ip_address("fd77::10"))]
    read = authority._certificate(made(SITE, root, names=names).lay(tmp_path / "leaf"))
    assert read["names"] == ["DNS:casemate.test", "IP:10.77.0.10", "IP:fd77::10"]
    assert read["use"] == ["Digital Signature", "TLS Web Server Authentication"]
    bare = authority._certificate(made("casemate_app", root).lay(tmp_path / "bare"))
    assert (bare["names"], bare["limits"]) == ([], [])


def test_a_key_that_a_passphrase_seals_is_nobodys(root: Made, tmp_path: Path) -> None:
    certificate = root.lay(tmp_path / "root")
    assert authority._public(str(certificate.with_suffix(".key"))) == authority._certificate(certificate)["public"]
    (tmp_path / "sealed").write_text(root.sealed(serialization.BestAvailableEncryption(b"correct-horse")))
    assert authority._public(str(tmp_path / "sealed")) == ""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host_program: Callable[[str], ModuleType]) -> ModuleType:
    """casemate-certificates, whose folder is another one."""
    module = host_program("roles/pki/files/casemate-certificates")
    monkeypatch.setattr(module, "HOME", tmp_path)
    return module


def entry(tmp_path: Path, issued: Made | None, by: Made) -> dict[str, Any]:
    """The site's entry in the plan, with what certbot keeps for it."""
    live = tmp_path / "live"
    live.mkdir(exist_ok=True)
    if issued:
        (live / "cert.pem").write_text(issued.pem)
        (live / "fullchain.pem").write_text(issued.pem + by.pem)
        (live / "privkey.pem").write_text(issued.key_pem)
    return {"name": "edge/server", "subject": SITE, "dns": [SITE], "issuer": "acme", "from": str(live)}


@pytest.mark.parametrize(
    ("life", "left", "asked"),
    [(90, 31, False), (90, 29, True), (6, 3.1, False), (6, 2.9, True), (47, 16, False), (47, 15, True), (90, -1, True)],
)
def test_another_is_asked_for_with_a_third_of_its_life_left_or_half_of_a_short_one(
    program: ModuleType, root: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: float, left: float, asked: bool
) -> None:
    ran: list[list[str]] = []
    real = subprocess.run

    def run(command: list[str], **more: Any) -> Any:
        if command[0] != "certbot":
            return real(command, **more)
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    program.ask(entry(tmp_path, made(SITE, root, life=life, left=left, names=[x509.DNSName(SITE)]), root))
    assert bool(ran) is asked


def test_one_for_another_name_and_none_at_all_are_asked_for(
    program: ModuleType, root: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(program, "HOME", tmp_path)
    for issued, said in (
        (None, "is not there"),
        (made("x", root, names=[x509.DNSName("old.test")]), "is not for casemate.test, but for old.test"),
    ):
        real = subprocess.run
        monkeypatch.setattr(
            subprocess, "run", lambda command, real=real, **more: real(["false"] if command[0] == "certbot" else command, **more)
        )
        with pytest.raises(program.Refused, match="certbot got none"):
            program.ask(entry(tmp_path, issued, root))
        assert said in capsys.readouterr().out


def test_what_our_own_authority_issued_is_no_certificate_that_came(program: ModuleType, root: Made, tmp_path: Path) -> None:
    ours = made("Casemate Edge CA", root, ca=True)
    ours.lay(tmp_path / "edge" / "ca")
    given = entry(tmp_path, None, root)
    assert program.came_by_acme(given) is False
    made(SITE, ours, names=[x509.DNSName(SITE)]).lay(tmp_path / "edge" / "server")
    assert program.came_by_acme(given) is False
    made(SITE, made("Another", ca=True), names=[x509.DNSName(SITE)]).lay(tmp_path / "edge" / "server")
    assert program.came_by_acme(given) is True


def test_with_a_fifth_of_its_life_left_the_daily_look_tells(program: ModuleType, root: Made, tmp_path: Path) -> None:
    given = entry(tmp_path, None, root)
    for left, told in ((19, []), (17, ["the certificate that came by ACME for casemate.test ends on "])):
        issued = made(SITE, root, life=90, left=left, names=[x509.DNSName(SITE)])
        issued.lay(tmp_path / "edge" / "server").write_text(issued.pem + root.pem)
        said = program.watch_given(given, check=False, alone=True)
        assert [one[: len(begins)] for one, begins in zip(said, told, strict=True)] == told
        assert program.watch_given(given, check=False, alone=False) == []


def test_keys_of_nothing_that_is_planned_are_removed_and_the_roots_certificate_stays(
    program: ModuleType, root: Made, tmp_path: Path
) -> None:
    for place in ("root", "edge/ca", "edge/server", "database/app", "database/gone"):
        root.lay(tmp_path / place)
    (tmp_path / "edge" / "quic.key").write_text("of nginx")
    plan = {"authorities": {"edge": {}}, "certificates": [{"name": "edge/server"}, {"name": "database/app"}]}
    before = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")}
    program.remove_strays(plan, check=True)
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")} == before
    program.remove_strays(plan, check=False)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert {str(path) for path in before} - left == {"root.key", "database/gone.key", "database/gone.crt"}
