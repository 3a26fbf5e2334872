"""Outside: what TLS the server accepts, found by asking for each thing alone."""

import re
import socket
import ssl
import subprocess
import tempfile
import time
import warnings
from typing import Any

from verification.remote.sections import Parameters, section

VERSIONS = {
    "TLSv1.0": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
SUITES = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_SHA256")
GROUPS = ("X25519MLKEM768", "X25519", "prime256v1", "secp384r1", "ffdhe2048")


@section
def protocols(parameters: Parameters) -> list[str]:
    """The protocol versions with which a handshake succeeds. The client's own floor is taken away first."""
    return [name for name, version in VERSIONS.items() if _cipher(parameters, version, "ALL:@SECLEVEL=0")]


@section
def ciphers(parameters: Parameters) -> list[str]:
    """The TLS 1.2 ciphers that the server accepts: offer all, strike out the one it takes, until it takes none."""
    accepted: list[str] = []
    while chosen := _cipher(parameters, ssl.TLSVersion.TLSv1_2, ":".join(["ALL", *(f"!{name}" for name in accepted), "@SECLEVEL=0"])):
        accepted.append(chosen)
    return accepted


@section
def suites(parameters: Parameters) -> list[str]:
    """The TLS 1.3 suites that the server accepts."""
    return [name for name in SUITES if "Cipher is TLS_" in _s_client(parameters, "-tls1_3", "-ciphersuites", name)]


@section
def groups(parameters: Parameters) -> dict[str, Any]:
    """The key exchange groups, each offered alone, and the one that is taken when a client offers its own list."""
    if "X25519MLKEM768" not in _openssl("list", "-kem-algorithms", "-tls-groups", "-tls1_3"):
        known = _openssl("version").strip()
        return {"accepted": [], "preferred": "", "not_testable": f"{known} does not know X25519MLKEM768"}
    accepted = [name for name in GROUPS if "Cipher is TLS_" in _s_client(parameters, "-tls1_3", "-groups", name)]
    preferred = re.search(r"(?:Negotiated TLS1.3 group|(?:Server|Peer) Temp Key): ([^\s,]+)", _s_client(parameters, "-tls1_3"))
    return {"accepted": accepted, "preferred": preferred[1] if preferred else ""}


@section
def alpn(parameters: Parameters) -> str:
    context = _context(parameters)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with _connect(parameters, context) as connection:
        return connection.selected_alpn_protocol() or ""


@section
def certificate(parameters: Parameters) -> dict[str, Any]:
    """The certificate as a browser judges it: chain, name and time; or OpenSSL's reason to refuse it."""
    try:
        with _connect(parameters, _context(parameters)) as connection:
            seen = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return {"judged": f"refused: {error.verify_message}"}
    seconds = ssl.cert_time_to_seconds(str(seen["notAfter"])) - ssl.cert_time_to_seconds(str(seen["notBefore"]))
    left = ssl.cert_time_to_seconds(str(seen["notAfter"])) - time.time()
    return {
        "judged": "valid",
        "names": [list(pair) for pair in seen.get("subjectAltName", ())],
        "days": round(seconds / 86400),
        "days_left": round(left / 86400, 1),
    }


@section
def certificate_by_strangers(parameters: Parameters) -> str:
    """What a client says that does not trust our authority: it must refuse."""
    try:
        with _connect(parameters, ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt")):
            return "accepted"
    except ssl.SSLCertVerificationError as error:
        return f"refused: {error.verify_message}"


def _context(parameters: Parameters) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=parameters["ca"] or None)


def _connect(parameters: Parameters, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = socket.create_connection((parameters["address"], 443), timeout=10)
    try:
        return context.wrap_socket(raw, server_hostname=parameters["site"])
    except OSError:
        raw.close()
        raise


def _cipher(parameters: Parameters, version: ssl.TLSVersion, offered: str) -> str:
    """The cipher of a handshake in just this version, or nothing where the server refuses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are offered on purpose
        context.minimum_version = context.maximum_version = version
    try:
        context.set_ciphers(offered)
        with _connect(parameters, context) as connection:
            return (connection.cipher() or ("",))[0]
    except (ssl.SSLError, ConnectionResetError):
        return ""


def _s_client(parameters: Parameters, *options: str) -> str:
    target = f"{'[' if ':' in parameters['address'] else ''}{parameters['address']}{']' if ':' in parameters['address'] else ''}:443"
    return _openssl("s_client", "-connect", target, "-servername", parameters["site"], *options)


def _openssl(*argv: str) -> str:
    with tempfile.TemporaryFile() as nothing:
        ran = subprocess.run(["openssl", *argv], stdin=nothing, capture_output=True, text=True, check=False, timeout=20)
    return ran.stdout + ran.stderr
