"""A stage on which checks play: a register, an inventory and a host of the test's own making, and no SSH."""

import textwrap
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from verification import marks
from verification.host import Facts, Host, Observer
from verification.inventory import Inventory
from verification.marks import Marked
from verification.register import Control, Register
from verification.runner import Run, verify
from verification.session import Session
from verification.ssh import Connection
from verification.words import Waiver

HEAD = "from verification.marks import control, probe\nfrom verification.words import NotApplicable, NotTestable\n"


class Stage(Session):
    """A session whose host says what the test gives it."""

    def __post_init__(self) -> None:
        self.expected = {}
        self.observer = Observer("stage")
        self.hosts = [Host("stage", Connection("stage", ("nowhere.invalid",)), frozenset({"edge", "app", "db"}))]

    def read(self, _sections: Collection[str] | None = None) -> None:
        self.hosts[0].witness = "stage"


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


def an_inventory(*waivers: Waiver) -> Inventory:
    declared = {"site_name": "casemate.test", "profile": "lab", "site_addresses": ["192.0.2.10"]}
    return Inventory(Path("hosts.yml"), (), None, declared, (), waivers)


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Runs the text of a module of checks on the stage."""

    def run(
        text: str,
        *,
        controls: Register | None = None,
        facts: dict[str, Any] | None = None,
        waivers: tuple[Waiver, ...] = (),
        active: bool = False,
    ) -> Run:
        monkeypatch.setattr(marks, "MARKED", Marked())
        folder = tmp_path / "checks"
        folder.mkdir()
        (folder / f"area_{tmp_path.name}.py").write_text(HEAD + textwrap.dedent(text))
        stage = Stage(an_inventory(*waivers))
        stage.hosts[0].inside = Facts({name: {"value": value} for name, value in (facts or {}).items()})
        return verify(stage, active=active, controls=controls or a_register(), folder=folder, marked=marks.MARKED)

    return run
