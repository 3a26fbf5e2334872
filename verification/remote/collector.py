"""Outside, where the second host of a lab also collects the logs: what it took, and a trial in which it is away or somebody else."""

import time
from pathlib import Path

from verification.remote.sections import Parameters, on_request, output
from verification.remote.wire import https, request

FOLDER = Path("/etc/casemate/collector")
UNIT, PORT = "casemate-lab-collector.service", 6514
TAKEN = "/var/lib/casemate-lab-collector/collected.log"


@on_request
def collects(_parameters: Parameters) -> bool:
    """Whether this host is a lab's collector."""
    return FOLDER.is_dir()


@on_request
def asked(parameters: Parameters) -> int:
    """Asks the site for a page of that name, which it does not have: nginx and the application log it."""
    return int(https(parameters, request("GET", f"/{parameters['marker']}/", parameters["site"]))["status"])


@on_request
def collected(parameters: Parameters) -> dict[str, bool]:
    """Of each name, whether a line arrived that has all its words; it is waited for as long as one is missing."""
    end = time.monotonic() + parameters["seconds"]
    sought = [part for words in parameters["words"].values() for part in ("-e", words[-1])]
    while True:
        # The whole file: a service that says little may have said its newest line a day of others' lines ago.
        lines = output("sudo", "-n", "grep", "-F", *sought, TAKEN, ok=(0, 1, 2)).splitlines()
        found = {name: any(all(word in line for word in words) for line in lines) for name, words in parameters["words"].items()}
        if all(found.values()) or time.monotonic() > end:
            return found
        time.sleep(0.5)


@on_request
def collector_turns(parameters: Parameters) -> str:
    """The collector is `away`, or shows the certificate of that name: `server` is its own, `foreign` nobody's, `other` another's."""
    show = parameters["show"]
    if show == "away":
        output("sudo", "-n", "systemctl", "stop", UNIT)
    else:
        for ending in ("crt", "key"):
            output("sudo", "-n", "ln", "-sfn", f"{show}.{ending}", str(FOLDER / f"shown.{ending}"))
        output("sudo", "-n", "systemctl", "restart", UNIT)
        listens, end = ("ss", "-Hltn", f"sport = :{PORT}"), time.monotonic() + 10
        while not output(*listens) and time.monotonic() < end:  # a moment after it was started
            time.sleep(0.1)
    return output("systemctl", "is-active", UNIT, ok=(0, 3, 4)).strip()
