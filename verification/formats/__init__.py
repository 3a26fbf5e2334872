"""The results in the forms that others read. Each is a function from the document of results.json to the text of a file.

Two need more than that: the component definition is of the register alone, and a bill of materials lists what a host has on it.
"""

import json
from collections.abc import Mapping
from typing import Any

from verification import report
from verification.formats.assessment import assessment_results
from verification.formats.junit import junit
from verification.formats.oscal import component_definition
from verification.formats.sarif import sarif
from verification.formats.sbom import Software, file_name, sbom
from verification.register import Register

Record = dict[str, Any]


def files(results: Record, register: Register, changed: str, software: Mapping[str, Software]) -> dict[str, str]:
    """Every file of one verification by its name, the signature apart. `changed` is when the register last did."""
    return {
        "results.json": json.dumps(results, indent=1, ensure_ascii=False) + "\n",
        "report.html": report.html(results),
        "junit.xml": junit(results),
        "results.sarif": sarif(results),
        "oscal-component-definition.json": component_definition(register, changed),
        "oscal-assessment-results.json": assessment_results(results),
        **{file_name(host): sbom(results, host, found) for host, found in software.items()},
    }
