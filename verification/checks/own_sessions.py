"""A person's own sessions: seen with place, device and last use, and ended one by one or all."""

import json
import secrets
from typing import Any

from verification.breaking import patch_application
from verification.host import Host
from verification.household import SESSION, SOCKET, in_the_application, move_out, rows, visit
from verification.marks import control, probe
from verification.witness import Witness

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# The one that looks comes first, then the one that was used last. Those past their age are not among them.
LISTED = [
    {"device": "Firefox on Linux", "address": "192.0.2.7", "began": 60, "used": 0, "can be ended": False},
    {"device": "a-telephone", "address": "2001:db8::9", "began": 120, "used": 5, "can be ended": True},
    {"device": "a-laptop", "address": "203.0.113.9", "began": 240, "used": 20, "can be ended": True},
]
MADE = f"""
import json
from casemate.accounts.models import TotpDevice, User
from casemate.accounts.totp import new_seed
alice, mallory = (User.objects.create(email=email) for email in EMAILS)
for user in (alice, mallory):
    TotpDevice.objects.create(user=user, name="Authenticator app", confirmed=True, seed=new_seed())
print("\\n" + json.dumps({{
    "desk": session_of(alice, started=60, address="192.0.2.7", device={FIREFOX!r}),
    "telephone": session_of(alice, started=120, seen=5, address="2001:db8::9", device="a-telephone"),
    "laptop": session_of(alice, started=240, seen=20, address="203.0.113.9", device="a-laptop"),
    "left alone": session_of(alice, started=60, seen=31, address="192.0.2.8", device="idle"),
    "too old": session_of(alice, started=721, address="192.0.2.8", device="old"),
    "mallory": session_of(mallory, address="198.51.100.1", device="hers"),
}}))
"""


@control("X-17", active=True)
def test_a_person_sees_the_own_sessions_and_ends_them(host: Host, see: Witness) -> None:
    seen = host.trial("own sessions", _looked_at)
    see.exactly("what is listed", seen["listed"], LISTED)
    see.exactly("where those past their age lead", seen["past their age"], {"left alone": "/sign-in/", "too old": "/sign-in/"})
    see.exactly("what is listed to mallory", seen["to mallory"], ["hers"])
    everywhere = dict.fromkeys(("desk", "telephone", "laptop", "mallory"), "200")
    see.exactly("after mallory tried to end them", seen["after mallory's tries"], everywhere)
    see.exactly("after one was ended", seen["after one was ended"], {**everywhere, "telephone": "/sign-in/"})
    ended = {**everywhere, "telephone": "/sign-in/", "laptop": "/sign-in/"}
    see.exactly("after all others were", seen["after all others were"], ended)
    see.exactly(
        "events of it", seen["events"], 2, show="sudo mariadb casemate_audit -e \"SELECT * FROM event WHERE action LIKE '%sessions%'\""
    )


def _looked_at(host: Host) -> dict[str, Any]:
    tag = secrets.token_hex(6)
    emails = [f"{name}-{tag}@casemate.invalid" for name in ("alice", "mallory")]
    try:
        told = host.sudo(in_the_application(f"EMAILS = {emails!r}\n{SESSION}{MADE}")).stdout
        sessions = json.loads(told.strip().splitlines()[-1])
        seen = visit(host, "own_sessions", {"people": {}, "site": host.site, "socket": SOCKET, "sessions": sessions})
        count = f"SELECT COUNT(*) FROM casemate_audit.event WHERE action = 'accounts.sessions.end' AND actor_label = '{emails[0]}'"
        return {**seen, "events": int(rows(host, count))}
    finally:
        move_out(host, [f"verify-{tag}-none"], {email: {"email": email} for email in emails})


@probe("X-17", touches=("services: sessions",))
def the_button_ends_nothing_since_somebody_was_signed_out_by_mistake(host: Host) -> None:
    chosen = "    chosen = [key for key in keys if name_of(key) in names]\n"
    patch_application(host, "accounts/services.py", chosen, "    chosen = list[str]()\n")
