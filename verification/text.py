"""Text that came from elsewhere, made fit to be written down and shown."""

import re
from typing import Any

# What a terminal, a browser or a parser would obey instead of show: control characters but tab and line feed, halves of a
# character, characters that XML 1.0 has not, and those that turn the direction of reading (Trojan Source, CVE-2021-42574).
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
LONG = 4000  # characters of one value in a file for programs; results.json has it whole


def visible(text: str) -> str:
    """The same with a name in place of each character that is obeyed instead of shown: \\x1b, \\ud800."""
    return OBEYED.sub(_named, text)


def line(text: str, longest: int = 1000) -> str:
    """In one line, with something in it: what OSCAL takes as a value."""
    return cut(" ".join(visible(text[: 8 * longest]).split()), longest) or "-"


def cut(text: str, longest: int = LONG) -> str:
    return text if len(text) <= longest else f"{text[:longest].rstrip()} … ({len(text) - longest} more characters in results.json)"


def brief(value: Any) -> Any:
    """A document with each of its texts visible and cut, at any depth: what programs are given."""
    if isinstance(value, str):
        return cut(visible(value))
    if isinstance(value, dict):
        return {brief(key): brief(item) for key, item in value.items()}
    return [brief(item) for item in value] if isinstance(value, list) else value


def _named(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
