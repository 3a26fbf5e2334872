"""Inside: what the host said of itself last."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, section

LATEST = Path("/var/lib/casemate-attest/latest/results.json")


@section
def own_word(_parameters: Parameters) -> dict[str, Any]:
    """How old its last results are, whose word they say they are, how many controls they judge, and which of these are red."""
    said = json.loads(LATEST.read_text())
    age = time.time() - datetime.fromisoformat(said["started"]).timestamp()
    states = {result["control"]: result["state"] for result in said["results"]}
    return {
        "hours": round(age / 3600, 1),
        "attested by": said["attested_by"],
        "judged": sum(state in ("pass", "fail") for state in states.values()),
        "red": sorted(control for control, state in states.items() if state == "fail"),
        "problems": said["problems"],
    }
