"""Runs the checks with pytest and turns what they observed into one result a control and host."""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from verification import inventory as inventories
from verification import marks, register
from verification.host import Host, NotObserved
from verification.inventory import ROOT, Inventory
from verification.marks import Check, Marked
from verification.register import Control, Register
from verification.session import Session
from verification.witness import Witness
from verification.words import ACTIVE_IS_OFF, CannotRun, NotApplicable, NotTestable, Observation, Result, State

CHECKS = Path(__file__).parent / "checks"
REPOSITORY = "repo"  # the name of the place where a host has none
NO_PLUGINS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Case:
    """One check on one host (or on the repository)."""

    check: Check
    place: str
    host: Host | None


@dataclass
class Run:
    """Everything that one verification found."""

    inventory: Inventory
    register: Register
    active: bool
    started: datetime
    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)
    hosts: list[dict[str, Any]] = field(default_factory=list)
    probed: frozenset[str] = frozenset()
    seconds: float = 0.0
    sections: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def planned(self) -> list[Control]:
        return [control for control in self.register.values() if not control.implemented]

    def count(self, state: State) -> int:
        return sum(result.state is state for result in self.results)

    @property
    def score(self) -> float | None:
        """pass / (pass + fail), or nothing where neither is there."""
        judged = self.count(State.PASS) + self.count(State.FAIL)
        return self.count(State.PASS) / judged if judged else None

    @property
    def failed(self) -> bool:
        return bool(self.problems) or self.count(State.FAIL) > 0

    def result(self, control: str, host: str) -> Result | None:
        return next((r for r in self.results if (r.control, r.host) == (control, host)), None)


def verify(
    session: Session,
    *,
    active: bool | Collection[str] = False,
    only: frozenset[str] | None = None,
    sections: Collection[str] | None = None,
    progress: Progress | None = None,
    controls: Register | None = None,
    marked: Marked | None = None,
    folder: Path = CHECKS,
) -> Run:
    """Reads the hosts (all, or these sections), runs the checks of `only` (or of all controls), and judges.

    `active`: whether the checks that log in or write run too; of all these controls, or of those that are named.
    """
    clock = time.monotonic()
    known = register.load() if controls is None else controls
    run = Run(session.inventory, known, bool(active), datetime.now(UTC), set_aside=set_aside(known, session.inventory, session.expected))
    session.read(sections)
    run.problems += session.problems
    plugin = Plugin(session, run, only, progress, None if isinstance(active, bool) else frozenset(active))
    # confcutdir: else pytest lists the folders above as well. unraisableexception would collect garbage for longer than some checks take.
    arguments = ["--rootdir", str(folder), "--confcutdir", str(folder), "-c", str(CHECKS / "pytest.ini")]
    arguments += [part for name in ("terminal", "cacheprovider", "unraisableexception") for part in ("-p", f"no:{name}")]
    # Checks observe and assert nothing: rewriting their asserts takes longer than judging them.
    arguments += ["--import-mode", "importlib", "--assert", "plain", "-s", *_modules(folder, only, marked or marks.MARKED)]
    with _no_other_plugins():
        status = pytest.main(arguments, plugins=[plugin])
    if plugin.broken:
        raise CannotRun("the checks could not be loaded:\n" + "\n".join(plugin.broken))
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise CannotRun(f"pytest ended with {status!r}")
    judge(run, session.hosts, plugin.results, marked or marks.MARKED, only, datetime.now(UTC).date())
    run.hosts = [_described(host) for host in session.hosts] if sections is None else []
    run.seconds = time.monotonic() - clock
    return run


def _modules(folder: Path, only: frozenset[str] | None, marked: Marked) -> list[str]:
    """The modules that hold the checks of these controls, as far as they are known: to collect all takes longer than one look at a host."""
    checks = [check for identifier in only or () for check in marked.checks.get(identifier, ())]
    files = {Path(check.function.__code__.co_filename) for check in checks}
    return sorted(str(file) for file in files if file.parent == folder) or [str(folder)]


