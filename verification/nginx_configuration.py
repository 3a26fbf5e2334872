"""What `nginx -T` prints, as directives: those that count in a server or a location, its own or inherited."""

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

# A comment; a text in quotes; a word; or what ends a directive. A brace within a word is part of it, as in ${name} and in a regex.
TOKEN = re.compile(
    r"""\s+|\#[^\n]*|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([;{}])
    |((?:\\.|\$\{\w+\}|[^\s;{}"'\#\\])(?:\\.|\$\{\w+\}|[^\s;{}\\])*)""",
    re.DOTALL | re.VERBOSE,
)
ESCAPED = re.compile(r"\\([\"'\\])")


@dataclass
class Directive:
    name: str
    words: tuple[str, ...]
    inside: list["Directive"] = field(default_factory=list)
    above: "Directive | None" = None

    def own(self, name: str) -> list[tuple[str, ...]]:
        """The words of each directive of this name that stands right here."""
        return [directive.words for directive in self.inside if directive.name == name]

    def counts(self, name: str) -> list[tuple[str, ...]]:
        """What counts here: its own, else what is inherited. As nginx does it, one of its own takes all that is inherited away."""
        return self.own(name) or (self.above.counts(name) if self.above else [])

    def all(self, *names: str) -> Iterator["Directive"]:
        for directive in self.inside:
            if directive.name in names:
                yield directive
            yield from directive.all(*names)

    @property
    def where(self) -> str:
        """As a reader finds it."""
        if self.name == "server":
            return f"server {' '.join(word for words in self.own('server_name') for word in words)}"
        return " ".join((self.name, *self.words)) + (f" of {self.above.where}" if self.above and self.above.name == "server" else "")


def read(text: str) -> Directive:
    """The files that nginx -T printed, put together as nginx does: what is included stands where its include stands."""
    parts = re.split(r"(?m)^# configuration file (\S+):\n", text)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    if not files:
        raise ValueError("nginx -T names no file")
    root = Directive("main", ())
    _into(root, parts[1], files)
    return root


def _into(place: Directive, name: str, files: dict[str, str]) -> None:
    """Parses a file into the block in which it is included."""
    text, here, end = files[name], place, 0
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
            directive = Directive(words[0], tuple(words[1:]), above=here)
            here.inside.append(directive)
            if directive.name == "include":
                for included in sorted(fnmatch.filter(files, str(PurePath("/etc/nginx", *directive.words)))):
                    _into(here, included, files)
            here, words = (directive if mark == "{" else here), []
        elif mark == "}" and here.above and here is not place and not words:
            here = here.above
        elif mark:
            raise ValueError(f"{name} has a {mark} too much: {text[max(0, match.start() - 60) : match.end()]!r}")
    if here is not place or words or end != len(text):
        raise ValueError(f"{name} is no configuration of nginx from here on: {text[end : end + 60]!r}")
