"""What `casemate verify --second-witness` adds to a verification."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from verification.host import Host
from verification.inventory import Inventory
from verification.register import Register
from verification.runner import Run
from verification.second import disagreement, hearing, section
from verification.words import CannotRun


@dataclass
class SecondWitness:
    """Fetched before any host is looked at, heard after our own checks. Where it cannot be heard, what we saw is still written."""

    inventory: Inventory
    register: Register
    note: Callable[[str], None]
    said: dict[str, Any] | None = None
    missing: CannotRun | None = None
    sent: bytes = field(init=False, repr=False)
    known: list[disagreement.Note] = field(init=False)

    def __post_init__(self) -> None:
        self.known = disagreement.notes(self.inventory.profile, self.register)
        self.sent = hearing.fetch(self.note)

    def hear(self, hosts: list[Host], run: Run) -> None:
        try:
            self.said = hearing.hear(hosts, self.sent, self.known, disagreement.ours(self.register, run.results), self.note)
        except CannotRun as error:
            self.missing = error

    def lines(self) -> Iterable[str]:
        return section.lines(self.said) if self.said else ()

    def answer_for(self) -> None:
        """What nobody has explained fails nothing: the exit status is of our controls. That nobody was heard is status 2."""
        if self.missing:
            raise self.missing
