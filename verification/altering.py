"""What was read, with one thing in it otherwise: a value gone, doubled, replaced, or with something that nobody wants put in."""

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Appended to a text: among them what a debugging page, a version, a script, a style or a foreign list would show.
JUNK = (
    ' altered/1.0 traceback "files": <script>x</script> <style>x</style> <form method="post"> interest-cohort=() altered=() '
    "; max-age=7; preload $uri https://altered.example/issues/1"
)
WORDS = ("'unsafe-inline'", "https://altered.example")  # put after each word of a policy
# Put into a list: what nobody wants there, of headers, of addresses and of the directives of nginx.
HEADERS = (["x-xss-protection", "1"], ["strict-transport-security", "max-age=7"])
STRANGERS = ("altered", "https://altered.example/font.woff2", "gunicorn", "valkey-server", 22, 3306, *HEADERS)
DIRECTIVES = (
    ["proxy_cache", ["altered"], []],
    ["autoindex", ["on"], []],
    ["location", ["/altered"], []],
    ["add_header", ["X-Altered", "1"], []],
)
ENOUGH = 400  # of a list's elements; the others are like them
FEW = 20
PIECE = re.compile(r"[^\s,;:=&?]+")
DAY = re.compile(r"(\d{4})(-\d\d-\d\dT.*)")


@dataclass
class Altering:
    """`unwanted`: what must be in no text, as secrets that were used."""

    unwanted: Sequence[str] = ()

    def steps(self, holder: dict[str, Any], matters: Callable[[], bool]) -> Iterator[None]:
        """Alters `holder["value"]` in place, one thing at each step, and puts each back before the next.

        `matters` says whether what is in the holder now makes a difference: where it makes none that all of a part is gone or
        altered, nothing in that part is.
        """
        waiting: list[tuple[Any, Any]] = [(holder, "value")]
        while waiting:
            container, key = waiting.pop()
            value = container[key]
            if not self._matters(container, key, matters):
                continue
            for other in (*self.others(value), *_neighbours(container, key)):
                container[key] = other
                yield
            container[key] = value
            waiting += [(value, step) for step in _inner(value)]

    def _matters(self, container: Any, key: Any, matters: Callable[[], bool]) -> bool:
        value = container[key]
        try:
            for other in (type(value)(), self.wholly(value)):
                container[key] = other
                if matters():
                    return True
        finally:
            container[key] = value
        return False

    def wholly(self, value: Any) -> Any:
        """Everything in it altered at once."""
        if isinstance(value, dict):
            return {**{key: self.wholly(inner) for key, inner in value.items()}, "altered": {"days": 1000}}
        if isinstance(value, list) and directives(value):
            # Their names stay: without its name nothing else of a directive counts.
            changed = [[name, self.wholly(words or [""]), self.wholly(inside) if inside else []] for name, words, inside in value]
            return [*changed, *copy.deepcopy(DIRECTIVES)]
        if isinstance(value, list):
            return [*map(self.wholly, value), *(copy.deepcopy(one) for one in STRANGERS if not value or type(one) is type(value[0]))]
        return next(iter(self.others(value)))

    def others(self, value: Any) -> Iterator[Any]:
        """What could be there instead."""
        if isinstance(value, bool):
            yield not value
        elif isinstance(value, int | float):
            yield from (value + 1000, 0, value - 1000)
        elif isinstance(value, str):
            yield from self._texts(value)
        elif isinstance(value, list):
            yield from (value[:place] + value[place + 1 :] for place in range(min(len(value), FEW)))
            yield from ([*value, twin] for twin in (value[:FEW] or ["altered", {"rule": {}}]))
            yield from ([*value, {**value[0], key: "altered"}] for key in value[0]) if value and isinstance(value[0], dict) else ()
            yield from ([*value, stranger] for stranger in (DIRECTIVES if directives(value) else STRANGERS))
            yield []
        elif isinstance(value, dict):
            yield from ({other: value[other] for other in value if other != key} for key in value)
            yield from ({**value, "altered": more} for more in (next(iter(value.values()), "altered"), {"days": 1000}))
            yield {}
        else:
            yield "altered"

    def _texts(self, value: str) -> Iterator[str]:
        junk = " ".join((JUNK, *self.unwanted))
        yield from (f"{value}{junk}", "", f"{value}0")
        if len(value) < 2000:
            words = value.split(" ") if ";" in value else []
            yield from (" ".join([*words[: place + 1], word, *words[place + 1 :]]) for place in range(len(words)) for word in WORDS)
            pieces = list(PIECE.finditer(value))
            yield from (value[: piece.start()] + value[piece.end() :] for piece in pieces[:FEW] if len(pieces) > 1)
        if day := DAY.fullmatch(value):
            yield from (f"{int(day[1]) + years}{day[2]}" for years in (10, -10))
        lines = value.splitlines(keepends=True)
        for place in range(len(lines) if 1 < len(lines) <= ENOUGH else 0):
            yield from ("".join([*lines[:place], *instead, *lines[place + 1 :]]) for instead in ((), (lines[place], f"{junk}\n")))


def directives(value: list[Any]) -> bool:
    """Whether these are directives of nginx: [name, words, directives]."""
    return bool(value) and all(isinstance(one, list) and [type(part) for part in one] == [str, list, list] for one in value)


def _inner(value: Any) -> Iterable[Any]:
    return list(value) if isinstance(value, dict) else range(min(len(value), ENOUGH)) if isinstance(value, list) else ()


def _neighbours(container: Any, key: Any) -> list[Any]:
    """What stands beside it, copied: another answer, another refusal."""
    beside = list(container.values()) if isinstance(container, dict) else container
    return [copy.deepcopy(other) for other in beside[:FEW] if type(other) is type(container[key]) and other != container[key]]
