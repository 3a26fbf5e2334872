"""What nginx has loaded, as directives: those that count in a server or a location, its own or inherited."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from verification.remote.nginx_configuration import Node


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


def read(nodes: Iterable[Node], above: Directive | None = None) -> Directive:
    """The directives as verification/remote/nginx_configuration.py parsed them, in a block named `main`."""
    place = above or Directive("main", ())
    for name, words, inside in nodes:
        directive = Directive(name, tuple(words), above=place)
        place.inside.append(directive)
        read(inside, directive)
    return place
