"""The results in the forms that others read. Each is a function from the document of results.json to the text of a file."""

import json
from typing import Any

from verification import report
from verification.formats.junit import junit

Record = dict[str, Any]


def files(results: Record) -> dict[str, str]:
    """Every file of one verification by its name, the signature apart."""
    return {
        "results.json": json.dumps(results, indent=1, ensure_ascii=False) + "\n",
        "report.html": report.html(results),
        "junit.xml": junit(results),
    }
