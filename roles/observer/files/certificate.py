"""A certificate for a lab host's address, signed by the lab's root: certificate.py AUTHORITY ADDRESS. Prints {"certificate", "key"}.

The same as before, as long as it has a day left. Only a lab's root has its passphrase in a file beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

DAYS = 30
EXTENSIONS = """basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:{address}
"""


def openssl(*arguments: str, text: str | None = None) -> str:
    return subprocess.run(["openssl", *arguments], input=text, text=True, capture_output=True, check=True).stdout


def still_good(certificate: Path, root: Path) -> bool:
    verify = ["openssl", "verify", "-CAfile", str(root), str(certificate)]
    lasts = ["openssl", "x509", "-noout", "-in", str(certificate), "-checkend", "86400"]
    return certificate.exists() and all(subprocess.run(command, capture_output=True).returncode == 0 for command in (verify, lasts))


def main() -> None:
    authority, address = Path(sys.argv[1]), sys.argv[2]
    certificate, key, root = authority / f"{address}.crt", authority / f"{address}.key", authority / "root.crt"
    if not still_good(certificate, root):
        plain = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        request = openssl("req", "-new", "-key", "/dev/stdin", "-subj", f"/CN={address}", text=plain)
        with tempfile.NamedTemporaryFile("w", suffix=".cnf") as extensions:
            extensions.write(EXTENSIONS.format(address=address))
            extensions.flush()
            signing = ["-CA", str(root), "-CAkey", str(authority / "root.key"), "-passin", f"file:{authority / 'passphrase'}"]
            signed = openssl("x509", "-req", "-days", str(DAYS), "-sha384", *signing, "-extfile", extensions.name, text=request)
        key.touch(mode=0o600)
        key.write_text(plain)
        certificate.write_text(signed)
        print("changed: certificate made", file=sys.stderr)
    print(json.dumps({"certificate": certificate.read_text(), "key": key.read_text()}))


main()
