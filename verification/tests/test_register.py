"""The register as it stands, and the faults that it refuses."""

import dataclasses
import shutil
from pathlib import Path

import pytest
import yaml

from verification import expectations, inventory, marks, register, words
from verification.checks.register import REQUIREMENTS
from verification.inventory import ROOT
from verification.tests.conftest import a_control, a_register
from verification.words import CannotRun

# Planned controls may name these before their folders are there.
TO_COME = {
    *("roles/mail", "roles/valkey", "roles/fail2ban", "roles/logging", "roles/backup", "roles/monitoring", "roles/load_balancer"),
    *(
        f"app.casemate.{name}"
        for name in ("outbound", "blobs", "organizations", "vault", "assets", "documents", "contacts", "tickets", "locations",
                     "integrations", "webhooks", "api", "ai", "security")
    ),
    "image",
}  # fmt: skip


def test_the_numbers_that_the_documents_name_are_those_of_the_register() -> None:
    assert sum(REQUIREMENTS.values()) == len(register.load()) == 409
    assert set(words.AREAS) == set(REQUIREMENTS), "each area has a name for people"


def test_each_control_has_words_of_its_own() -> None:
    controls = register.load().values()
    for name in ("title", "statement", "why"):
        texts = [" ".join(getattr(control, name).split()) for control in controls]
        assert sorted({text for text in texts if texts.count(text) > 1}) == [], name


def test_who_implements_a_control_is_there_or_known_to_come() -> None:
    controls = register.load()
    assert register.missing_implementers(controls) == {}
    planned = a_register(*(dataclasses.replace(control, status="implemented") for control in controls.values()))
    assert {by for names in register.missing_implementers(planned).values() for by in names} <= TO_COME


def test_an_implemented_control_cannot_name_what_does_not_exist() -> None:
    named = ("roles/nginx", "roles/nowhere", "app.casemate.settings", "app.casemate.nothing", "verification", "image_of_nothing")
    controls = a_register(a_control("TST-001", implemented_by=named), a_control("TST-002", implemented_by=named, status="planned"))
    assert register.missing_implementers(controls) == {"TST-001": ["roles/nowhere", "app.casemate.nothing", "image_of_nothing"]}


def test_the_register_is_sound_and_every_implemented_control_has_a_check() -> None:
    controls, marked = register.load(), marks.load()
    assert [c.id for c in controls.values() if c.implemented and not marked.checks.get(c.id)] == []
    assert sorted({*marked.checks, *marked.probes} - controls.keys()) == []
    assert sum(control.implemented for control in controls.values()) >= 47


def test_every_implemented_control_has_a_probe_or_says_why_it_has_none() -> None:
    controls, probes = register.load(), marks.load().probes
    assert [c.id for c in controls.values() if c.implemented and not probes.get(c.id) and not c.without_probe] == []
    assert [c.id for c in controls.values() if c.without_probe and (probes.get(c.id) or not c.implemented)] == [], "the reason is of no use"


def test_every_probe_of_a_host_can_be_mended_by_a_role_and_has_a_thing_that_it_touches() -> None:
    controls = register.load()
    for identifier, probes in marks.load().probes.items():
        if not controls[identifier].of_the_repository:
            assert controls[identifier].tags, f"{identifier}: no role mends it"
            assert all(probe.touches for probe in probes), identifier


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda entry: entry.pop("why"), "'why' is a required property"),
        (lambda entry: entry.update(severity="urgent"), "WEB-001.severity"),
        (lambda entry: entry.update(id="WEB-002"), "WEB-002 is there twice"),
        (lambda entry: entry.update(id="DB-099"), "DB-099 belongs in db.yml"),
        (lambda entry: entry.update(misspelt=True), "misspelt"),
        (lambda entry: entry.update(implemented_by=["nginx"]), "WEB-001.implemented_by.0: 'nginx' does not match"),
        (lambda entry: entry.update(implemented_by=["roles/../bin"]), "WEB-001.implemented_by.0"),
    ],
)
def test_a_fault_in_the_register_is_named(tmp_path: Path, change: object, said: str) -> None:
    for path in register.CONTROLS.iterdir():
        shutil.copy(path, tmp_path)
    entries = yaml.safe_load((tmp_path / "web.yml").read_text())
    change(entries[0])  # type: ignore[operator]
    (tmp_path / "web.yml").write_text(yaml.safe_dump(entries))
    with pytest.raises(CannotRun, match=said):
        register.load(tmp_path)


