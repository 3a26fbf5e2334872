"""Can each check fail? What was read of a good host is altered in memory, one thing at a time, and each check looks again.

An observation that no alteration turns red looks at nothing. The host is read once and never changed.
"""

import copy
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Any

from verification.host import Facts, Host, Newcomer, NotObserved
from verification.household import Household
from verification.inventory import ROOT
from verification.marks import Check, Marked
from verification.register import Register
from verification.runner import places, set_aside
from verification.session import Session
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable, State

# Appended to a text: among them what a debugging page, a version, a script or a foreign list would show.
JUNK = ' altered/1.0 traceback "files": <script>x</script> <form method="post"> interest-cohort=() altered=()'
WORDS = ("'unsafe-inline'", "https://altered.example")  # put after each word of a policy
ENOUGH = 400  # of a list's elements; the others are like them
FEW = 20
WORK: list[Callable[[int], "Doubt"]] = []


@dataclass(frozen=True)
class Doubt:
    """What came of one control: how many observations could turn red, and which could not."""

    control: str
    turned_red: int
    never_red: tuple[str, ...]
    not_seen: str = ""


def doubts(session: Session, host: Host, controls: Register, marked: Marked, *, active: bool) -> Iterator[Doubt]:
    """Every check of this host's controls, the active ones where `active`, against the facts that the session read.

    Each has looked once before the work is divided among the processors: what active checks try on the host is tried only then.
    """
    aside = set_aside(controls, session.inventory, session.expected)
    checks = []
    for identifier, control in controls.items():
        if identifier in aside or not control.implemented or host.name not in {place for place, _host in places(control, [host])}:
            continue
        checks += [check for check in marked.checks.get(identifier, []) if active or not check.active]
    if active:
        host.newcomer()
    for check in checks:
        with suppress(NotApplicable, NotTestable, NotObserved):  # doubt() says so
            _look(check, session, host)
    with forked(lambda number: doubt(checks[number], session, host)) as pool:
        yield from pool.map(_in_a_fork, range(len(checks)))


@contextmanager
def forked(work: Callable[[int], Doubt]) -> Iterator[ProcessPoolExecutor]:
    """Processes that know all that is known here by now, since a session cannot be sent to one."""
    WORK.append(work)
    try:
        with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("fork")) as pool:
            yield pool
    finally:
        WORK.pop()


def _in_a_fork(number: int) -> Doubt:
    return WORK[-1](number)


def doubt(check: Check, session: Session, host: Host) -> Doubt:
    """Alters each fact that the check asks for until every observation of it has been red."""
    host.inside.asked.clear()
    host.outside.asked.clear()
    host.asked_household = False
    host.asked_tried.clear()
    reason = ""
    try:
        good = _look(check, session, host)
    except (NotApplicable, NotTestable, NotObserved) as error:
        good, reason = {}, str(error)
    if not good:
        return Doubt(check.control, 0, (), reason or "it made no observation")
    if red := [what for what, state in good.items() if state is State.FAIL]:
        return Doubt(check.control, 0, (), f"red before anything was altered: {red[0]}")
    waiting = set(good)
    for _altered in _alterations(host, check.active):
        with suppress(Exception):  # whatever a check makes of facts that cannot be: only what it observes counts
            waiting -= {what for what, state in _look(check, session, host).items() if state is State.FAIL}
        if not waiting:
            break
    return Doubt(check.control, len(good) - len(waiting), tuple(sorted(waiting)))


def _look(check: Check, session: Session, host: Host) -> dict[str, State]:
    see = Witness()
    given = {"host": host, "see": see, "expected": session.expected, "declared": host.declared, "repository": ROOT}
    try:
        check.function(**{name: given[name] for name in inspect.signature(check.function).parameters})
    finally:
        seen = {observation.what: observation.state for observation in see.observations}
    return seen


