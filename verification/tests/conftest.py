"""What the tests play with: verification/rehearsal.py has the stage."""

from collections.abc import Callable
from typing import Any

import pytest

from verification.rehearsal import Stage, a_control, a_register, an_inventory, rehearse
from verification.runner import Run
from verification.words import Waiver

__all__ = ["Stage", "a_control", "a_register", "an_inventory"]


@pytest.fixture
def play() -> Callable[..., Run]:
    """Runs the text of a module of checks on the stage."""

    def run(text: str, *, waivers: tuple[Waiver, ...] = (), **given: Any) -> Run:
        return rehearse(text, inventory=an_inventory(*waivers), **given)

    return run
