"""`@control("DB-003")` on a check, `@probe("DB-003")` on what breaks it. Both stand side by side in verification/checks/."""

import importlib
import pkgutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Check:
    """A test that observes one control. `active` ones log in, write or get banned: only on a host that may be broken."""

    control: str
    function: Callable[..., Any]
    active: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def sentence(self) -> str:
        return self.name.removeprefix("test_").replace("_", " ")


@dataclass(frozen=True)
class Probe:
    """Breaks a host, or a copy of the checkout, in one way: as an attacker, a tired admin or an upgrade would."""

    control: str
    function: Callable[[Any], None]  # of a Host; of the Path of a copy where the control is the repository's
    touches: frozenset[str] = frozenset()
    spoils: frozenset[str] = frozenset()
    first: bool = False  # its check sees whatever another probe breaks

    @property
    def sentence(self) -> str:
        return self.function.__name__.replace("_", " ")


@dataclass
class Marked:
    """Every check and probe that was imported, by control."""

    checks: dict[str, list[Check]] = field(default_factory=lambda: defaultdict(list))
    probes: dict[str, list[Probe]] = field(default_factory=lambda: defaultdict(list))


MARKED = Marked()


def control(identifier: str, *, active: bool = False) -> Callable[[Function], Function]:
    """Says that the test below observes this control."""

    def mark(function: Function) -> Function:
        check = Check(identifier, function, active)
        vars(function).setdefault("casemate_checks", []).append(check)
        MARKED.checks[identifier].append(check)
        return function

    return mark


def probe(
    identifier: str, *, touches: Iterable[str] = (), spoils: Iterable[str] = (), first: bool = False
) -> Callable[[Function], Function]:
    """Says that the function below breaks this control. Probes that touch one thing never run in one batch.

    `spoils` names what else it breaks, by control or by area: the probes of those come before it. `first` is for a control whose
    check sees whatever any probe breaks: it comes before all others, and none of them needs to name it.
    """

    def mark(function: Function) -> Function:
        MARKED.probes[identifier].append(Probe(identifier, function, frozenset(touches), frozenset(spoils), first))
        return function

    return mark


def load() -> Marked:
    """Imports every module of checks, once."""
    package = importlib.import_module("verification.checks")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    for checks in MARKED.checks.values():
        # Not as they were imported: the digest by which a control was seen red is of them in this order.
        checks.sort(key=lambda check: (check.function.__module__, check.function.__code__.co_firstlineno))
    return MARKED
