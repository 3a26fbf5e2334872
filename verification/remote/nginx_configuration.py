"""What `nginx -T` prints, parsed where it is printed: each directive as its name, its words and what stands inside it."""

import fnmatch
import re
from pathlib import PurePath
from typing import Any

Node = list[Any]  # [name, [word, …], [node, …]]

# A comment; a text in quotes; a word; or what ends a directive. A brace within a word is part of it, as in ${name} and in a regex.
TOKEN = re.compile(
    r"""\s+|\#[^\n]*|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([;{}])
    |((?:\\.|\$\{\w+\}|[^\s;{}"'\#\\])(?:\\.|\$\{\w+\}|[^\s;{}\\])*)""",
    re.DOTALL | re.VERBOSE,
)
ESCAPED = re.compile(r"\\([\"'\\])")


def parsed(text: str) -> list[Node]:
    """The files that nginx -T printed, put together as nginx does: what is included stands where its include stands."""
    parts = re.split(r"(?m)^# configuration file (\S+):\n", text)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    if not files:
        raise ValueError("nginx -T names no file")
    found: list[Node] = []
    _into(found, parts[1], files)
    return found


def _into(place: list[Node], name: str, files: dict[str, str]) -> None:
    """Parses a file into the block in which it is included."""
    text, blocks, end = files[name], [place], 0
    words: list[str] = []
    for match in TOKEN.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        double, single, mark, word = match.groups()
        quoted = double if double is not None else single
        if quoted is not None or word is not None:
            words.append(word if quoted is None else ESCAPED.sub(r"\1", quoted))
        elif mark and words and mark in ";{":
            node: Node = [words[0], words[1:], []]
            blocks[-1].append(node)
            if words[0] == "include":
                for included in sorted(fnmatch.filter(files, str(PurePath("/etc/nginx", *words[1:])))):
                    _into(blocks[-1], included, files)
            blocks += [node[2]] if mark == "{" else []
            words = []
        elif mark == "}" and len(blocks) > 1 and not words:
            blocks.pop()
        elif mark:
            raise ValueError(f"{name} has a {mark} too much: {text[max(0, match.start() - 60) : match.end()]!r}")
    if len(blocks) > 1 or words or end != len(text):
        raise ValueError(f"{name} is no configuration of nginx from here on: {text[end : end + 60]!r}")
