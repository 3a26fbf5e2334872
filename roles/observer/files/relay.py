#!/usr/bin/python3
"""A mail relay for the lab: SMTP with STARTTLS and a password, as a provider has it. Each mail that it takes is a file of its own.

Without TLS it takes no password, without a password no mail. Run as casemate-lab-relay.service.
"""

import asyncio
import hmac
import os
import ssl
import time
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

CREDENTIALS = Path(os.environ["CREDENTIALS_DIRECTORY"])
TAKEN = Path(os.environ["STATE_DIRECTORY"])
USER = os.environ["RELAY_USER"]
PORT = 587


def authenticate(_server: Any, _session: Any, _envelope: Any, mechanism: str, given: Any) -> AuthResult:
    password = (CREDENTIALS / "password").read_bytes().strip()
    known = isinstance(given, LoginPassword) and given.login == USER.encode() and hmac.compare_digest(given.password, password)
    print(f"{mechanism} {'taken' if known else 'refused'}", flush=True)
    return AuthResult(success=known, handled=False)


class Keep:
    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 aiosmtpd calls it so
        name = f"{time.time():.6f}.eml"
        (TAKEN / f".{name}").write_bytes(envelope.content)
        (TAKEN / f".{name}").rename(TAKEN / name)
        print(f"a mail from {envelope.mail_from} to {', '.join(envelope.rcpt_tos)}, TLS {session.ssl is not None}", flush=True)
        return "250 taken"


async def serve() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CREDENTIALS / "certificate", CREDENTIALS / "key")

    def session() -> SMTP:
        return SMTP(Keep(), tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate)

    server = await asyncio.get_running_loop().create_server(session, None, PORT)
    await server.serve_forever()


asyncio.run(serve())
