"""Names that are tried first. Nobody new is called so: whoever guesses has to guess the name as well."""

import re

# What stands before the @, also with a number behind it (admin1, test-2026) or with something behind a plus.
NAMES = (
    *("admin", "administrator", "default", "demo", "guest", "master", "operator", "root"),
    *("superadmin", "superuser", "sysadmin", "system", "test", "tester", "testuser", "user"),
)
GUESSED = re.compile(rf"(?:{'|'.join(NAMES)})[._-]?[0-9]{{0,4}}(?:\+.*)?")


class GuessedName(Exception):
    """The text says so, and what to do."""

    def __init__(self, email: str) -> None:
        super().__init__(
            f"{email} begins with a name that everybody tries first, so nobody is called so here: give the address of"
            " the person who is meant, such as alice@example.org."
        )


def refuse_guessed(email: str) -> None:
    """Raise GuessedName for an address, in lower case, that begins with such a name."""
    if GUESSED.fullmatch(email.rpartition("@")[0]):
        raise GuessedName(email)
