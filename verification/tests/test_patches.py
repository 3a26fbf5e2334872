"""What probes patch in the application is there, so that whoever moves a line learns here, and not on a host, that a probe looks for it."""

import inspect
from unittest.mock import MagicMock

import pytest

from verification import marks
from verification.breaking import PACKAGE
from verification.host import Host
from verification.inventory import ROOT
from verification.marks import Probe

APPLICATION = ROOT / "app/casemate"


def patched_by(probe: Probe) -> list[tuple[str, str]]:
    """The files of the application that this probe patches, with the text that it looks for. Nothing is touched."""
    host = MagicMock(spec=Host)
    host.sudo.side_effect = lambda command, **_: MagicMock(stdout=command.removeprefix("echo "))
    probe.function(host)
    asked = [call.args[:2] for call in host.replace.call_args_list]
    return [(path.removeprefix(f"{PACKAGE}/"), old) for path, old in asked if path.startswith(PACKAGE)]


def patching() -> list[Probe]:
    probes = [probe for found in marks.load().probes.values() for probe in found]
    return [probe for probe in probes if "patch_application" in inspect.getsource(probe.function)]


@pytest.mark.parametrize("probe", patching(), ids=lambda probe: f"{probe.control} {probe.sentence}")
def test_the_text_that_a_probe_patches_stands_in_the_application(probe: Probe) -> None:
    patches = patched_by(probe)
    assert patches
    for module, old in patches:
        files = list(APPLICATION.glob(module))  # the shell on the host expands a path likewise
        assert files, f"the application has no {module}"
        for file in files:
            assert old in file.read_text(), f"{file.relative_to(ROOT)} does not have {old!r}"


def test_a_probe_whose_text_is_gone_is_told_apart() -> None:
    def renamed(host: Host) -> None:
        host.replace(host.sudo(f"echo {PACKAGE}/settings.py").stdout, "text that nobody wrote", "")

    [(module, old)] = patched_by(Probe("X-18", renamed))
    assert old not in (APPLICATION / module).read_text()
