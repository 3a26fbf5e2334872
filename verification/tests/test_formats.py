"""The forms of the results: each is what its format asks for, whatever a host said, and says what the results say."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packageurl import PackageURL

from verification import evidence, formats, register
from verification.formats import assessment, oscal, sarif, sbom
from verification.formats.sbom import Software
from verification.formats.soundness import faults
from verification.formats.specimen import HOSTILE, examine, invented
from verification.host import Facts
from verification.inventory import ROOT
from verification.tests.conftest import a_control, a_register
from verification.words import Observation, State

NGINX = {"name": "nginx", "version": "1.26.3-3+deb13u1", "architecture": "amd64", "source": "nginx"}
LIBC = {"name": "libc6", "version": "2:2.41-12", "architecture": "amd64", "source": "glibc"}
FACTS: dict[str, Any] = {
    "debian_packages": {"value": [NGINX, LIBC]},
    "release": {"value": {"name": "casemate 0.1+3.g1a2b3c4", "packages": ["casemate 0.1+3.g1a2b3c4", "django 6.1"]}},
    "versions": {"value": {"debian": "13.7"}},
}
MANY = 1_000_000
ROWS = {
    "everything that is obeyed": HOSTILE,
    "the end of a script": "</script><script>alert(1)</script>",
    "the end of CDATA": "]]>",
    "a NUL": "\x00",
    "half a character": "\ud800",
    "no character of XML": "\ufffe\uffff\x0b",
    "a terminal's escape": "\x1b]0;mallory\x07",
    "nothing but blanks": " \n\t ",
}
HUGE = {"characters": "x" * MANY, "lines": "\n" * MANY, "brackets": "<" * MANY, "items": ["tcp"] * (MANY // 10)}


def written(said: str = "all is well") -> dict[str, str]:
    run = invented(said)
    software = sbom.software(Facts(FACTS))
    return formats.files(evidence.document(run), run.register, "2026-01-01T00:00:00Z", {"casemate": software})


@pytest.fixture
def results() -> dict[str, Any]:
    """One control of each state on one host, one planned control."""
    return evidence.document(invented("all is well"))


def test_a_specimen_is_written_in_every_form_sound_and_signed() -> None:
    seen = examine()
    forms = {"results.json", "report.html", "junit.xml", "results.sarif", "sbom-casemate.cdx.json"}
    forms |= {"oscal-component-definition.json", "oscal-assessment-results.json"}
    assert seen.files == {*forms, "SHA256SUMS", "SHA256SUMS.sig"}
    assert seen.as_signed == forms
    assert seen.faults + seen.unnoticed == []
    assert seen.signer == "specimen@casemate.invalid"


@pytest.mark.parametrize("said", ROWS.values(), ids=ROWS.keys())
def test_whatever_a_host_says_each_file_stays_what_it_is(said: str) -> None:
    files = written(said)
    assert faults(files) == []
    for text in files.values():
        text.encode()


@pytest.mark.parametrize("said", HUGE.values(), ids=HUGE.keys())
def test_a_million_of_anything_is_whole_in_the_results_and_bounded_everywhere_else(said: Any) -> None:
    run = invented("all is well")
    run.results[1].observations = [Observation("what it says", State.FAIL, said, [1], "echo", "too much")]
    files = formats.files(evidence.document(run), run.register, "2026-01-01T00:00:00Z", {})
    assert faults(files) == []
    assert json.loads(files["results.json"])["results"][0]["observations"][0]["observed"] == said
    assert {name for name, text in files.items() if len(text) > 600_000} == {"results.json"}


def test_what_is_obeyed_is_shown() -> None:
    files = written("a\x1b[2Jb\x00c\ud800d\u202ee")
    for name, shown in (("results.json", r"a\\x1b[2Jb\\x00c\\ud800d\\u202ee"), ("junit.xml", r"a\x1b[2Jb\x00c\ud800d\u202ee")):
        assert shown in files[name]


BREAK: dict[str, tuple[str, str, str]] = {
    "results.json": ('"profile"', '"profil"', "results.json: "),
    "report.html": ("TST-003", "TST-999", "report.html: does not tell of TST-003"),
    "junit.xml": ('failures="1"', 'failures="0"', "junit.xml: counts"),
    "results.sarif": ('"version": "2.1.0"', '"version": "2.0.0"', "results.sarif: version"),
    "oscal-component-definition.json": (
        oscal.named("component", "roles/nginx"),
        oscal.named("implementation", "roles/nginx"),
        "is in it 2 times",
    ),
    "oscal-assessment-results.json": (oscal.named("host", "casemate.test", "casemate"), "nowhere", "subject-uuid"),
    "sbom-casemate.cdx.json": ('"type": "library"', '"type": "book"', "sbom-casemate.cdx.json: "),
}


@pytest.mark.parametrize("name", BREAK)
def test_a_file_that_is_not_what_its_format_asks_for_is_told(name: str) -> None:
    old, new, sentence = BREAK[name]
    files = written()
    assert old in files[name]
    if name == "oscal-assessment-results.json":  # the reference alone, and not what it leads to
        old, new = f'"subject-uuid": "{old}"', f'"subject-uuid": "{new}"'
    found = faults({**files, name: files[name].replace(old, new)})
    assert [fault for fault in found if sentence in fault]


@pytest.mark.parametrize("name", BREAK)
def test_a_file_that_is_cut_off_is_told(name: str) -> None:
    files = written()
    found = faults({**files, name: files[name][: len(files[name]) // 3]})
    assert [fault for fault in found if fault.startswith(name)]


def test_a_character_that_is_obeyed_and_a_form_that_nobody_knows_are_told() -> None:
    files = {**written(), "notes.txt": "a\x00b"}
    assert faults(files) == ["notes.txt holds a character that is obeyed instead of shown", "notes.txt is of no form that is known"]


def test_sarif_has_a_rule_a_control_and_a_result_for_what_failed_or_is_waived(results: dict[str, Any]) -> None:
    (run,) = json.loads(sarif.sarif(results))["runs"]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert sorted(rules) == ["TST-001", "TST-002", "TST-003", "TST-004", "TST-005"]
    assert "What goes wrong." in rules["TST-002"]["help"]["text"]
    assert rules["TST-002"]["defaultConfiguration"] == {"level": "error"}
    assert rules["TST-002"]["properties"]["security-severity"] == "8.0"
    assert "NIST-800-53r5/IA-5(7)" in rules["TST-002"]["properties"]["tags"]
    assert [(found["ruleId"], found["kind"], "suppressions" in found) for found in run["results"]] == [
        ("TST-002", "fail", False),
        ("TST-003", "fail", True),
    ]
    assert run["invocations"][0]["executionSuccessful"] is False, "the verification itself had a fault"


@pytest.mark.parametrize(
    ("severity", "level", "score"), [("critical", "error", 9.0), ("high", "error", 7.0), ("medium", "warning", 4.0), ("low", "note", 0.1)]
)
def test_severities_fall_into_the_ranges_of_code_scanning(results: dict[str, Any], severity: str, level: str, score: float) -> None:
    for result in results["results"]:
        result["severity"] = severity
    (run,) = json.loads(sarif.sarif(results))["runs"]
    assert run["results"][0]["level"] == level
    assert score <= float(run["tool"]["driver"]["rules"][0]["properties"]["security-severity"]) < score + 3


def test_a_waiver_says_who_answers_for_it_until_when_and_why(results: dict[str, Any]) -> None:
    (waived,) = [found for found in json.loads(sarif.sarif(results))["runs"][0]["results"] if "suppressions" in found]
    (suppression,) = waived["suppressions"]
    assert (suppression["kind"], suppression["status"]) == ("external", "accepted")
    assert suppression["justification"] == "Maria: until the scanner is new: all is well (until 2999-01-31)"
    (risk,) = [risk for risk in assessed(results)["risks"] if risk["status"] == "deviation-approved"]
    assert risk["deadline"] == "2999-01-31T23:59:59Z"
    assert {prop["name"]: prop["value"] for prop in risk["props"]}["who"] == "Maria"


def test_the_same_failure_keeps_its_fingerprint_and_another_host_has_another(results: dict[str, Any]) -> None:
    def prints(document: dict[str, Any]) -> list[str]:
        return [found["partialFingerprints"]["controlAndHost/v1"] for found in json.loads(sarif.sarif(document))["runs"][0]["results"]]

    before = prints(results)
    later = {**results, "started": "2030-01-01T00:00:00Z", "results": [{**r, "reason": "worse"} for r in results["results"]]}
    elsewhere = {**results, "results": [{**r, "host": "other"} for r in results["results"]]}
    assert prints(later) == before
    assert len({*before, *prints(elsewhere)}) == 4


def test_a_host_brings_no_link_into_sarif_and_no_markup_into_oscal() -> None:
    run = invented("[update now](https://mallory.example/) ``` <img src=x onerror=alert(1)>")
    document = evidence.document(run)
    (told,) = json.loads(sarif.sarif(document))["runs"]
    messages = [entry["message"]["text"] for entry in (*told["results"], *told["invocations"][0]["toolExecutionNotifications"])]
    assert [text for text in messages if "](" in text] == []
    assert [text for text in messages if "mallory.example" not in text] == []
    texts = [seen["description"] for seen in assessed(document)["observations"]]
    texts += [part["description"] for seen in assessed(document)["observations"] for part in seen.get("relevant-evidence", ())]
    for text in texts:
        outside = re.sub(r"(?ms)^(````)\n.*?^\1$", "", text)
        assert "mallory" not in outside
        assert "<img" not in outside


def test_several_hosts_are_told_apart_in_each_form(results: dict[str, Any]) -> None:
    results["results"] += [{**result, "host": "web2"} for result in results["results"]]
    results["hosts"] += [{**results["hosts"][0], "name": "web2"}]
    for state in ("pass", "fail", "waived", "not_testable", "not_applicable"):
        results["summary"][state] *= 2
    known = a_register(a_control())
    found = sbom.software(Facts(FACTS))
    files = formats.files(results, known, "2026-01-01T00:00:00Z", {"casemate": found, "web2": found})
    assert faults(files) == []
    assert {"sbom-casemate.cdx.json", "sbom-web2.cdx.json"} <= files.keys()
    assert len({json.loads(files[f"sbom-{host}.cdx.json"])["serialNumber"] for host in ("casemate", "web2")}) == 2
    assert len(assessed(results)["local-definitions"]["inventory-items"]) == 2


def assessed(results: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(assessment.assessment_results(results))["assessment-results"]["results"][0]
    return document


def judged(results: dict[str, Any]) -> tuple[str, str]:
    (finding,) = assessed(results)["findings"]
    assert finding["target"]["target-id"] == "ia-5.7_smt"
    status = finding["target"]["status"]
    return status["state"], status["reason"]


@pytest.mark.parametrize(
    ("kept", "planned", "wanted"),
    [
        ({"pass"}, False, ("satisfied", "pass")),
        ({"pass", "not_applicable"}, False, ("satisfied", "pass")),
        ({"pass"}, True, ("not-satisfied", "other")),
        ({"pass", "not_testable"}, False, ("not-satisfied", "other")),
        ({"pass", "waived"}, False, ("not-satisfied", "other")),
        ({"not_applicable"}, False, ("not-satisfied", "other")),
        ({"pass", "fail"}, False, ("not-satisfied", "fail")),
    ],
)
def test_nists_control_is_satisfied_only_where_all_that_maps_to_it_was_seen_to_hold(
    results: dict[str, Any], kept: set[str], planned: bool, wanted: tuple[str, str]
) -> None:
    results["results"] = [result for result in results["results"] if result["state"] in kept]
    results["planned"] = results["planned"] if planned else []
    assert judged(results) == wanted


def test_an_unchanged_register_gives_an_unchanged_definition_and_a_changed_one_another() -> None:
    known = a_register(
        a_control(mappings={"nist": ["AC-3", "IA-5(7)"]}), a_control("TST-002", status="planned", mappings={"nist": ["AC-3"]})
    )
    text = oscal.component_definition(known, "2026-01-01T00:00:00Z")
    assert oscal.component_definition(dict(known), "2026-01-01T00:00:00Z") == text
    (component,) = json.loads(text)["component-definition"]["components"]
    requirements = component["control-implementations"][0]["implemented-requirements"]
    assert {entry["control-id"]: entry["props"][0]["value"] for entry in requirements} == {"ac-3": "partial", "ia-5.7": "implemented"}

    done = {**known, "TST-002": replace(known["TST-002"], status="implemented")}
    other = json.loads(oscal.component_definition(done, "2026-01-01T00:00:00Z"))["component-definition"]
    assert other["uuid"] != json.loads(text)["component-definition"]["uuid"]
    assert other["components"][0]["uuid"] == component["uuid"]


def test_a_host_keeps_its_identity_and_each_run_has_its_own(results: dict[str, Any]) -> None:
    later = {**results, "started": "2030-01-01T00:00:00Z"}
    first, second = assessed(results), assessed(later)
    assert first["local-definitions"] == second["local-definitions"]
    assert first["uuid"] != second["uuid"]
    assert {seen["uuid"] for seen in first["observations"]}.isdisjoint(seen["uuid"] for seen in second["observations"])


def test_a_run_of_nothing_is_still_an_assessment(results: dict[str, Any]) -> None:
    results["results"], results["planned"] = [], []
    assert assessed(results)["reviewed-controls"] == {"control-selections": [{"include-all": {}}]}


def test_a_bill_of_materials_lists_the_release_and_what_debian_brought(results: dict[str, Any]) -> None:
    bill = json.loads(sbom.sbom(results, "casemate", sbom.software(Facts(FACTS))))
    urls = {part["name"]: part["purl"] for part in bill["components"]}
    assert urls == {
        "nginx": "pkg:deb/debian/nginx@1.26.3-3%2Bdeb13u1?arch=amd64&distro=debian-13",
        "libc6": "pkg:deb/debian/libc6@2:2.41-12?arch=amd64&distro=debian-13&upstream=glibc",
        "casemate": "pkg:pypi/casemate@0.1%2B3.g1a2b3c4",
        "django": "pkg:pypi/django@6.1",
    }
    assert all(PackageURL.from_string(url).to_string() == url for url in urls.values())
    needs = {entry["ref"]: entry["dependsOn"] for entry in bill["dependencies"]}
    assert needs["host"] == sorted([urls["nginx"], urls["libc6"], urls["casemate"]])
    assert needs[urls["casemate"]] == [urls["django"]]
    assert [part["type"] for part in bill["components"] if part["name"] == "casemate"] == ["application"]


def test_a_list_that_could_not_be_read_whole_says_so(results: dict[str, Any]) -> None:
    bill = json.loads(sbom.sbom(results, "casemate", sbom.software(Facts({"release": {"error": "FileNotFoundError: manifest.json"}}))))
    assert bill["components"] == []
    assert bill["compositions"][0]["aggregate"] == "incomplete"
    assert [entry["value"] for entry in bill["properties"]] == [
        "nothing was read of 'debian_packages'",
        "release: FileNotFoundError: manifest.json",
        "nothing was read of 'versions'",
    ]


def test_each_host_has_a_file_of_its_own_in_this_folder() -> None:
    names = [sbom.file_name(host) for host in ("web1", "web1.example.org", "../web1", "fd77::10", "a b")]
    assert len({*names}) == len(names)
    assert not [name for name in names if "/" in name or " " in name]
    assert faults({"results.json": json.dumps({}), **dict.fromkeys(names, "{")}) != []


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="a host of ours is a Debian")
def test_a_debian_says_what_is_installed(results: dict[str, Any]) -> None:
    from verification.remote.system import debian_packages

    found = debian_packages({})
    assert {"name", "version", "architecture", "source"} == found[0].keys()
    assert [package["source"] for package in found if package["name"] == "libc6"] == ["glibc"]
    software = Software(tuple(found), (), "", "13.7")
    assert faults({"results.json": json.dumps(results), "sbom-here.cdx.json": sbom.sbom(results, "here", software)}) == []


def test_nists_own_format_holds_as_trestle_judges_it(tmp_path: Path) -> None:
    """The whole register, and what a hostile host said; and a file that is none is refused."""
    files = written(HOSTILE)
    files["oscal-component-definition.json"] = oscal.component_definition(register.load(), evidence.register_changed())
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    argv = [str(ROOT / "bin" / "validate-oscal"), str(tmp_path)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("VALID: ") == 2

    broken = files["oscal-assessment-results.json"].replace('"methods"', '"means"')
    (tmp_path / "oscal-assessment-results.json").write_text(broken)
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0
