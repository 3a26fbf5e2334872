"""Where settings come from: CASEMATE_* for what may be read, credential files for what may not.

There is one mode, production. What is missing or wrong stops the start with a sentence that names it.
"""

import base64
import binascii
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from django.core.exceptions import ImproperlyConfigured
from pydantic import AfterValidator, Field, FilePath, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from casemate import features, policy

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


def readable(text: str) -> str:
    policy.parse(text)
    return text


def allowing(text: str) -> str:
    features.parse(text)
    return text


def verifiable(host: str) -> str:
    if host == "localhost":
        raise ValueError("for localhost the client library takes the socket, without TLS: give the certificate's name")
    # MariaDB's client library knows its own host by these addresses too, and asks less of a certificate there.
    if host.rpartition(".")[2].isdigit():
        raise ValueError("an address is no name that a certificate of the database carries: give that name")
    return host


DatabaseHost = Annotated[HostName, AfterValidator(verifiable)]
PolicyText = Annotated[str, AfterValidator(readable)]
FeaturesText = Annotated[str, AfterValidator(allowing)]


class Misconfigured(ImproperlyConfigured):
    """A setting or credential is missing or wrong; the text says which one and how to mend it."""


# What stands in tutorials and samples, to be replaced. A shorter word could stand in a random value, too.
SAMPLES = (
    *(b"insecure", b"changeme", b"change-me", b"change_me", b"replace-me", b"replace_me", b"replaceme"),
    *(
        b"your-secret",
        b"your_secret",
        b"secret-key",
        b"secret_key",
        b"secretkey",
        b"dev-key",
        b"example",
        b"placeholder",
    ),
    *(b"password", b"passw0rd", b"default", b"correct-horse", b"0123456789", b"123456789", b"qwertyui", b"abcdefghij"),
)
# Of 43 characters drawn from 64 about 31 are different, and of 32 bytes 30.
SHORTEST, FEWEST = 32, 10


def refuse_weak(name: str, value: bytes) -> None:
    """Raise Misconfigured for a secret that somebody else could know or guess; never with a part of it."""
    if len(value) < SHORTEST:
        raise Misconfigured(f"The credential {name} is shorter than {SHORTEST} characters: make it again.")
    if (different := len(set(value))) < FEWEST:
        raise Misconfigured(f"The credential {name} consists of {different} different characters: make it again.")
    if any(word in value.lower() for word in SAMPLES):
        raise Misconfigured(f"The credential {name} is known from samples: make it again, at random.")


