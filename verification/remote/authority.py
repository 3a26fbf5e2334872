"""Inside: the certificates of the private authority as OpenSSL reads them, and the private keys that lie on the host."""

import ipaddress
import json
import re
import shlex
import shutil
import subprocess
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, on_request, output, section

HOME = Path("/etc/casemate/pki")
PROGRAM, UNIT = "/usr/local/sbin/casemate-certificates", "casemate-certificates.service"
# Where people and programs put keys; what Debian's packages bring lies elsewhere.
PLACES = "/etc /root /home /opt /srv /usr/local /tmp /var/tmp /var/backups /var/lib/casemate*"
HAS_A_KEY = "^-----BEGIN ((EC|RSA|ENCRYPTED) )?PRIVATE KEY-----"
READ = ("-noout", "-subject", "-issuer", "-nameopt", "RFC2253", "-dates", "-dateopt", "iso_8601", "-pubkey")
EXTENSIONS = "basicConstraints,keyUsage,extendedKeyUsage,nameConstraints,subjectAltName"


@section
def authority(_parameters: Parameters) -> dict[str, Any]:
    """What each certificate below /etc/casemate/pki says, by its path; and the host's keys that are the root's, or nobody can say whose."""
    paths = [HOME / "root.crt", *sorted(HOME.glob("*/*.crt"))]
    read = {str(path.relative_to(HOME)): _certificate(path) for path in paths if path.name != "bundle.crt"}
    root = read["root.crt"]["public"]
    shown = output(
        "sh", "-c", f"find {PLACES} -xdev -type f -size -64k -exec grep -lE -e {shlex.quote(HAS_A_KEY)} {{}} + 2>/dev/null", ok=(0, 1)
    )
    keys = {path: _public(path) for path in shown.split("\n") if path}
    return {
        "certificates": {name: {key: value for key, value in one.items() if key != "public"} for name, one in read.items()},
        "keys": len(keys),
        "of the root, or sealed": sorted(path for path, public in keys.items() if public in (root, "")),
    }


@on_request
def near_its_end(parameters: Parameters) -> dict[str, float]:
    """Lays a certificate that has few days left over one that works, and has the daily service look: the days of both.

    The old one comes back where none was issued.
    """
    certificate, key, ca = (HOME / name for name in ("database/migrate.crt", "database/migrate.key", "database/ca.crt"))
    before = certificate.read_text(), key.read_text()
    with tempfile.TemporaryDirectory() as folder:
        request, extensions = Path(folder, "request"), Path(folder, "extensions")
        request.write_text(output("openssl", "req", "-new", "-key", str(key), "-subj", "/CN=casemate_migrate"))
        extensions.write_text("basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n")
        signed = ("-CA", str(ca), "-CAkey", str(ca.with_suffix(".key")), "-days", str(parameters["days"]), "-extfile", str(extensions))
        certificate.write_text(output("openssl", "x509", "-req", "-in", str(request), *signed))
    ageing = _certificate(certificate)["days left"]
    output("systemctl", "start", UNIT)
    found = _certificate(certificate)["days left"]
    if found <= ageing:
        certificate.write_text(before[0])
        key.write_text(before[1])
    return {"before": ageing, "after": found}


@on_request
def ageing_authority(parameters: Parameters) -> dict[str, Any]:
    """What the daily look says of an authority with few days left, in a copy of the folder that it alone sees, with a root of its own."""
    with tempfile.TemporaryDirectory(dir="/run", prefix="casemate-verifier-") as folder:
        copy = Path(folder, "pki")
        shutil.copytree(HOME, copy, symlinks=True)
        subprocess.run(["chown", "-R", "root:root", str(copy)], check=True)
        for name in ("root", "edge/ca"):
            _sign(copy / name, parameters["days"], copy / "root")
        plan = json.loads((copy / "certificates.json").read_text())
        plan["root"] = (copy / "root.crt").read_text()
        for entry in plan["certificates"]:
            entry.pop("unit", None)  # no service of the host takes what is made here
        (copy / "certificates.json").write_text(json.dumps(plan))
        alone = [
            "systemd-run",
            "--quiet",
            "--wait",
            "--pipe",
            "--collect",
            f"--property=BindPaths={copy}:{HOME}",
            "--property=PrivateNetwork=yes",
        ]
        ran = subprocess.run([*alone, PROGRAM, "ensure", "--alone"], capture_output=True, text=True, check=False)
    return {"failed": ran.returncode != 0, "said": ran.stderr.strip()}


