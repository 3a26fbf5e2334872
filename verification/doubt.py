"""Can each check fail? What was read of a good host is altered in memory, one thing at a time, and each check looks again.

An observation that no alteration turns red looks at nothing. The host is read once and never changed.
"""

import copy
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

from verification.altering import Altering
from verification.canary import CODE_OF_THE_ERROR
from verification.host import Facts, Host, NotObserved
from verification.inventory import ROOT
from verification.marks import Check, Marked
from verification.register import Register
from verification.runner import places, set_aside
from verification.session import Session
from verification.witness import Witness
from verification.words import NotApplicable, NotTestable, Observation, State

WORK: list[Callable[[int], "Doubt"]] = []
Seen = dict[str, Observation]
Holder = dict[str, Any]


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
    for check in checks:
        with suppress(NotApplicable, NotTestable, NotObserved):  # doubt() says so
            Look(check, session, host).now()
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
    look, reason = Look(check, session, host), ""
    try:
        good = look.now()
    except (NotApplicable, NotTestable, NotObserved) as error:
        good, reason = {}, str(error)
    if not good:
        return Doubt(check.control, 0, (), reason or "it made no observation")
    if red := _red(good):
        return Doubt(check.control, 0, (), f"red before anything was altered: {sorted(red)[0]}")
    waiting = set(good)

    def matters() -> bool:
        """Whether what still waits is seen otherwise than in the good host."""
        try:
            seen = look.now()
        except Exception:
            return True
        return any(what not in seen or seen[what].observed != good[what].observed for what in waiting)

    # A part that makes no difference when all of it is altered can still make one when one thing in it is: then everything is tried.
    for _altered in chain(look.alterations(matters), look.alterations(lambda: True)):
        with suppress(Exception):  # whatever a check makes of facts that cannot be: only what it observes counts
            look.now()
        waiting -= _red(look.seen)
        if not waiting:
            break
    return Doubt(check.control, len(good) - len(waiting), tuple(sorted(waiting)))


def lines(outcomes: Sequence[Doubt]) -> Iterator[str]:
    """What to print of them: each observation that cannot fail, and how many can."""
    for outcome in outcomes:
        yield from (f"{outcome.control:10}nothing turned this red: {what}" for what in outcome.never_red)
        if outcome.not_seen:
            yield f"{outcome.control:10}not doubted: {outcome.not_seen}"
    vain = sum(len(outcome.never_red) for outcome in outcomes)
    yield f"doubt: {sum(outcome.turned_red for outcome in outcomes)} observations can fail, {vain} cannot; {len(outcomes)} checks"


def _red(seen: Seen) -> set[str]:
    return {what for what, observation in seen.items() if observation.state is State.FAIL}


class Document(type(Path())):  # type: ignore[misc]  # the class for paths of this system
    """A path of this checkout whose text is read once, and can be altered here without altering the file."""

    texts: ClassVar[dict[str, str]] = {}

    def read_text(self, *arguments: Any, **options: Any) -> str:
        """As the file has it, or as it was altered."""
        if str(self) not in self.texts:
            self.texts[str(self)] = super().read_text(*arguments, **options)
        return self.texts[str(self)]


class Asked(dict[str, Any]):
    """What is declared, and which of it somebody asked for."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        super().__init__(declared)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping."""
        self.names.add(name)
        return super().get(name, default)


@dataclass
class Look:
    """A check, and what it is given to look at."""

    check: Check
    session: Session
    host: Host
    seen: Seen = field(default_factory=dict)  # what it saw, up to where it broke if it did

    def __post_init__(self) -> None:
        self.declared = Asked(self.host.declared)
        Document.texts = {}

    def now(self) -> Seen:
        """What it sees."""
        see = Witness()
        given = {"host": self.host, "see": see, "expected": self.session.expected, "declared": self.declared, "repository": Document(ROOT)}
        try:
            self.check.function(**{name: given[name] for name in inspect.signature(self.check.function).parameters})
        finally:
            self.seen = {observation.what: observation for observation in see.observations}
        return self.seen

    def alterations(self, matters: Callable[[], bool]) -> Iterator[None]:
        """The facts that it asked for, each time with one thing in them altered; afterwards they are as they were."""
        given = self.session.expected.get("read_inside", {})
        unwanted = (given.get("logged_secret", ""), *given.get("logged_looks", {}).values(), CODE_OF_THE_ERROR)
        altering = Altering(unwanted)
        for holder, put in self._facts():
            original = copy.deepcopy(holder)

            def so(holder: Holder = holder, put: Callable[[Holder], None] = put) -> bool:
                put(holder)
                return matters()

            try:
                for _step in altering.steps(holder, so):
                    put(holder)
                    yield
            finally:
                put(original)

    def _facts(self) -> Iterator[tuple[Holder, Callable[[Holder], None]]]:
        """Each fact as `{"value": …}`, and what puts it in its place."""
        host, active = self.host, self.check.active
        for facts in (host.inside, host.outside):
            for name in sorted(facts.asked):
                if "value" in facts.sections.get(name, {}):
                    yield copy.deepcopy(facts.sections[name]), _facts_setter(facts, name)
        for name, value in asdict(host.newcomer()).items() if active and host._newcomer else ():
            yield {"value": value}, _part_setter(host, "_newcomer", name)
        for name, value in asdict(host.household()).items() if active and host.asked_household else ():
            yield {"value": value}, _part_setter(host, "_household", name)
        for name in sorted(host.asked_tried if active else ()):
            yield {"value": copy.deepcopy(host.tried[name])}, _trial_setter(host, name)
        for path in sorted(Document.texts):
            yield {"value": Document.texts[path]}, _document_setter(path)
        for name in sorted(self.declared.names & self.declared.keys()):
            yield {"value": copy.deepcopy(dict.__getitem__(self.declared, name))}, _declared_setter(self.declared, name)


def _facts_setter(facts: Facts, name: str) -> Callable[[Holder], None]:
    def put(section: Holder) -> None:
        facts.sections = {**facts.sections, name: section}

    return put


def _part_setter(host: Host, people: str, name: str) -> Callable[[Holder], None]:
    def put(held: Holder) -> None:
        setattr(host, people, replace(getattr(host, people), **{name: held["value"]}))

    return put


def _trial_setter(host: Host, name: str) -> Callable[[Holder], None]:
    def put(held: Holder) -> None:
        host.tried[name] = held["value"]

    return put


def _document_setter(path: str) -> Callable[[Holder], None]:
    def put(held: Holder) -> None:
        Document.texts[path] = held["value"]

    return put


def _declared_setter(declared: dict[str, Any], name: str) -> Callable[[Holder], None]:
    def put(held: Holder) -> None:
        declared[name] = held["value"]

    return put
