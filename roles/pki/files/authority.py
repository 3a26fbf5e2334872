"""The root of Casemate's certificates: it lives on the controller and signs one intermediate a purpose.

authority.py ensure DIRECTORY [--copy FILE] [--generate-passphrase] [--check]   make key and certificate once
authority.py sign DIRECTORY                                                    sign requests

Both read one JSON object from standard input: {"passphrase": "..."}; `sign` needs in it also "authorities" (what may be
signed, from the controller's own plan, never from a host) and "requests" {name: certificate request in PEM}.
`sign` prints {name: certificate}. Each certificate ever signed is recorded in DIRECTORY/index.txt.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT_SUBJECT = "/CN=Casemate Root CA"
ROOT_DAYS = 3650
INTERMEDIATE_DAYS = 730
CLOCK_SKEW_SECONDS = 300  # a host whose clock is a little behind still accepts a new certificate

ROOT_EXTENSIONS = """
[root]
basicConstraints = critical,CA:TRUE,pathlen:1
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""

SIGNING_CONFIGURATION = """
[ca]
default_ca = root
[root]
database = {directory}/index.txt
new_certs_dir = {directory}
certificate = {directory}/root.crt
private_key = {directory}/root.key
rand_serial = yes
unique_subject = no
default_md = sha384
policy = name_only
x509_extensions = intermediate
[name_only]
commonName = supplied
[intermediate]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
extendedKeyUsage = {usage}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
nameConstraints = critical,{constraints}
"""


class Refused(Exception):
    """A sentence for the operator."""


def openssl(*arguments: str, passphrase: str | None = None, text: str | None = None) -> str:
    """Run openssl; the passphrase travels through a pipe (fd), so it stands in no argument and no environment."""
    command = ["openssl", *arguments]
    descriptors: tuple[int, ...] = ()
    if passphrase is not None:
        reader, writer = os.pipe()
        os.write(writer, passphrase.encode() + b"\n")
        os.close(writer)
        command = [part.replace("{fd}", f"fd:{reader}") for part in command]
        descriptors = (reader,)
    try:
        done = subprocess.run(command, input=text, text=True, capture_output=True, pass_fds=descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    if done.returncode != 0:
        raise Refused(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.rename(path)


def the_passphrase(directory: Path, given: str, generate: bool) -> str:
    """The operator's own, or the one in the file beside the key, which only a lab has."""
    file = directory / "passphrase"
    if given:
        return given
    if not file.exists():
        if not generate:
            raise Refused(f"no passphrase for the root key in {directory}: set pki_authority_passphrase (from an ansible-vault file).")
        write_private(file, secrets.token_urlsafe(32) + "\n")
    return file.read_text().strip()


def ensure(directory: Path, copy: Path | None, given: str, generate: bool, check: bool) -> None:
    key, certificate = directory / "root.key", directory / "root.crt"
    if not (key.exists() and certificate.exists()):
        print(f"changed: root certificate made in {directory}")
        if check:
            return
        if key.exists() != certificate.exists():
            raise Refused(f"{directory} holds only one of root.key and root.crt. Restore the other, or move this one away.")
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        passphrase = the_passphrase(directory, given, generate)
        # scrypt makes each guess of the passphrase cost memory and time
        plain = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
        sealed = openssl("pkcs8", "-topk8", "-scrypt", "-v2", "aes-256-cbc", "-passout", "{fd}", passphrase=passphrase, text=plain)
        with tempfile.NamedTemporaryFile("w", suffix=".cnf") as extensions:
            extensions.write(f"[req]\ndistinguished_name = name\n[name]\n{ROOT_EXTENSIONS}")
            extensions.flush()
            request = ["req", "-x509", "-new", "-sha384", "-days", str(ROOT_DAYS), "-subj", ROOT_SUBJECT, "-config", extensions.name]
            text = openssl(*request, "-extensions", "root", "-key", "/dev/stdin", text=plain)
        write_private(directory / "index.txt", "")
        write_private(key, sealed)
        write_private(certificate, text)
        certificate.chmod(0o644)
    if copy and (not copy.exists() or copy.read_text() != certificate.read_text()):
        print(f"changed: root certificate copied to {copy}")
        if not check:
            copy.write_text(certificate.read_text())
    print("certificate: " + json.dumps(certificate.read_text()))


def constraints(allowed: dict[str, Any]) -> str:
    """A kind of name that is not listed would be free, so where no address is permitted all are excluded."""
    parts = [f"permitted;DNS:{name}" for name in allowed["dns"]]
    for address in allowed["addresses"]:
        mask = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" if ":" in address else "255.255.255.255"
        parts.append(f"permitted;IP:{address}/{mask}")
    if not any("." in address for address in allowed["addresses"]):
        parts.append("excluded;IP:0.0.0.0/0.0.0.0")
    if not any(":" in address for address in allowed["addresses"]):
        parts.append("excluded;IP:::/::")
    return ",".join(parts)


def utc(seconds: float) -> str:
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


def sign(directory: Path, order: dict[str, Any]) -> dict[str, str]:
    signed = {}
    passphrase = the_passphrase(directory, order.get("passphrase", ""), generate=False)
    for name, request in order["requests"].items():
        allowed = order["authorities"][name]
        subject = openssl("req", "-noout", "-subject", "-nameopt", "RFC2253", text=request).strip()
        if subject != f"subject=CN={allowed['subject']}":
            raise Refused(f"the host asks for {subject}, but {name} is to be CN={allowed['subject']}: nothing was signed.")
        with tempfile.TemporaryDirectory() as scratch:
            configuration = Path(scratch, "ca.cnf")
            configuration.write_text(
                SIGNING_CONFIGURATION.format(directory=directory, usage=",".join(allowed["usage"]), constraints=constraints(allowed))
            )
            span = ["-startdate", utc(time.time() - CLOCK_SKEW_SECONDS), "-enddate", utc(time.time() + INTERMEDIATE_DAYS * 86400)]
            signed[name] = openssl(
                *["ca", "-batch", "-notext", "-config", str(configuration), "-in", "/dev/stdin", *span, "-passin", "{fd}"],
                passphrase=passphrase,
                text=request,
            )
        # `openssl ca` does check that the request is signed with its own key; it then says no with status 0 and no certificate.
        if not signed[name]:
            raise Refused(f"the request for {name} is not signed with the key that it names: nothing was signed.")
    return signed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["ensure", "sign"])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--copy", type=Path)
    parser.add_argument("--generate-passphrase", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    order: dict[str, Any] = json.load(sys.stdin)
    try:
        if arguments.command == "ensure":
            ensure(directory, arguments.copy, order["passphrase"], arguments.generate_passphrase, arguments.check)
        else:
            print(json.dumps(sign(directory, order)))
    except Refused as refusal:
        print(f"authority: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
