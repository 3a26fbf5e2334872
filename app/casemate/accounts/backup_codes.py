"""Ten codes for the day without the authenticator app: each opens once, and the database holds only their hashes."""

import re
import secrets

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db.models import QuerySet
from django.utils import timezone

from casemate.accounts.models import BackupCode, TotpDevice, User

HOW_MANY = 10
ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"  # no two that look alike; twelve of them are 58 random bits
GROUPS, LENGTH = 3, 4


class CodeHasher(Argon2PasswordHasher):
    """Argon2id at the least that OWASP's cheat sheet names: a code is 58 random bits, and an enrolment makes ten."""

    time_cost, memory_cost, parallelism = 2, 19456, 1


def issue(user: User) -> list[str]:
    """Ten new codes in place of all that there were. They are told here, once."""
    BackupCode.objects.filter(user=user).delete()
    codes = ["-".join(_group() for _ in range(GROUPS)) for _ in range(HOW_MANY)]
    hasher = CodeHasher()
    BackupCode.objects.bulk_create(
        BackupCode(user=user, number=number, code_hash=hasher.encode(plain(code), hasher.salt()))
        for number, code in enumerate(codes, start=1)
    )
    return codes


def accept(device: TotpDevice, code: str) -> bool:
    """Whether this was one of the person's codes until now. Call with the device's row locked; save() it afterwards.

    A wrong one counts with those of the app: who guesses gets no second row of tries.
    """
    accepted = _use_up(device.user, plain(code))
    device.count(right=accepted)
    return accepted


def _use_up(user: User, typed: str) -> bool:
    if not re.fullmatch(rf"[{ALPHABET}]{{{GROUPS * LENGTH}}}", typed):
        return False
    for kept in unused(user):
        if CodeHasher().verify(typed, kept.code_hash):
            kept.used_at = timezone.now()
            kept.save(update_fields=["used_at"])
            return True
    return False


def left(user: User) -> int:
    return unused(user).count()


def unused(user: User) -> QuerySet[BackupCode]:
    return BackupCode.objects.filter(user=user, used_at=None)


def plain(code: str) -> str:
    """As it is hashed: people leave hyphens out, put spaces in, and have telephones that begin with a capital."""
    return re.sub(r"[\s-]", "", code).lower()


def _group() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
