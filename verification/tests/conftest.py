"""What the tests play with: verification/rehearsal.py has the stage."""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from verification.inventory import ROOT
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


@pytest.fixture
def host_program(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Loads a program of a host, which has no ending, by its place in this checkout."""

    def load(place: str) -> ModuleType:
        loader = importlib.machinery.SourceFileLoader(place.rpartition("/")[2].replace("-", "_"), str(ROOT / place))
        spec = importlib.util.spec_from_loader(loader.name, loader)
        assert spec
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        loader.exec_module(module)
        return module

    return load
