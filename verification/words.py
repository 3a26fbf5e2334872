"""The verifier's words: the states a result can have, and what an observation records."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What a verification says of a control on a host. Never `pass` by the absence of an observation."""

    PASS = "pass"  # noqa: S105 (a word of ours, no password)
    FAIL = "fail"
    NOT_APPLICABLE = "not_applicable"
    NOT_TESTABLE = "not_testable"
    WAIVED = "waived"


SPOKEN = {
    "fail": "failed",
    "waived": "waived",
    "not_testable": "not testable here",
    "pass": "passed",
    "not_applicable": "not applicable",
}
AREAS = {  # in the order of a report: from the edge inwards
    "WEB": "Edge and headers",
    "TLS": "TLS at the edge",
    "HOST": "The host",
    "BAN": "Bans",
    "LOG": "Logs",
    "BKP": "Backups",
    "DB": "The database",
    "APP": "The application",
    "AUTH": "Signing in",
    "SSO": "Sign-in by a provider",
    "TEN": "Tenants kept apart",
    "VAULT": "Keys and secrets",
    "UPL": "Uploads",
    "API": "The API",
    "AI": "AI requests",
    "UI": "Pages",
    "AUD": "The audit log",
    "SCAN": "Known holes",
    "OPS": "Incidents and upkeep",
    "BLD": "Supply chain",
    "K8S": "Containers and clusters",
    "X": "Beyond the sources",
}
SEVERITIES = ("critical", "high", "medium", "low")
ACTIVE_IS_OFF = "active: it logs in or writes, and runs only with --active on a host that may be broken"
FROM_BEST_TO_WORST = (State.NOT_APPLICABLE, State.PASS, State.NOT_TESTABLE, State.WAIVED, State.FAIL)


def worst(states: Iterable[State]) -> State:
    """One result a control and host. No state at all means that nothing was observed, and that is a failure."""
    return max(states, key=FROM_BEST_TO_WORST.index, default=State.FAIL)


def percent(score: float | None) -> str:
    """Rounded down: a hundred says that nothing failed."""
    return "none" if score is None else f"{int(100 * score)} %"


class NotTestable(Exception):
    """This place cannot show the control; the message is the reason."""


class NotApplicable(Exception):
    """The control asks nothing of this host; the message is the reason."""


class CannotRun(Exception):
    """The verification could not be made at all (exit status 2); the message names what to mend."""


@dataclass(frozen=True)
class Observation:
    """What was seen, what was expected, and the command with which a reader sees it too."""

    what: str
    state: State
    observed: Any = None
    expected: Any = None
    show: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Waiver:
    """A deviation that somebody answers for until a day. From the day after, it is a failure."""

    control: str
    who: str
    reason: str
    until: str


@dataclass
class Result:
    """One control on one host: the worst of its observations."""

    control: str
    host: str
    observations: list[Observation] = field(default_factory=list)
    waiver: Waiver | None = None
    active: bool = False
    seconds: float = 0.0

    @property
    def state(self) -> State:
        """The worst of what was seen. An active check that was held back takes nothing from what an observing one saw."""
        looked = [seen for seen in self.observations if seen.reason != ACTIVE_IS_OFF]
        seen = worst(observation.state for observation in looked or self.observations)
        return State.WAIVED if seen is State.FAIL and self.waiver else seen

    @property
    def reason(self) -> str:
        """The sentence that goes with the state: the first observation that is as bad as the result."""
        if self.state is State.WAIVED and self.waiver:
            return f"{self.waiver.who}: {self.waiver.reason} (until {self.waiver.until})"
        return next((o.reason for o in self.observations if o.state is self.state and o.reason), "")
