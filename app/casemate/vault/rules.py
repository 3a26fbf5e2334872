"""What a name, a part of an entry and a reason may be; for the pages and later for the API alike."""

import unicodedata
from collections.abc import Mapping

from casemate.vault.refusals import VaultRefusal

LONGEST_NAME = 120
LONGEST_FOLDER_NAME = 80
LONGEST_REASON = 200
# Notes: whole bodies of forms end at 64 KiB, and an emoji takes 12 bytes of one.
LONGEST: Mapping[str, int] = {"password": 1000, "user_name": 254, "url": 2000, "notes": 5000}
LABELS: Mapping[str, str] = {"password": "Password", "user_name": "User name", "url": "URL", "notes": "Notes"}
# What Django puts for bytes that are no UTF-8: kept, it would be a password that nobody ever typed.
REPLACED = "\ufffd"
SEVERAL_LINES = frozenset({"notes"})


def name(text: str, *, longest: int) -> str:
    """A name as it is kept: one line, composed, without spaces around it."""
    return _line(" ".join(unicodedata.normalize("NFC", text).split(" ")).strip(), longest, "name", "The name")


def reason(text: str, *, required: bool) -> str:
    """A reason as it is recorded for ever. Raise VaultRefusal where one is needed and nothing was said."""
    said = text.strip()
    if not said and not required:
        return ""
    if not any(character.isalnum() for character in said):
        raise VaultRefusal("This folder asks why: say it in a few words, for example a ticket's number.", "reason")
    return _line(said, LONGEST_REASON, "reason", "The reason")


def part(field: str, text: str) -> str:
    """A part of an entry, kept byte for byte: a space at a password's end may belong to it."""
    if field in SEVERAL_LINES:
        text = text.replace("\r\n", "\n")
        if "\0" in text or REPLACED in text:
            raise VaultRefusal(f"{LABELS[field]}: null characters and what is not UTF-8 cannot be kept.", field)
        return _bounded(text, LONGEST[field], field, LABELS[field])
    return _line(text, LONGEST[field], field, LABELS[field], empty=True)


def _line(text: str, longest: int, field: str, what: str, *, empty: bool = False) -> str:
    if not text and not empty:
        raise VaultRefusal(f"{what} is empty: enter one.", field)
    if REPLACED in text:
        raise VaultRefusal(f"{what} was not sent as UTF-8, or holds the sign for that: type it anew.", field)
    if any(character != " " and unicodedata.category(character)[0] in "CZ" for character in text):
        raise VaultRefusal(f"{what} holds an invisible character or a line break: type it anew without.", field)
    return _bounded(text, longest, field, what)


def _bounded(text: str, longest: int, field: str, what: str) -> str:
    if len(text) > longest:
        raise VaultRefusal(f"{what} has {len(text)} characters: {longest} are the most.", field)
    return text