def _alterations(host: Host, active: bool) -> Iterator[None]:
    """The host's facts, each time with one thing in them altered; afterwards they are as they were."""
    for facts in (host.inside, host.outside):
        for name in sorted(facts.asked):
            if "value" in facts.sections.get(name, {}):
                section = copy.deepcopy(facts.sections[name])
                yield from _with(section, _facts_setter(facts, name))
    if active and (newcomer := host.newcomer()):
        holder = {"value": asdict(newcomer)}

        def put(held: dict[str, Any]) -> None:
            with suppress(TypeError):  # without one of its fields it is nobody
                host._newcomer = Newcomer(**held["value"])

        yield from _with(holder, put)
    if active and host.asked_household:
        people = {"value": asdict(host.household())}

        def put_people(held: dict[str, Any]) -> None:
            with suppress(TypeError):
                host._household = Household(**held["value"])

        yield from _with(people, put_people)

    for name in sorted(host.asked_tried if active else ()):
        yield from _with({"value": host.tried[name]}, _trial_setter(host, name))


def _trial_setter(host: Host, name: str) -> Callable[[dict[str, Any]], None]:
    def put(held: dict[str, Any]) -> None:
        host.tried[name] = held["value"]

    return put


def _facts_setter(facts: Facts, name: str) -> Callable[[dict[str, Any]], None]:
    def put(section: dict[str, Any]) -> None:
        facts.sections = {**facts.sections, name: section}

    return put


def _with(holder: dict[str, Any], put: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    original = copy.deepcopy(holder)
    try:
        for _step in altered(holder):
            put(holder)
            yield
    finally:
        put(original)


def altered(holder: dict[str, Any]) -> Iterator[None]:
    """Alters `holder["value"]` in place, one thing at each step, and puts each back before the next."""
    for container, key in _slots(holder):
        value = container[key]
        for other in (*_others(value), *_neighbours(container, key)):
            container[key] = other
            yield
        container[key] = value


def _slots(holder: dict[str, Any]) -> Iterable[tuple[Any, Any]]:
    """Every place that holds a value, at any depth."""
    found: list[tuple[Any, Any]] = []
    waiting: list[tuple[Any, Any]] = [(holder, "value")]
    while waiting:
        container, key = waiting.pop()
        found.append((container, key))
        value = container[key]
        inner = list(value) if isinstance(value, dict) else range(min(len(value), ENOUGH)) if isinstance(value, list) else ()
        waiting += [(value, step) for step in inner]
    return found


def _neighbours(container: Any, key: Any) -> list[Any]:
    """What stands beside it, copied: another answer, another refusal."""
    beside = list(container.values()) if isinstance(container, dict) else container
    return [copy.deepcopy(other) for other in beside[:FEW] if type(other) is type(container[key]) and other != container[key]]


def _others(value: Any) -> Iterator[Any]:
    """What could be there instead."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1000, 0, value - 1000)
    elif isinstance(value, str):
        yield from (f"{value}{JUNK}", "", f"{value}0")
        words = value.split(" ") if ";" in value and len(value) < 2000 else []
        yield from (" ".join([*words[: place + 1], word, *words[place + 1 :]]) for place in range(len(words)) for word in WORDS)
    elif isinstance(value, list):
        yield from (value[:place] + value[place + 1 :] for place in range(min(len(value), FEW)))
        yield from ([*value, twin] for twin in (value[:FEW] or ["altered", {"rule": {}}]))
        yield from ([*value, {**value[0], key: "altered"}] for key in value[0]) if value and isinstance(value[0], dict) else ()
        yield from ([*value, other] for other in ("altered", "gunicorn", "valkey-server", 22, 3306, ["x-xss-protection", "1"]))
        yield []
    elif isinstance(value, dict):
        yield from ({other: value[other] for other in value if other != key} for key in value)
        yield {**value, "altered": next(iter(value.values()), "altered")}
        yield {}
    else:
        yield "altered"
