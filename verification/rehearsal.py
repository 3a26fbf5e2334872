"""A verification of nobody's host: register, checks, deviations and facts are the caller's, the runner is the real one, without SSH.

With it the verifier shows what it does with a check that is empty, broken or excused, and a check is tried before there is a host.
"""

import secrets
import sys
import tempfile
import textwrap
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verification import marks
from verification.host import Facts, Host, Observer
from verification.inventory import Inventory
from verification.marks import Marked
from verification.register import Control, Register
from verification.session import Session
from verification.ssh import Connection
from verification.words import Waiver

if TYPE_CHECKING:
    from verification.runner import Run

HEAD = "from verification.marks import control, probe\nfrom verification.words import NotApplicable, NotTestable\n"


class Stage(Session):
    """A session whose host says what it is given."""

    def __post_init__(self) -> None:
        self.expected = {}
        self.observer = Observer("stage")
        self.hosts = [Host("stage", Connection("stage", ("nowhere.invalid",)), frozenset({"edge", "app", "db"}), self.inventory.declared)]

    def read(self, _sections: Collection[str] | None = None) -> None:
        for host in self.hosts:
            host.witness = "stage"


def a_control(identifier: str = "TST-001", **changed: Any) -> Control:
    fields: dict[str, Any] = {
        "id": identifier,
        "title": f"The title of {identifier}",
        "statement": "What is required.",
        "why": "What goes wrong.",
        "severity": "high",
        "applies_to": "host",
        "profile": "baseline",
        "status": "implemented",
        "implemented_by": ("roles/nginx",),
        "sources": ("A source",),
        "mappings": {},
    }
    return Control(**{**fields, **changed})


def a_register(*controls: Control) -> Register:
    return {control.id: control for control in controls or (a_control(),)}


def an_inventory(*waivers: Waiver, profile: str = "lab") -> Inventory:
    declared = {"site_name": "casemate.test", "profile": profile, "site_addresses": ["192.0.2.10"]}
    return Inventory(Path("hosts.yml"), (), None, declared, (), waivers)


def rehearse(
    text: str,
    *,
    controls: Register | None = None,
    facts: Mapping[str, Any] | None = None,
    inventory: Inventory | None = None,
    active: bool = False,
) -> "Run":
    """Runs the text of a module of checks on the stage."""
    from verification.runner import verify  # here: it brings pytest along, and who lists the register imports the checks too

    with _marked_apart() as marked, tempfile.TemporaryDirectory(prefix="casemate-rehearsal-") as folder:
        # A name of its own: Python keeps what it imported by name, and would run the last text again.
        name = f"rehearsal_{secrets.token_hex(6)}"
        (Path(folder) / f"{name}.py").write_text(HEAD + textwrap.dedent(text))
        stage = Stage(inventory or an_inventory())
        stage.hosts[0].inside = Facts({section: {"value": value} for section, value in (facts or {}).items()})
        try:
            return verify(stage, active=active, controls=controls or a_register(), folder=Path(folder), marked=marked)
        finally:
            sys.modules.pop(name, None)


@contextmanager
def _marked_apart() -> Iterator[Marked]:
    """What is marked meanwhile is not among the verifier's own checks."""
    before, marks.MARKED = marks.MARKED, Marked()
    try:
        yield marks.MARKED
    finally:
        marks.MARKED = before
