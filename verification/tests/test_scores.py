"""files/systemd/scores.yml, where an auditor of the policy reads the ceilings, against what the verifier expects of a host.

Neither is made from the other: whoever changes one has to think about the other too.
"""

from pathlib import Path
from typing import Any

import yaml

from verification import expectations
from verification.inventory import ROOT

UNITS = ROOT / "files" / "systemd"
SCORES: dict[str, Any] = yaml.safe_load((UNITS / "scores.yml").read_text())
EXPECTED = expectations.load("baseline", {"edge_certificate": "acme"})  # with all units that there may be
# Written by a template of one text: files/systemd/casemate-task.service.j2.
FROM_TEMPLATES = {"casemate-audit-verify.service", "casemate-sessions.service"}


def services(folder: Path) -> set[str]:
    """The services whose text, or a part of it, stands in the policy."""
    whole = {path.name for path in folder.rglob("*.service")}
    return whole | {path.parent.name.removesuffix(".d") for path in folder.rglob("*.service.d/*.conf")} | FROM_TEMPLATES


def test_every_service_of_the_policy_has_a_ceiling_and_no_other_has() -> None:
    assert set(SCORES["ceilings"]) == services(UNITS)


def test_the_verifier_expects_what_the_policy_says() -> None:
    assert EXPECTED["exposure"] == SCORES["ceilings"]
    assert EXPECTED["exempt_services"] == list(SCORES["exempt"])


def test_the_ceilings_are_those_of_the_requirement() -> None:
    highest = {"casemate.service": 1.2, "mariadb.service": 1.5, "nginx.service": 2.5}
    assert {unit: score for unit, score in SCORES["ceilings"].items() if score > highest.get(unit, 4.0)} == {}


def test_each_exemption_has_a_reason() -> None:
    assert {unit for unit, reason in SCORES["exempt"].items() if len(reason) < 20} == set()


def test_every_service_of_ours_says_who_hears_of_its_failure() -> None:
    # The first alerts; the second waits and tries again; the third comes back by itself.
    silent = {"casemate-alert@.service", "casemate-mail.service", "casemate-limiter.service"}
    texts = {
        path: path.read_text() for path in [*UNITS.rglob("*.service"), *UNITS.rglob("*.service.d/casemate.conf"), *UNITS.rglob("*.j2")]
    }
    without = {path for path, text in texts.items() if "\nOnFailure=casemate-alert@%n.service\n" not in text}
    assert {path.parent.name.removesuffix(".d") if path.suffix == ".conf" else path.name for path in without} == silent
