"""What OpenSCAP and lynis wrote is read as they meant it, laid beside what we say, and shown. The excerpts are of real runs."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from verification import evidence, register, report
from verification.inventory import ROOT
from verification.second import disagreement, hearing, lynis, openscap, payload, section
from verification.second.disagreement import Note
from verification.second.statement import Finding, Statement
from verification.tests.conftest import a_control, a_register
from verification.tests.test_report import GREEN, Play, Reader
from verification.words import CannotRun

EXCERPTS = Path(__file__).parent / "second"
SCHEMA = json.loads((ROOT / "verification" / "results.schema.json").read_text())


def level(number: int, text: bytes = (EXCERPTS / "openscap.xml").read_bytes()) -> Statement:
    return openscap.read(text)[number - 1]


def the_report_of_lynis() -> Statement:
    return lynis.read((EXCERPTS / "lynis-report.dat").read_text())


def a_finding(rule: str = "partition_for_home", title: str = "A partition for /home") -> Finding:
    return Finding(rule, title, "low", "fail")


def states(*known: Note, ours: disagreement.Ours | None = None, finding: Finding | None = None) -> list[str]:
    said = [Statement("CIS", {"fail": 1}, [finding or a_finding()])]
    return [entry["state"] for entry in disagreement.disagreements("casemate", said, list(known), ours or {})]


def test_every_rule_of_a_profile_is_counted_by_its_result() -> None:
    assert level(1).counts == {"error": 1, "fail": 2, "not applicable": 1, "pass": 2, "unknown": 1}


def test_a_rule_that_fails_keeps_its_title_and_its_section_of_the_benchmark() -> None:
    found = {finding.rule: finding for finding in level(1).findings}
    assert found["partition_for_dev_shm"] == Finding(
        "partition_for_dev_shm", "Ensure /dev/shm is configured", "low", "fail", "CIS 1.1.2.2.1"
    )


def test_a_rule_that_could_not_be_judged_is_found_wanting_too() -> None:
    assert {finding.rule: finding.result for finding in level(1).findings if finding.result != "fail"} == {
        "service_timesyncd_enabled": "error",
        "ntp_single_service_active": "unknown",
    }


def test_rules_that_hold_are_known_by_name() -> None:
    assert level(1).held == {"account_unique_id", "file_permissions_etc_shadow"}


def test_what_level_2_alone_asks_is_not_laid_to_level_1() -> None:
    both = {"fail": level(1).counts["fail"], "more": level(2).counts["fail"]}
    assert both == {"fail": 2, "more": 3}
    assert "partition_for_home" not in {finding.rule for finding in level(1).findings}


@pytest.mark.parametrize("text", [b"", b"<Benchmark/>", (EXCERPTS / "openscap.xml").read_bytes().replace(b"TestResult", b"Other")])
def test_a_text_that_is_no_result_is_refused(text: bytes) -> None:
    with pytest.raises(CannotRun, match="what OpenSCAP wrote"):
        level(1, text)


def test_answers_of_level_2_are_not_taken_for_a_level_1_that_asks_otherwise() -> None:
    text = (EXCERPTS / "openscap.xml").read_bytes()
    first = text.index(b'selector="')
    with pytest.raises(CannotRun, match="asks otherwise"):
        level(1, text[:first] + text[first:].replace(b'selector="', b'selector="another_', 1))


def test_lynis_says_a_thing_at_a_time() -> None:
    said = the_report_of_lynis()
    assert said.index == 61
    assert [(finding.rule, finding.title, finding.result) for finding in said.findings] == [
        ("LOGG-2138", "klogd is not running, which could lead to missing kernel messages in log files", "warning"),
        (
            "KRNL-5788",
            "Determine why /vmlinuz or /boot/vmlinuz is missing on this Debian/Ubuntu system.: /vmlinuz or /boot/vmlinuz",
            "suggestion",
        ),
        ("FILE-6310", "To decrease the impact of a full /home file system, place /home on a separate partition", "suggestion"),
        ("FILE-6310", "To decrease the impact of a full /var file system, place /var on a separate partition", "suggestion"),
        ("BANN-7126", "Add a legal banner to /etc/issue, to warn unauthorized users", "suggestion"),
        ("KRNL-6000", "kernel.kptr_restrict is 0, not 2", "suggestion"),
        ("KRNL-6000", "net.ipv4.conf.all.send_redirects is 1, not 0", "suggestion"),
    ]
    assert said.held == {"HRDN-7230", "AUTH-9204"}


def test_what_lynis_repeats_is_said_once() -> None:
    text = (EXCERPTS / "lynis-report.dat").read_text()
    line = next(line for line in text.splitlines() if line.startswith("suggestion[]=KRNL-6000"))
    assert lynis.read(text.replace(line, f"{line}\n{line}")).findings == the_report_of_lynis().findings


def test_a_report_that_breaks_off_is_refused() -> None:
    with pytest.raises(CannotRun, match="has no end"):
        lynis.read((EXCERPTS / "lynis-report.dat").read_text().replace("finish=true", ""))


def test_what_nobody_has_explained_is_named_as_such() -> None:
    assert states() == ["unexplained"]
    assert states(Note(("partition_for_var",), "another rule")) == ["unexplained"]


def test_what_a_note_speaks_of_is_explained_or_open() -> None:
    assert states(Note(("partition_for_home",), "nobody has a home here")) == ["explained"]
    assert states(Note(("partition_for_home",), "they are right", open=True)) == ["open"]


def test_a_note_of_one_file_system_does_not_explain_another() -> None:
    home, var = (Finding("FILE-6310", f"place {place} on a separate partition", "low", "suggestion") for place in ("/home", "/var"))
    note = Note(("FILE-6310 /home",), "nobody has a home here")
    assert states(note, finding=home) == ["explained"]
    assert states(note, finding=var) == ["unexplained"]


def test_a_finding_is_no_disagreement_where_our_own_control_failed() -> None:
    note = Note(("partition_for_home",), "our control looks at it", ("TST-001",))
    assert states(note, ours={("TST-001", "casemate"): "fail"}) == ["agreed"]
    assert states(note, ours={("TST-001", "casemate"): "pass"}) == ["explained"]
    assert states(note, ours={("TST-001", ""): "planned", ("TST-001", "other"): "fail"}) == ["explained"]


def test_what_both_profiles_say_is_said_once() -> None:
    found = disagreement.disagreements("casemate", [level(1), level(2)], [], {})
    both = [entry for entry in found if len(entry["said_by"]) == 2]
    assert len(both) == 4
    assert [entry["rule"] for entry in found if entry not in both] == ["partition_for_home"]


def test_an_explanation_of_what_holds_by_now_is_named() -> None:
    said = [level(1), the_report_of_lynis()]
    known = [
        Note(("account_unique_id", "partition_for_dev_shm", "HRDN-7230", "FILE-6310 /opt", "FILE-6310 /var", "of_another_profile"), "")
    ]
    assert disagreement.stale(said, known) == ["FILE-6310 /opt", "HRDN-7230", "account_unique_id"]


def test_a_note_is_of_the_profiles_that_it_names(tmp_path: Path) -> None:
    path = tmp_path / "notes.yml"
    path.write_text("- {rules: [a], why: everywhere}\n- {rules: [b], why: in the lab alone, profiles: [lab]}\n")
    assert [note.rules for note in disagreement.notes("lab", {}, path)] == [("a",), ("b",)]
    assert [note.rules for note in disagreement.notes("baseline", {}, path)] == [("a",)]


def test_a_note_that_names_no_control_of_the_register_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.yml"
    path.write_text("- {rules: [a], why: one, controls: [TST-999]}\n")
    with pytest.raises(CannotRun, match="TST-999"):
        disagreement.notes("lab", a_register(), path)


def test_each_rule_of_our_notes_has_one_reason() -> None:
    for profile in ("lab", "baseline"):
        known = disagreement.notes(profile, register.load())
        rules = [rule for note in known for rule in note.rules]
        assert sorted(rules) == sorted(set(rules))
        assert [note for note in known if len(note.why) < 20] == []


def the_part_of_the_results(*, explained: bool = True) -> dict[str, Any]:
    said = [level(1), level(2), the_report_of_lynis()]
    known = [Note(("partition_for_dev_shm",), "systemd makes it", ("TST-001",))] if explained else []
    facts = {"seconds": {"OpenSCAP": 28.0, "lynis": 42.0}, "assumed": ["linux-base"]}
    versions = dict.fromkeys(hearing.SHIPPED, "1.0")
    host = hearing.described("casemate", said, facts, known, {("TST-001", "casemate"): "pass"})
    return {"versions": versions, "skipped": payload.SKIPPED, "stale": [], "hosts": [host]}


def test_the_results_with_a_second_witness_are_as_the_schema_says(play: Play) -> None:
    results = evidence.document(play(GREEN)) | {"second_witness": the_part_of_the_results()}
    jsonschema.Draft202012Validator(SCHEMA).validate(results)


def test_the_page_shows_what_others_say_with_our_answer(play: Play) -> None:
    page = Reader(report.html(evidence.document(play(GREEN)) | {"second_witness": the_part_of_the_results()}))
    assert "hardening index 61" in page.text
    assert "Ensure /dev/shm is configured partition_for_dev_shm; CIS level 1, server; CIS level 2, server" in page.text
    assert "systemd makes it TST-001 pass" in page.text
    assert "Not explained yet 11" in page.text


def test_the_page_of_a_run_without_one_does_not_speak_of_it(play: Play) -> None:
    assert "What others say" not in Reader(report.html(evidence.document(play(GREEN)))).text


def test_the_terminal_names_what_is_not_explained() -> None:
    said = list(section.lines(the_part_of_the_results()))
    assert said[0] == "casemate: CIS level 1, server: 1 error, 2 fail, 1 not applicable, 2 pass, 1 unknown"
    assert "casemate: 11 not explained yet, 1 left so, for a reason" in said
    assert "  not explained: partition_for_home  Ensure /home Located On Separate Partition" in said


def an_answer(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_an_answer_is_read_in_memory() -> None:
    assert hearing.unpacked("casemate", an_answer(facts=b"{}")) == {"facts": b"{}"}


@pytest.mark.parametrize("found", [b"", b"no archive", an_answer(facts=b"0" * 4096)[:-60]], ids=["nothing", "a text", "half of it"])
def test_an_answer_that_is_none_is_refused_with_the_hosts_name(found: bytes) -> None:
    with pytest.raises(CannotRun, match="casemate: the second witness's answer"):
        hearing.unpacked("casemate", found)


def test_an_answer_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LARGEST", 1000)
    with pytest.raises(CannotRun, match="no file of a fitting size"):
        hearing.unpacked("casemate", an_answer(facts=b"0" * 1001))


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        (["begins", "refused: 90 MB of memory are free, and the second witness needs 350", "noise"], "90 MB of memory are free"),
        (["sudo: a password is required"], "sudo: a password is required"),
        (["Failed to start: Unit casemate-second-witness.service was already loaded"], "another verification hears it there"),
        ([], "it ended with 1"),
    ],
)
def test_a_host_that_will_not_is_quoted_in_one_sentence(errors: list[str], told: str) -> None:
    assert hearing.reason(errors, 1).startswith(told)


def test_a_host_refuses_in_one_line_and_with_a_status_of_its_own() -> None:
    script = "from verification.remote import guest; guest.refuse('no room\\n  for it')"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (3, "refused: no room for it\n")


def test_a_control_that_was_not_run_is_not_called_passed() -> None:
    controls = a_register(a_control("TST-001"), a_control("TST-002", status="planned"))
    ours = disagreement.ours(controls, [])
    note = Note(("partition_for_home",), "see there", ("TST-001", "TST-002"))
    (entry,) = disagreement.disagreements("casemate", [Statement("CIS", {}, [a_finding()])], [note], ours)
    assert entry["controls"] == {"TST-001": "not run", "TST-002": "planned"}
