"""python -m verification.looking X-05: what this checkout's checks see of a control of the repository, as one line of JSON."""

import inspect
import json
import sys
from dataclasses import asdict
from typing import Any

from verification import marks
from verification.inventory import ROOT
from verification.witness import Witness
from verification.words import Observation, State


def seen(control: str) -> list[Observation]:
    """Everything that the checks of this control observe; one that breaks has observed nothing more, and says why."""
    found: list[Observation] = []
    for check in marks.load().checks.get(control, []):
        see = Witness()
        given: dict[str, Any] = {"repository": ROOT, "see": see}
        try:
            check.function(**{name: given[name] for name in inspect.signature(check.function).parameters})
        except Exception as error:  # whatever a broken copy raises: it is told, and is a failure
            see.observations.append(Observation(check.sentence, State.FAIL, reason=f"{type(error).__name__}: {error}"[:500]))
        found += see.observations
    return found


if __name__ == "__main__":
    print(json.dumps({"root": str(ROOT), "observations": [asdict(observation) for observation in seen(sys.argv[1])]}))
