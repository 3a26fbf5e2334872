"""junit.xml: what a pipeline shows of tests. A suite a host, a case a control.

There is no standard; elements and attributes are those that Jenkins, GitLab and Azure read alike.
"""

from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree as Xml

from verification.report import shown
from verification.text import brief, cut

Record = dict[str, Any]
# `skipped` is what no failure is and no success either: a pipeline stays green, and the reason is to be read.
SKIPPED = {"not_applicable": "not applicable", "not_testable": "not testable here", "waived": "waived"}


def junit(results: Record) -> str:
    """The document of results.json as a file of test results."""
    results = brief(results)  # XML 1.0 has no NUL, not even an escaped one
    suites = Xml.Element("testsuites", {"name": f"casemate verify {results['site']}", "time": str(results["seconds"])})
    for host in dict.fromkeys(result["host"] for result in results["results"]):
        _suite(suites, results, host)
    if results["problems"]:
        _verification_itself(suites, results)
    for total in ("tests", "failures", "errors", "skipped"):
        suites.set(total, str(sum(int(suite.get(total, 0)) for suite in suites)))
    Xml.indent(suites, " ")
    return Xml.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _suite(suites: Xml.Element, results: Record, host: str) -> None:
    mine = [result for result in results["results"] if result["host"] == host]
    attributes = {
        "name": host,
        "hostname": host,
        "timestamp": results["started"],
        "tests": str(len(mine)),
        "failures": str(sum(result["state"] == "fail" for result in mine)),
        "errors": "0",
        "skipped": str(sum(result["state"] in SKIPPED for result in mine)),
        "time": f"{sum(result['seconds'] for result in mine):.4f}",
    }
    suite = Xml.SubElement(suites, "testsuite", attributes)
    properties = Xml.SubElement(suite, "properties")
    for name, value in _of_the_run(results).items():
        Xml.SubElement(properties, "property", {"name": name, "value": value})
    for result in mine:
        _case(suite, result)


def _of_the_run(results: Record) -> dict[str, str]:
    active = str(results["active"]).lower()
    return {"profile": results["profile"], "active": active, "attested_by": results["attested_by"], **results["verifier"]}


def _case(suite: Xml.Element, result: Record) -> None:
    name = f"{result['control']} {result['title']}"
    case = Xml.SubElement(suite, "testcase", {"classname": result["area"], "name": name, "time": f"{result['seconds']:.4f}"})
    if result["state"] == "fail":
        failure = Xml.SubElement(case, "failure", {"message": cut(result["reason"], 300), "type": result["severity"]})
        failure.text = "\n".join(_told(result))
    elif result["state"] in SKIPPED:
        Xml.SubElement(case, "skipped", {"message": f"{SKIPPED[result['state']]}: {cut(result['reason'], 300)}"})


def _told(result: Record) -> Iterable[str]:
    """A failure whole: what was seen in place of what, how to see it, how to mend it."""
    for seen in result["observations"]:
        if seen["state"] != "fail":
            continue
        yield seen["what"]
        if seen["observed"] is None and seen["expected"] is None:
            yield f"reason: {seen['reason']}"
        else:
            yield f"observed: {cut(shown(seen['observed']))}"
            yield f"expected: {cut(shown(seen['expected']))}"
        if seen["show"]:
            yield f"show me: {seen['show']}"
        yield ""
    yield f"why: {result['why']}"
    if result["mend"]:
        yield f"mend it: {result['mend']}"


def _verification_itself(suites: Xml.Element, results: Record) -> None:
    """Its faults fail the run, and so they must fail here."""
    count = str(len(results["problems"]))
    attributes = {"name": "the verification itself", "timestamp": results["started"], "tests": count, "errors": count}
    suite = Xml.SubElement(suites, "testsuite", {**attributes, "failures": "0", "skipped": "0", "time": "0"})
    for problem in results["problems"]:
        case = Xml.SubElement(suite, "testcase", {"classname": "verification", "name": cut(problem, 300), "time": "0"})
        Xml.SubElement(case, "error", {"message": cut(problem, 300), "type": "verification"}).text = problem
