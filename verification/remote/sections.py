"""Sections of facts, read side by side: each gives a value or the reason why it could not be read."""

import secrets
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Parameters = dict[str, Any]
Section = Callable[[Parameters], Any]
SECTIONS: dict[str, Section] = {}
ON_REQUEST: set[str] = set()
# The units that this reading starts itself: a name that nobody guesses, so that nobody hides behind it.
OWN_UNITS = f"casemate-verifier-{secrets.token_hex(8)}-"


def section(read: Section) -> Section:
    """Registers a function as the section of its name."""
    SECTIONS[read.__name__] = read
    return read


def on_request(read: Section) -> Section:
    """The same, read only where the parameters name it: for what logs in or writes."""
    ON_REQUEST.add(read.__name__)
    return section(read)


def collect(parameters: Parameters) -> dict[str, Any]:
    """All sections by name. One that raises is reported with its reason and does not stop the others."""
    wanted = parameters.get("sections") or [name for name in SECTIONS if name not in ON_REQUEST]
    with ThreadPoolExecutor(max_workers=12) as pool:
        readings = {name: pool.submit(_read, name, parameters) for name in wanted if name in SECTIONS}
        return {name: reading.result() for name, reading in readings.items()}


def _read(name: str, parameters: Parameters) -> dict[str, Any]:
    started = time.monotonic()
    try:
        found: dict[str, Any] = {"value": SECTIONS[name](parameters)}
    except Exception as error:  # whatever went wrong is the reading
        found = {"error": f"{type(error).__name__}: {error}"}
    found["seconds"] = round(time.monotonic() - started, 3)
    return found


def output(*argv: str, stdin: str = "", ok: tuple[int, ...] = (0,), timeout: float = 60) -> str:
    """What a program printed. Raises with its own words where it failed."""
    ran = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
    if ran.returncode not in ok:
        raise RuntimeError(f"{' '.join(argv[:4])} ended with {ran.returncode}: {ran.stderr.strip()[-400:]}")
    return ran.stdout
