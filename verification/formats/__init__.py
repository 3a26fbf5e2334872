"""The results in the forms that others read. Each is a function from the document of results.json to the text of a file.

Two need more than that: the component definition is of the register alone, and a bill of materials lists what a host has on it.
"""

import json
from collections.abc import Mapping
from typing import Any

from verification import report
from verification.formats import assessment, junit, oscal, sarif, sbom
from verification.formats.sbom import Software
from verification.register import Register

Record = dict[str, Any]


def files(results: Record, register: Register, changed: str, software: Mapping[str, Software]) -> dict[str, str]:
    """Every file of one verification by its name, the signature apart. `changed` is when the register last did."""
    return {
        "results.json": json.dumps(results, indent=1, ensure_ascii=False) + "\n",
        "report.html": report.html(results),
        "junit.xml": junit.junit(results),
        "results.sarif": sarif.sarif(results),
        "oscal-component-definition.json": oscal.component_definition(register, changed),
        "oscal-assessment-results.json": assessment.assessment_results(results),
        **{sbom.file_name(host): sbom.sbom(results, host, found) for host, found in software.items()},
    }