def _sign(name: Path, days: int, root: Path) -> None:
    """Gives a certificate of the same name, key and limits this many days; the root a key of its own, and ten years."""
    old, key = name.with_suffix(".crt"), name.with_suffix(".key")
    told = _certificate(old)
    lines = ["basicConstraints=critical,CA:TRUE" + (",pathlen:0" if name != root else ""), "keyUsage=critical,keyCertSign,cRLSign"]
    lines.append("subjectKeyIdentifier=hash")
    if name != root:
        lines.append("authorityKeyIdentifier=keyid")
        lines.append("nameConstraints=critical," + ",".join(map(_limit, told["limits"])))
    else:
        key.write_text(output("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"))
    request = output("openssl", "req", "-new", "-key", str(key), "-subj", "/" + told["subject"])
    extensions = old.with_suffix(".extensions")
    extensions.write_text("\n".join(lines) + "\n")
    by = ["-CA", f"{root}.crt", "-CAkey", f"{root}.key", "-days", str(days)] if name != root else ["-key", str(key), "-days", "3650"]
    old.write_text(output("openssl", "x509", "-req", "-in", "/dev/stdin", *by, "-extfile", str(extensions), stdin=request))


def _certificate(path: Path) -> dict[str, Any]:
    text = output("openssl", "x509", "-in", str(path), *READ, "-ext", EXTENSIONS, ok=(0, 1))
    line = dict(re.findall(r"^(subject|issuer|notBefore|notAfter)=(.*)$", text, re.MULTILINE))
    began, ends = (datetime.fromisoformat(line[end]) for end in ("notBefore", "notAfter"))
    extended = _below(text, "Extended Key Usage")
    return {
        "subject": line["subject"],
        "issuer": line["issuer"],
        "days": round((ends - began) / timedelta(days=1), 1),
        "days left": round((ends - datetime.now(ends.tzinfo)) / timedelta(days=1), 1),
        "authority": _below(text, "Basic Constraints"),
        "use": sorted(filter(None, (_below(text, "X509v3 Key Usage") + ", " + extended).split(", "))),
        "limits": _limits(text.partition("Name Constraints")[2].partition("Subject Alternative Name")[0]),
        "names": sorted(_names(text.partition("Subject Alternative Name")[2])),
        "public": text[text.find("-----BEGIN PUBLIC KEY-----") : text.find("-----END PUBLIC KEY-----")],
    }


def _below(text: str, title: str) -> str:
    """The line below an extension's name."""
    found = re.search(rf"{title}:.*\n\s+(.*)", text)
    return found[1].strip() if found else ""


def _names(text: str) -> set[str]:
    """DNS:casemate.test, IP:10.77.0.10; of a limit IP:10.77.0.10/32."""
    found = set()
    for kind, value in re.findall(r"\b(DNS|IP|IP Address):([^\s,]+)", text):
        parts = [value] if kind == "DNS" else [str(ipaddress.ip_address(part)) for part in value.split("/")]
        if len(parts) == 2:
            parts[1] = str(bin(int(ipaddress.ip_address(parts[1]))).count("1"))
        found.add(f"{kind.split()[0]}:{'/'.join(parts)}")
    return found


def _limits(text: str) -> list[str]:
    """What may be signed for, and what may not: DNS:casemate.test, IP:10.77.0.10/32, not IP:0.0.0.0/0."""
    permitted, _, excluded = text.partition("Excluded:")
    return sorted([*_names(permitted), *(f"not {name}" for name in _names(excluded))])


def _limit(name: str) -> str:
    """A limit as a configuration of OpenSSL has it: with the mask of an address written out."""
    kind, _, value = name.removeprefix("not ").partition(":")
    whole = value if kind == "DNS" else ipaddress.ip_interface(value).with_netmask
    return f"{'excluded' if name.startswith('not ') else 'permitted'};{kind}:{whole}"


def _public(path: str) -> str:
    """The public half of a private key in PEM, or nothing where a passphrase seals it."""
    ran = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-passin", "pass:"], capture_output=True, text=True, check=False)
    return ran.stdout[: ran.stdout.find("-----END PUBLIC KEY-----")]
