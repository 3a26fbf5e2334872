"""How often an address may try to sign in or to give a code: more than anyone needs, and less than guessing takes.

The limiter stands before the lock-out of lockout.py: it also bounds tries that are right, or are not looked at.
"""

from contextlib import suppress
from datetime import timedelta

from casemate import limiter
from casemate.accounts.lockout import neighbourhood, typed
from casemate.accounts.models import User
from casemate.audit.origin import Origin

HOUR = timedelta(hours=1)
FOR_ALL, FOR_ONE = 100, 10  # tries an hour from one address: for all persons together, for each


def admit_password(email: str, origin: Origin) -> None:
    """Raise limiter.TooMany or limiter.LimiterDown."""
    limiter.require("password-from", neighbourhood(origin.ip), limit=FOR_ALL, per=HOUR)
    limiter.require("password", _both(typed(email), origin.ip), limit=FOR_ONE, per=HOUR)


def admit_code(user: User, origin: Origin) -> None:
    """The same for a second factor, at sign-in and at a step-up."""
    limiter.require("code-from", neighbourhood(origin.ip), limit=FOR_ALL, per=HOUR)
    limiter.require("code", _both(typed(user.email), origin.ip), limit=FOR_ONE, per=HOUR)


def admit_change(user: User, origin: Origin) -> None:
    """A try of the current password, by somebody who is signed in as that person.

    It counts for the person, from wherever: no stranger comes as far as that, and the counts by address begin anew with
    each second factor that is right. Whoever found an open browser would otherwise guess at the password there.
    """
    limiter.require("password-change", typed(user.email), limit=FOR_ONE, per=HOUR)
    admit_password(user.email, origin)


def forgive_after_change(user: User, origin: Origin) -> None:
    with suppress(limiter.LimiterDown):
        forgive_changes(user.email)
        forgive(user.email, origin.ip)


def forgive_changes(email: str) -> None:
    limiter.forget("password-change", typed(email))


def forgive_after_success(user: User, origin: Origin) -> None:
    """After a right second factor; a limiter that stopped just then does not undo it."""
    with suppress(limiter.LimiterDown):
        forgive(user.email, origin.ip)


def forgive(email: str, address: str) -> None:
    limiter.forget("password", _both(typed(email), address))
    limiter.forget("code", _both(typed(email), address))


def forgive_address(address: str) -> None:
    limiter.forget("password-from", neighbourhood(address))
    limiter.forget("code-from", neighbourhood(address))


def _both(person: str, address: str) -> str:
    return f"{person} {neighbourhood(address)}"