@contextmanager
def _no_other_plugins() -> Iterator[None]:
    """What else is installed is not loaded. By the environment: Debian's pytest, with which a host attests itself, has no option for it."""
    before = os.environ.get(NO_PLUGINS)
    os.environ[NO_PLUGINS] = "1"
    try:
        yield
    finally:
        os.environ.pop(NO_PLUGINS)
        if before is not None:
            os.environ[NO_PLUGINS] = before


def places(control: Control, hosts: list[Host]) -> list[tuple[str, Host | None]]:
    """Where a control applies: the repository, every appliance, or those of a tier."""
    if control.of_the_repository:
        return [(REPOSITORY, None)]
    return [(host.name, host) for host in hosts if control.applies_to == "host" or control.applies_to in host.tiers]


def set_aside(controls: Register, inventory: Inventory, expected: Mapping[str, Any]) -> dict[str, str]:
    """The controls that this installation is not asked for, each with the reason."""
    found: dict[str, str] = {}
    own = expected.get("own_application")  # where another application runs than Casemate's own
    for control in controls.values():
        if control.profile != "baseline" and inventory.profile != "strict":
            found[control.id] = "asked for by the strict profile"
        elif own and control.id in own["not_asked"]:
            found[control.id] = f"{own['not_asked'][control.id]}, and declared.yml says application: other"
        elif own and control.id not in own["asked"] and control.by_the_application:
            found[control.id] = f"{control.implemented_by[0]} meets it, and declared.yml says application: other"
    return found


def judge(
    run: Run,
    hosts: list[Host],
    observed: dict[tuple[str, str], Result],
    marked: Marked,
    only: frozenset[str] | None,
    today: date,
) -> None:
    """Adds what no check says of itself: controls that nobody checks, ids that nobody knows, waivers that have ended."""
    waivers = {waiver.control: waiver for waiver in run.inventory.waivers}
    for identifier in sorted({*marked.checks, *marked.probes} - run.register.keys()):
        run.problems.append(f"{identifier} has a check or a probe and is not in the register")
    for identifier in sorted(waivers.keys() - run.register.keys()):
        run.problems.append(f"declared.yml waives {identifier}, which is not in the register")
    run.probed = frozenset(marked.probes)
    for control in run.register.values():
        if not control.implemented or (only is not None and control.id not in only):
            continue
        if not marked.checks.get(control.id):
            run.problems.append(f"{control.id} is implemented and has no check")
        waiver = waivers.get(control.id)
        for place, _host in places(control, hosts):
            result = observed.get((control.id, place)) or Result(control.id, place)
            if control.id in run.set_aside:
                reason = run.set_aside[control.id]
                result.observations = [Observation("what is declared", State.NOT_APPLICABLE, reason=reason)]
            if not result.observations:
                result.observations.append(_failure("the check made no observation"))
            if waiver and inventories.expired(waiver, today):
                ended = f"the waiver of {waiver.who} ended on {waiver.until}: {waiver.reason}"
                result.observations.append(_failure(ended))
                run.problems.append(f"{control.id}: {ended}")
            elif waiver:
                result.waiver = waiver
            run.results.append(result)


