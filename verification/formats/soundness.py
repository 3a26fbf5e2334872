"""Whether the files of one verification are what their formats ask for, and tell of every control that was tested.

OSCAL's own validator is too heavy to stand beside every verification: bin/validate-oscal asks it. Here its references are followed.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema

Record = dict[str, Any]
RESULTS_SCHEMA = Path(__file__).parent.parent / "results.schema.json"
SARIF_SCHEMA = Path(__file__).parent / "schemas" / "sarif-2.1.0.json"
# What may stand in a file of text: no control character but line feed and tab, and no half of a character.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
ESCAPED = re.compile(r"(?<!\\)(?:\\\\)*\\u(00[01][0-9a-f]|[dD][89abAB][0-9a-f]{2})")


def faults(files: Mapping[str, str]) -> list[str]:
    """A sentence for each thing in these files that a reader's program would stumble over."""
    try:
        results = json.loads(files["results.json"])
    except (KeyError, ValueError) as error:
        return [f"results.json cannot be read: {error}"]
    found = [f"{name} holds a character that is obeyed instead of shown" for name in sorted(files) if OBEYED.search(files[name])]
    for name, text in sorted(files.items()):
        judge = next((judge for pattern, judge in JUDGES if re.fullmatch(pattern, name)), None)
        if judge is None:
            found.append(f"{name} is of no form that is known")
            continue
        try:
            found += [f"{name}: {fault}" for fault in judge(text, results)]
        except (ValueError, KeyError, TypeError, Xml.ParseError) as error:
            found.append(f"{name} cannot be read: {type(error).__name__}: {error}")
    return found


def _results(text: str, results: Record) -> Iterator[str]:
    schema = json.loads(RESULTS_SCHEMA.read_text())
    yield from _against(jsonschema.Draft202012Validator(schema), results)
    if ESCAPED.search(text):
        yield "an escape in it stands for a character that is obeyed instead of shown"


def _report(text: str, results: Record) -> Iterator[str]:
    yield from (f"does not tell of {control}" for control in _controls(results) if control not in text)
    yield from (f"has a way out: {way}" for way in ("<script", "<link", "<img") if way in text)


def _junit(text: str, results: Record) -> Iterator[str]:
    suites = Xml.fromstring(text)  # noqa: S314 (a text of our own making)
    cases = Counter((suite.get("name"), (case.get("name") or "").split()[0]) for suite in suites for case in suite.iter("testcase"))
    yield from (f"has {cases[pair]} cases of {pair[1]} on {pair[0]}" for pair in _pairs(results) if cases[pair] != 1)
    counted = {"failures": len(list(suites.iter("failure"))), "skipped": len(list(suites.iter("skipped")))}
    told = {name: int(suites.get(name, -1)) for name in counted}
    if told != counted or counted["failures"] != results["summary"]["fail"]:
        yield f"counts {told}, and {counted} are in it"


def _sarif(text: str, results: Record) -> Iterator[str]:
    document = json.loads(text)
    yield from _against(jsonschema.Draft4Validator(json.loads(SARIF_SCHEMA.read_text())), document)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    yield from (f"has no rule {control}" for control in _controls(results) if rules.count(control) != 1)
    yield from (
        f"{found['ruleId']} is not rule {found['ruleIndex']}" for found in run["results"] if rules[found["ruleIndex"]] != found["ruleId"]
    )
    told = len(run["results"]), sum("suppressions" in found for found in run["results"])
    wanted = results["summary"]["fail"] + results["summary"]["waived"], results["summary"]["waived"]
    if told != wanted:
        yield f"has {told[0]} results, {told[1]} of them suppressed, and {wanted[0]} and {wanted[1]} were found"


def _component_definition(text: str, _: Record) -> Iterator[str]:
    yield from _references(json.loads(text)["component-definition"])


def _assessment_results(text: str, results: Record) -> Iterator[str]:
    document = json.loads(text)["assessment-results"]
    yield from _references(document)
    (result,) = document["results"]
    told = {
        tuple(prop["value"] for prop in seen["props"] if prop["name"] in ("control", "host")) for seen in result.get("observations", ())
    }
    yield from (f"observes nothing of {control} on {host}" for host, control in _pairs(results) if (control, host) not in told)


def bill_of_materials(text: str) -> Iterator[str]:
    """The faults of a list in CycloneDX 1.6, of a host or of a release."""
    from cyclonedx.schema import SchemaVersion  # here: a quarter of a second, for who validates alone
    from cyclonedx.validation.json import JsonStrictValidator

    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        yield " ".join(str(error).split())[:300]
    document = json.loads(text)
    references = Counter([part["bom-ref"] for part in document["components"]] + [document["metadata"]["component"]["bom-ref"]])
    yield from (f"{reference} is in it {times} times" for reference, times in references.items() if times > 1)
    needed = {needed for entry in document["dependencies"] for needed in (entry["ref"], *entry["dependsOn"])}
    yield from (f"{reference} is needed and not in it" for reference in sorted(needed - references.keys()))


Judge = Callable[[str, Record], Iterable[str]]
JUDGES: tuple[tuple[str, Judge], ...] = (
    (r"results\.json", _results),
    (r"report\.html", _report),
    (r"junit\.xml", _junit),
    (r"results\.sarif", _sarif),
    (r"oscal-component-definition\.json", _component_definition),
    (r"oscal-assessment-results\.json", _assessment_results),
    (r"sbom-.+\.cdx\.json", lambda text, _: bill_of_materials(text)),
)


def _against(validator: Any, document: Any) -> Iterator[str]:
    for error in validator.iter_errors(document):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"


def _references(document: Record) -> Iterator[str]:
    """Each id is there once, and each reference leads to one: `#id`, or a name that ends in -uuid."""
    entries = list(_entries(document))
    ids = Counter(entry["uuid"] for entry in entries if "uuid" in entry)
    yield from (f"the id {identifier} is in it {times} times" for identifier, times in ids.items() if times > 1)
    for entry in entries:
        for name, value in entry.items():
            target = value.removeprefix("#") if name == "href" and str(value).startswith("#") else value if name.endswith("-uuid") else None
            if target is not None and target not in ids:
                yield f"{name} {value} leads nowhere"


def _entries(value: Any) -> Iterator[Record]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _entries(item)


def _controls(results: Record) -> list[str]:
    return sorted({result["control"] for result in results["results"]})


def _pairs(results: Record) -> list[tuple[str, str]]:
    return [(result["host"], result["control"]) for result in results["results"]]
