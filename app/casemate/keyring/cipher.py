"""The formats and the arithmetic of the keyring; no database here.

KEK, from a credential
 └ DEK, one a scope and serial: 0x01 | nonce(12) | AES-256-GCM under the KEK, AAD "dek|scope|serial"
    └ subkey = HKDF-SHA256(DEK, purpose)
       └ value: 0x01 | serial(4) | nonce(12) | AES-256-GCM, AAD "v1|scope|purpose|row|serial"
"""

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
NONCE_BYTES = 12
KEY_BYTES = 32
TAG_BYTES = 16
STEP = 32  # bytes that a plaintext is padded to a multiple of, so that lengths tell little
LENGTH_BYTES = 4
HEADER_BYTES = len(VERSION) + 4 + NONCE_BYTES


@dataclass(frozen=True)
class Place:
    """Where a value belongs. A ciphertext opens in this place and in no other."""

    scope: str
    purpose: str
    row: str

    def __post_init__(self) -> None:
        # The separator inside a part would let two places share their associated data.
        if any("|" in part or not part for part in (self.scope, self.purpose, self.row)):
            raise ValueError("Scope, purpose and row must be non-empty and free of '|'.")

    def associated_data(self, serial: int) -> bytes:
        return f"v1|{self.scope}|{self.purpose}|{self.row}|{serial}".encode()


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def wrap(dek: bytes, *, kek: bytes, scope: str, serial: int) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return VERSION + nonce + AESGCM(kek).encrypt(nonce, dek, f"dek|{scope}|{serial}".encode())


def unwrap(wrapped: bytes, *, kek: bytes, scope: str, serial: int) -> bytes:
    """Raise InvalidTag where this is not that scope's key of that serial under this KEK."""
    if wrapped[:1] != VERSION:
        raise InvalidTag
    nonce, body = wrapped[1 : 1 + NONCE_BYTES], wrapped[1 + NONCE_BYTES :]
    return AESGCM(kek).decrypt(nonce, body, f"dek|{scope}|{serial}".encode())


def _subkey(dek: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(dek)


def _pad(text: str) -> bytes:
    data = text.encode()
    padded = len(data).to_bytes(LENGTH_BYTES) + data
    return padded + bytes(-len(padded) % STEP)


def _unpad(padded: bytes) -> str:
    length = int.from_bytes(padded[:LENGTH_BYTES])
    return padded[LENGTH_BYTES : LENGTH_BYTES + length].decode()


def seal(text: str, *, dek: bytes, serial: int, place: Place) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    body = AESGCM(_subkey(dek, place.purpose)).encrypt(nonce, _pad(text), place.associated_data(serial))
    return VERSION + serial.to_bytes(4) + nonce + body


def serial_of(value: bytes) -> int:
    """The serial of the key that sealed a value; raise InvalidTag for what is no sealed value."""
    if value[:1] != VERSION or len(value) < HEADER_BYTES + TAG_BYTES + STEP:
        raise InvalidTag
    return int.from_bytes(value[1:5])


def unseal(value: bytes, *, dek: bytes, place: Place) -> str:
    """Raise InvalidTag for a value that was changed or belongs in another place."""
    serial = serial_of(value)
    nonce, body = value[5:HEADER_BYTES], value[HEADER_BYTES:]
    return _unpad(AESGCM(_subkey(dek, place.purpose)).decrypt(nonce, body, place.associated_data(serial)))
