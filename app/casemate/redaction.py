"""Secrets out of what is logged: known by the name of their field, whole and in any case, and by how they look."""

import re
from collections.abc import Mapping, Set
from functools import lru_cache

PLACEHOLDER = "[redacted]"
DEEPEST = 12
SHORTEST = 24  # characters of what may be a key by its look alone
LONGEST_READ = 50_000  # characters of a text that are looked at; what stands behind them is left out

# Names without what joins their words, and in small letters: `API_KEY`, `api-key` and `apiKey` are all apikey.
ENDINGS = (
    *("password", "passwd", "passphrase", "secret", "token"),
    *(f"{kind}key" for kind in ("api", "private", "master", "secret", "access", "session", "signing", "encryption")),
)
# Those that are one only where nothing stands before them: monkey, keyboard and key_id are harmless.
WHOLE = frozenset(
    {"key", "pwd", "again", "code", "otp", "totp", "seed", "jwt", "credential", "credentials", "authorization"}
    | {"proxyauthorization", "cookie", "setcookie", "session", "sessionid", "hostsessionid"}
)
# `name: value`, `"name": "value"`, `name=value&`, and what stands in a repr or in JSON within JSON.
NAME = re.compile(r"""(?<![\w-])(?P<name>[\w-]++)\\{0,3}["']?[ \t]{0,4}(?:=>|[:=])[ \t]{0,4}\\{0,3}""")
VALUE = re.compile(
    r"""[bru]{0,2}"(?:[^"\\]|\\.)*+"|[bru]{0,2}'(?:[^'\\]|\\.)*+'|(?:Bearer|Basic|Token|Digest)[ \t]+\S+"""
    r"""|\[[^\]]*+\]?|\([^)]*+\)?|\{[^}]*+\}?|["']?[^\s"'&;,)\]}]+""",
    re.IGNORECASE,
)
_LOOKS = (
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",  # JSON web tokens
    # Hashes of passwords, as Django, crypt(3) and everybody else (PHC) write them.
    r"\b(?:argon2|pbkdf2|bcrypt|scrypt|md5|sha1)\w{0,10}\$[^\s\"';]+",
    r"\$(?:argon2\w{1,2}|pbkdf2[\w-]{0,12}|scrypt|2[abxy]|[1567y]|gy)\$[^\s\"';]+",
    # Keys that say whose they are.
    r"\b(?:[sr]k[-_]|gh[opsur]_|github_pat_|glpat-|xox[a-z]-|npm_|pypi-|hf_|AKIA|ASIA|AIza)[\w-]{12,}",
)
LOOKS = re.compile("|".join(_LOOKS))
# Long runs of what keys are written in; an address of mail is who, and stays.
RUN = re.compile(r"(?<![\w-])[A-Za-z0-9_-]{24,}(?![\w@-])={0,2}|(?<![\w+/-])[A-Za-z0-9+/]{40,}(?![\w@+/-])={0,2}")
WORD = re.compile(r"[a-z]{4,}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
DIGEST = re.compile(r"[0-9a-f]{32,}", re.IGNORECASE)
CHANGES = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[a-z0-9])|(?<=[0-9])(?=[A-Za-z])")
IN_ADDRESS = re.compile(r"(://[^/\s:@]{0,200}):[^/\s@]{1,200}@")


@lru_cache(4096)
def is_secret(name: str) -> bool:
    """Whether what stands under such a name is a secret."""
    folded = re.sub(r"[\W_]", "", name.lower())
    return folded in WHOLE or folded.endswith(ENDINGS)


def redacted(value: object, depth: int = 0) -> object:
    """The same, with a placeholder where a secret was; at any depth. Numbers and other objects stay what they are."""
    if depth > DEEPEST:
        return PLACEHOLDER
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes | bytearray):
        return text(repr(bytes(value)))
    if isinstance(value, Mapping):
        return {
            text(name) if isinstance(name, str) else name: PLACEHOLDER
            if is_secret(str(name)) and content not in (None, "", True, False)
            else redacted(content, depth + 1)
            for name, content in value.items()
        }
    if isinstance(value, tuple):
        return tuple(redacted(item, depth + 1) for item in value)
    if isinstance(value, list | Set):
        return [redacted(item, depth + 1) for item in value]
    return value


def text(given: str) -> str:
    """A text whose secrets are placeholders: named ones, those in an address, and those that look like one."""
    given = given[:LONGEST_READ]
    given = LOOKS.sub(PLACEHOLDER, given)
    given = IN_ADDRESS.sub(rf"\1:{PLACEHOLDER}@", given)
    return RUN.sub(_run, _named(given))


def _named(given: str) -> str:
    """A harmless name's value is looked at too: `fields={'password': …}`."""
    parts, at = [], 0
    while match := NAME.search(given, at):
        parts.append(given[at : match.end()])
        at = match.end()
        if is_secret(match["name"]) and (value := VALUE.match(given, at)):
            quote = value[0][-1] if value[0][-1] in "\"'" else ""
            parts.append(f"{quote}{PLACEHOLDER}{quote}")
            at = value.end()
    return "".join((*parts, given[at:]))


def _run(match: re.Match[str]) -> str:
    parts = match[0].split("/")
    if any(WORD.fullmatch(part) for part in parts):  # a path: what stands around a key in it is harmless
        return "/".join(_masked(part) if len(part) >= SHORTEST else part for part in parts)
    return _masked(match[0])


def _masked(run: str) -> str:
    if UUID.fullmatch(run):
        return run
    return PLACEHOLDER if DIGEST.fullmatch(run) or _random(run) else run


def _random(run: str) -> bool:
    """Whether it changes between small letters, capitals and digits as often as a key does, and a name does not."""
    changes = len(CHANGES.findall(run))
    has_digits = any(character.isdigit() for character in run)
    return changes >= len(run) * (0.1 if has_digits else 0.36)
