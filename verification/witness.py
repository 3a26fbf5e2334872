"""`see`: what a check uses to say what it observed. Each call is one observation, and none of them stops the check."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from verification.words import Observation, State


@dataclass
class Witness:
    """Collects the observations of one check."""

    observations: list[Observation] = field(default_factory=list)

    def exactly(self, what: str, observed: Any, expected: Any, *, show: str = "") -> None:
        """The two are equal: for sets, nothing is missing and nothing is there that nobody expected."""
        self._record(what, plain(observed), plain(expected), plain(observed) == plain(expected), show)

    def at_most(self, what: str, observed: float, ceiling: float, *, show: str = "") -> None:
        self._record(what, observed, f"at most {ceiling}", observed <= ceiling, show)

    def at_least(self, what: str, observed: float, floor: float, *, show: str = "") -> None:
        self._record(what, observed, f"at least {floor}", observed >= floor, show)

    def one_of(self, what: str, observed: Any, allowed: Collection[Any], *, show: str = "") -> None:
        self._record(what, plain(observed), f"one of {plain(allowed)}", observed in allowed, show)

    def _record(self, what: str, observed: Any, expected: Any, held: bool, show: str) -> None:
        state = State.PASS if held else State.FAIL
        reason = "" if held else f"{what}: {difference(observed, expected)}"
        self.observations.append(Observation(what, state, observed, expected, show, reason))


def plain(value: Any) -> Any:
    """A value as JSON can hold it; sets become sorted lists, so that equal sets look equal."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def difference(observed: Any, expected: Any) -> str:
    """What is too much and what is missing, in a line."""
    if isinstance(observed, dict) and isinstance(expected, dict):
        parts = [
            f"{key}: {difference(observed.get(key, 'nothing'), expected.get(key, 'nothing'))}"
            for key in sorted({*observed, *expected})
            if observed.get(key) != expected.get(key)
        ]
        return "; ".join(parts)
    if isinstance(observed, list) and isinstance(expected, list):
        extra = [item for item in observed if item not in expected]
        missing = [item for item in expected if item not in observed]
        parts = [f"not expected: {_short(extra)}"] if extra else []
        parts += [f"missing: {_short(missing)}"] if missing else []
        return ", ".join(parts) or f"observed {_short(observed)}, expected {_short(expected)}"
    return f"observed {_short(observed)}, expected {_short(expected)}"


def _short(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