class Environment(BaseSettings):
    """The settings that are no secret, from the environment (on a host: /etc/casemate/application.env)."""

    model_config = SettingsConfigDict(env_prefix="CASEMATE_", extra="ignore", frozen=True)

    site_name: HostName
    database_account: Literal["app", "migrate", "test"]
    database_ca: FilePath
    database_host: DatabaseHost = "db.casemate.internal"
    database_port: Annotated[int, Field(ge=1, le=65535)] = 3306
    database_name: Identifier = "casemate"
    audit_schema: Identifier = "casemate_audit"
    limiter_socket: Path = Path("/run/casemate-limiter/valkey.sock")
    audit_journal: Path = Path("/run/systemd/journal.casemate-audit/dev-log")
    static_root: Path | None = None
    profile: Literal["baseline", "strict", "lab"] = "baseline"
    csp_report_only: PolicyText = ""
    csp_enforced: PolicyText = ""
    csp_quiet_days: Annotated[int, Field(ge=1, le=365)] = 14
    allowed_features: FeaturesText = ""

    @classmethod
    def read(cls) -> Self:
        try:
            return cls()  # type: ignore[call-arg]  # they come from the environment
        except ValidationError as problem:
            # The messages only: never the value that was refused.
            faults = "; ".join(f"CASEMATE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in problem.errors())
            raise Misconfigured(
                f"The environment is not right: {faults}. Set it in /etc/casemate/application.env or in the unit."
            ) from None


class KeySet(Mapping[str, bytes]):
    """256-bit keys by id. The newest (the highest number) makes; all of them check and open."""

    def __init__(self, keys: Mapping[str, bytes], *, name: str) -> None:
        self._keys, self._name = dict(keys), name

    @property
    def newest(self) -> tuple[str, bytes]:
        if not self._keys:
            raise Misconfigured(f"This account holds no {self._name}: it must neither encrypt nor write audit events.")
        return max(self._keys.items(), key=lambda item: int(item[0]))

    def __getitem__(self, key_id: str) -> bytes:
        return self._keys[key_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"<KeySet {self._name}: {len(self)} keys>"

    @classmethod
    def parse(cls, text: str, *, name: str) -> Self:
        """Read `{"<number>": "<base64 of 32 bytes>"}`."""
        wrong = Misconfigured(f'The credential {name} must be JSON of the form {{"1": "<base64 of 32 bytes>"}}.')
        try:
            entries = json.loads(text)
            keys = {key_id: base64.b64decode(value, validate=True) for key_id, value in entries.items()}
        except (ValueError, AttributeError, TypeError, binascii.Error):
            raise wrong from None
        if not keys or any(not i.isascii() or not i.isdigit() or len(key) != 32 for i, key in keys.items()):
            raise wrong
        return cls(keys, name=name)


class Credentials:
    """The files that systemd put into $CREDENTIALS_DIRECTORY for this unit, and nothing else."""

    def __init__(self, directory: str | None) -> None:
        if not directory:
            raise Misconfigured(
                "CREDENTIALS_DIRECTORY is not set: on a host run `casemate COMMAND`, which starts a unit that has"
                " the credentials; at build time set CASEMATE_BUILD=1."
            )
        self._directory = Path(directory)

    def path(self, name: str) -> str:
        file = self._directory / name
        if not file.is_file():
            raise Misconfigured(
                f"The credential {name} is missing in {self._directory}: make it with `casemate-credentials ensure`"
                " (certificates: `casemate-certificates ensure`) and load it in the unit."
            )
        return str(file)

    def text(self, name: str) -> str:
        try:
            value = Path(self.path(name)).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise Misconfigured(
                f"The credential {name} in {self._directory} cannot be read: {type(problem).__name__}."
            ) from None
        if not value:
            raise Misconfigured(f"The credential {name} in {self._directory} is empty: make it again.")
        return value


class Configuration:
    """Everything that settings.py needs, for the account that this process runs as."""

    def __init__(self) -> None:
        self.environment = Environment.read()
        credentials = Credentials(os.environ.get("CREDENTIALS_DIRECTORY"))
        account = self.environment.database_account
        self.database_password = credentials.text(f"database-{account}-password")
        self.database_certificate = credentials.path(f"database-{account}.crt")
        self.database_key = credentials.path(f"database-{account}.key")
        # Tests have schemas of their own, whatever the environment names.
        self.database_name = "casemate_test" if account == "test" else self.environment.database_name
        self.audit_schema = "casemate_test_audit" if account == "test" else self.environment.audit_schema
        if account == "migrate":
            # Migrations change tables: they sign nothing, open nothing and write no event.
            self.secret_key = secrets.token_urlsafe(64)
            self.keks, self.audit_keys = KeySet({}, name="keyring-keks"), KeySet({}, name="audit-keys")
            self.limiter_password = ""
        else:
            self.secret_key = credentials.text("django-secret-key")
            self.keks = KeySet.parse(credentials.text("keyring-keks"), name="keyring-keks")
            self.audit_keys = KeySet.parse(credentials.text("audit-keys"), name="audit-keys")
            self.limiter_password = credentials.text("limiter-app-password")
        if len(self.secret_key) < 50:
            raise Misconfigured("The credential django-secret-key is shorter than 50 characters: make it again.")
        for name, value in self._secrets():
            refuse_weak(name, value)

    def _secrets(self) -> Iterator[tuple[str, bytes]]:
        """Each secret of this account, by the credential that it stands in."""
        yield f"database-{self.environment.database_account}-password", self.database_password.encode()
        yield "django-secret-key", self.secret_key.encode()
        yield from (("keyring-keks", key) for key in self.keks.values())
        yield from (("audit-keys", key) for key in self.audit_keys.values())
        if self.limiter_password:
            yield "limiter-app-password", self.limiter_password.encode()

    @property
    def database(self) -> dict[str, Any]:
        """The entry of Django's DATABASES."""
        environment = self.environment
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": self.database_name,
            "HOST": environment.database_host,
            "PORT": str(environment.database_port),
            "USER": f"casemate_{environment.database_account}",
            "PASSWORD": self.database_password,
            "CONN_MAX_AGE": 300,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                "charset": "utf8mb4",
                "isolation_level": "read committed",
                "init_command": "SET SESSION sql_mode='TRADITIONAL,NO_ENGINE_SUBSTITUTION'",
                "connect_timeout": 5,
                # `ssl` alone encrypts without looking at the certificate: any server would do.
                "ssl_mode": "VERIFY_IDENTITY",
                "ssl": {
                    "ca": str(environment.database_ca),
                    "cert": self.database_certificate,
                    "key": self.database_key,
                },
            },
            "TEST": {"NAME": "test_casemate", "CHARSET": "utf8mb4"},
        }


class BuildConfiguration(Configuration):
    """For `check`, `collectstatic` and mypy: no host, no secret, keys that die with the process. wsgi.py refuses it."""

    def __init__(self) -> None:
        self.environment = Environment.model_construct(
            site_name="build.invalid",
            database_account="app",
            database_ca=Path("/nonexistent"),
            static_root=Path(value) if (value := os.environ.get("CASEMATE_STATIC_ROOT")) else None,
            profile="baseline",
        )
        self.audit_schema = self.environment.audit_schema
        self.secret_key = secrets.token_urlsafe(64)
        self.keks = KeySet({"1": secrets.token_bytes(32)}, name="keyring-keks")
        self.audit_keys = KeySet({"1": secrets.token_bytes(32)}, name="audit-keys")
        self.limiter_password = secrets.token_urlsafe(32)

    @property
    def database(self) -> dict[str, Any]:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


def load() -> Configuration:
    if os.environ.get("CASEMATE_BUILD") != "1":
        return Configuration()
    # A unit of a host has credentials: there this word would lead commands to an empty SQLite instead of the database.
    if os.environ.get("CREDENTIALS_DIRECTORY"):
        raise Misconfigured("CASEMATE_BUILD is set in a unit of a host: it is for building a release. Take it out.")
    return BuildConfiguration()