def test_expectations_are_overlaid_by_the_profile_and_filled_in() -> None:
    declared = {"site_name": "casemate.test"}
    assert expectations.load("lab", declared)["hsts"]["stage"] == 1
    assert expectations.load("baseline", declared)["hsts"]["stage"] == 4
    with pytest.raises(CannotRun, match="'lax'; there are expectations for: baseline, lab"):
        expectations.load("lax", declared)


def test_nothing_is_expected_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "edge.yml").write_text("read_inside: {units: [nginx.service]}\nhsts: {stage: 4}")
    (tmp_path / "host.yml").write_text("read_inside: {timers: [logrotate.timer]}")
    assert expectations.baseline(tmp_path)["read_inside"] == {"units": ["nginx.service"], "timers": ["logrotate.timer"]}
    (tmp_path / "web.yml").write_text("hsts: {stage: 1}")
    with pytest.raises(CannotRun, match="hsts says stage, and so does another file"):
        expectations.baseline(tmp_path)


def test_the_verifier_never_reads_a_role() -> None:
    """A wrong default would pass both: expectations come from verification/expected and declared.yml alone."""
    for path in [*(ROOT / "verification").glob("*.py"), *(ROOT / "verification" / "checks").glob("*.py")]:
        text = path.read_text()
        for place in ('"roles"', "'roles'", "/defaults/", "group_vars", "host_vars", "/templates/"):
            assert place not in text, f"{path.name} mentions {place}"


def test_a_deviation_must_say_who_answers_for_it() -> None:
    with pytest.raises(CannotRun, match="lacks who"):
        inventory.waivers({"deviations": [{"control": "WEB-001", "reason": "r", "until": "2999-01-01"}]})
    with pytest.raises(CannotRun, match="ends on no day"):
        inventory.waivers({"deviations": [{"control": "WEB-001", "who": "w", "reason": "r", "until": "soon"}]})


def test_templates_of_an_inventory_are_filled_in() -> None:
    variables = {
        "lab_network": "{{ lookup('ansible.builtin.env', 'NOT_SET_ANYWHERE') or '10.77' }}.9",
        "lab_network6": "fd{{ lab_network.split('.')[1] }}:0:0:{{ lab_network | split('.') | last }}",
    }
    assert inventory.render(["{{ lab_network6 }}::10"], variables) == ["fd77:0:0:9::10"]
    with pytest.raises(CannotRun, match="names itself"):
        inventory.render("{{ round }}", {"round": "{{ about }}", "about": "{{ round }}"})
    with pytest.raises(CannotRun, match="cannot be filled in"):
        inventory.render("{{ no_such_thing }}", variables)


def test_what_nobody_keeps_is_not_expected_and_what_is_missing_stays_red() -> None:
    declared = {"site_name": "shop.casemate.test"}
    whole, without = expectations.load("baseline", declared), expectations.load("baseline", declared, without=["backup"])
    account = "casemate_backup@127.0.0.1"
    assert account in whole["database"]["accounts"]
    assert account not in without["database"]["accounts"]
    assert "backup" not in without["read_inside"]["statements"]
    assert "casemate-backup.timer" in without["timers"]  # that nothing makes backups is not passed over


def test_another_application_is_asked_for_what_can_be_seen_of_any() -> None:
    declared = {"site_name": "shop.casemate.test", "application": "other", "page": "/shop/"}
    own = expectations.load("baseline", declared)["own_application"]
    controls = register.load()
    assert {*own["asked"], *own["not_asked"]} <= controls.keys()
    assert all(controls[identifier].by_the_application for identifier in own["asked"])
    assert not any(controls[identifier].by_the_application for identifier in own["not_asked"])
    assert expectations.load("baseline", declared)["site"]["page"] == "/shop/"
    with pytest.raises(CannotRun, match="casemate"):
        expectations.load("baseline", {"application": "mine"})


def test_the_checks_of_a_control_come_in_one_order_whatever_was_imported_first() -> None:
    checks = marks.load().checks["HOST-004"]  # they stand in two modules
    before = list(checks)
    checks.reverse()
    assert marks.load().checks["HOST-004"] == before