class Plugin:
    """The part of the verifier that lives inside pytest: it gives each check its host and takes its observations."""

    def __init__(
        self, session: Session, run: Run, only: frozenset[str] | None, progress: Progress | None, acting: frozenset[str] | None = None
    ) -> None:
        self.session = session
        self.run = run
        self.only = only
        self.acting = acting  # the controls whose active checks run, where not all do
        self.progress = progress
        self.results: dict[tuple[str, str], Result] = {}
        self.broken: list[str] = []
        self.done = 0
        self.all = 0

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken.append(str(report.longrepr))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        checks: list[Check] = getattr(metafunc.function, "casemate_checks", [])
        cases = [case for check in checks for case in self._cases(check)]
        metafunc.parametrize("case", cases, indirect=True, ids=[f"{case.check.control}@{case.place}" for case in cases])

    def _cases(self, check: Check) -> Iterator[Case]:
        control = self.run.register.get(check.control)
        if control is None or not control.implemented or (self.only is not None and check.control not in self.only):
            return
        if control.id in self.run.set_aside:
            return
        for place, host in places(control, self.session.hosts):
            yield Case(check, place, host)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A check that no host is asked for comes as an item without a case: it goes."""
        items[:] = [item for item in items if isinstance(_case_of(item), Case)]
        self.all = len(items)

    @pytest.fixture(autouse=True)
    def case(self, request: pytest.FixtureRequest) -> Case:
        case: Case = request.param
        for facts in (case.host.inside, case.host.outside) if case.host else ():
            facts.asked.clear()
        if case.check.active and not self._may_act(case):
            raise NotTestable(ACTIVE_IS_OFF)
        return case

    def _may_act(self, case: Case) -> bool:
        asked = self.run.active and (self.acting is None or case.check.control in self.acting)
        return asked and case.host is not None and case.host.inside.get("disposable", False) is True

    @pytest.fixture
    def see(self, request: pytest.FixtureRequest) -> Witness:
        witness = Witness()
        request.node.stash[WITNESS] = witness
        return witness

    @pytest.fixture
    def host(self, case: Case) -> Host | None:
        return case.host

    @pytest.fixture
    def expected(self) -> dict[str, Any]:
        return self.session.expected

    @pytest.fixture
    def declared(self, case: Case) -> Mapping[str, Any]:
        return case.host.declared if case.host else self.session.inventory.declared

    @pytest.fixture
    def repository(self) -> Path:
        return ROOT

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
        """Takes what a check saw, when it has ended or could not begin.

        The report is our own: pytest's has a traceback with its source, and each takes longer than most checks.
        """
        when = cast('Literal["setup", "call", "teardown"]', call.when)  # what is collected has a report of its own
        if call.when == "call" or (call.when == "setup" and call.excinfo):
            self._take(item, call)
        words = str(call.excinfo.value) if call.excinfo else None
        return pytest.TestReport(item.nodeid, item.location, {}, "failed" if call.excinfo else "passed", words, when)

    def _take(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        case = _case_of(item)
        result = self.results.setdefault((case.check.control, case.place), Result(case.check.control, case.place))
        result.seconds += call.duration
        result.active |= case.check.active
        witness = item.stash.get(WITNESS, Witness())
        result.observations += witness.observations
        if case.host:
            self.run.sections[case.check.control] |= case.host.inside.asked | case.host.outside.asked
        if call.excinfo is not None:
            result.observations.append(_from_error(case.check, call.excinfo.value))
        elif not witness.observations:
            result.observations.append(_failure(f"`{case.check.sentence}` made no observation"))
        self.done += 1
        if self.progress:
            self.progress(self.done, self.all, f"{case.check.control} {case.check.sentence}")


WITNESS = pytest.StashKey[Witness]()


def _case_of(item: pytest.Item) -> Case:
    case: Case = item.callspec.params["case"]  # type: ignore[attr-defined]
    return case


def _from_error(check: Check, error: BaseException) -> Observation:
    """What a check's exception says: a state where it is one of the verifier's words, else a failure with its reason."""
    if isinstance(error, NotTestable):
        return Observation(check.sentence, State.NOT_TESTABLE, reason=str(error))
    if isinstance(error, NotApplicable):
        return Observation(check.sentence, State.NOT_APPLICABLE, reason=str(error))
    if isinstance(error, NotObserved):
        return Observation(check.sentence, State.FAIL, reason=f"could not be observed: {error}")
    kind = "" if isinstance(error, AssertionError) else f"the check itself broke: {type(error).__name__}: "
    return Observation(check.sentence, State.FAIL, reason=f"{kind}{error}"[:500])


def _failure(reason: str) -> Observation:
    return Observation("the verification itself", State.FAIL, reason=reason)


def _described(host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "seen_from": host.witness,
        "versions": host.inside.get("versions", {}),
        "disposable": host.inside.get("disposable", False),
        "seconds_inside": round(host.inside.seconds, 2),
        "seconds_outside": round(host.outside.seconds, 2),
    }
