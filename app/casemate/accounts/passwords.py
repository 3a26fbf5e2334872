"""What guessing tools try after their lists: an entry of one, or a name, with digits and marks around it."""

import re

from django.conf import settings
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

from casemate.accounts.models import User

SERVICE = "casemate"
SHORTEST_NAME = 3  # of two letters too many passwords are made by chance


class PaddedPasswordValidator:
    """Refuses what only looks long: a common password or one's own name with padding, and the service's name."""

    def __init__(self) -> None:
        self.common = CommonPasswordValidator().passwords

    def validate(self, password: str, user: object = None) -> None:
        typed = password.lower()
        # What stands there without anything around it, the other validators refuse.
        cores = {bare(typed), once(typed), once(bare(typed)), bare(once(typed))} - {"", typed}
        if isinstance(user, User) and cores & names_of(user):
            raise ValidationError("This is your own name or address with something around it: that is tried first.")
        if cores & self.common:
            raise ValidationError("This is a common password with something around it: those are tried first.")
        if any(name in typed for name in (SERVICE, settings.SITE_NAME)):
            raise ValidationError("The name of this service is in it: that is tried first.")

    def get_help_text(self) -> str:
        return (
            "Your password must not be a common one or your name with something around it, nor hold the name of this "
            "service."
        )


def bare(text: str) -> str:
    """Without the digits and marks before and after it."""
    return re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)


def once(text: str) -> str:
    """What a text repeats from its first to its last character, or the text."""
    return text[: (text + text).find(text, 1)] if text else text


def names_of(user: User) -> set[str]:
    """The words of the name and the address, and each of the two as one word."""
    words = set()
    for text in (user.name.lower(), user.email.lower(), user.email.lower().partition("@")[0]):
        words |= {text, re.sub(r"[\W_]", "", text), *re.split(r"[\W_]+", text)}
    return {word for word in words if len(word) >= SHORTEST_NAME}
