"""Text from strangers, made safe to keep and to show: bounded, one line, nothing invisible."""

import unicodedata


def visible(text: str, limit: int) -> str:
    r"""Write control, format and unassigned characters as escapes (`\x00`, `\u202e`) and cut at `limit` characters."""
    shown = "".join(character if _printable(character) else _escape(character) for character in text[:limit])
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 1] + "…"


def _printable(character: str) -> bool:
    return character == " " or unicodedata.category(character)[0] not in "CZ"


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode() if ord(character) != 0xA0 else "\\xa0"
