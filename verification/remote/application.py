"""Inside: what the application says of itself, asked as its service: the same account, sandbox, credentials and settings."""

import json
import subprocess
import threading
from typing import Any

from verification.remote.sections import Parameters, section
from verification.remote.shape import SHAPE

COMMAND = ("/usr/local/sbin/casemate", "shell", "--no-imports", "--verbosity=0", "--command")
# Its addresses. Ids in the paths are nobody's.
ROUTES = """
import re
from django.urls import URLResolver, get_resolver
SAMPLES = {"uuid": "00000000-0000-4000-8000-000000000000", "int": "1", "str": "no-such-link", "slug": "ORGANIZATION"}

def routes(resolver, before=""):
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        else:
            # Other projects have converters of their own, and paths without one.
            yield "/" + re.sub(r"<(?:(\\w+):)?\\w+>", lambda match: SAMPLES.get(match[1], SAMPLES["str"]), path)
"""
# All that is asked of it, in one process: Django takes a second of the host's time to begin.
ASK = """
import io, json, logging, sys
from django.conf import settings
from django.core.management import CommandError, call_command

def ran(*argv, **options):
    said = io.StringIO()
    try:
        call_command(*argv, stdout=said, stderr=said, no_color=True, **options)
        status = 0
    except CommandError as error:
        said.write(f"{type(error).__name__}: {error}")
        status = error.returncode
    except SystemExit as end:
        status = int(end.code or 0)
    return {"status": status, "said": said.getvalue().strip()[-1500:]}

def logged():
    "A line for each way in which a secret can come into a log, and who it was beside it."
    log, secret = logging.getLogger("casemate.verifier"), GIVEN["secret"]
    for name in GIVEN["names"]:
        for spelled in (name, name.upper(), name.title()):
            fields = {spelled: secret, "who": "carol"}
            for depth in (1, 2, 3):
                log.warning("case %s: %s", f"{spelled} at depth {depth}", fields)
                fields = {"outer": [fields]}
            log.warning("case %s", f"{spelled} as extra fields", extra={"fields": {spelled: secret, "who": "carol"}})
            log.warning("case %s in the text: %s=%s, carol", spelled, spelled, secret.split()[0])
            log.warning("case %s in an address: https://casemate.test/?%s=%s&who=carol", spelled, spelled, secret.split()[0])
        try:
            raise ValueError(f"{name}='{secret}' of carol")
        except ValueError:
            log.exception("case %s in a traceback", name)
    for name in GIVEN["harmless"]:
        log.warning("harmless %s: %s", name, {name: secret, "who": "carol"})
    for look, value in GIVEN["looks"].items():
        log.warning("look %s: it was %s of carol", look, value)

# SHAPE
ASKED = {
    "application": lambda: {"routes": sorted(routes(get_resolver())), "backends": settings.AUTHENTICATION_BACKENDS},
    "deploy_check": lambda: ran("check", deploy=True, fail_level="WARNING"),
    "audit_verify": lambda: ran("audit_verify"),
    "versions_told": lambda: ran("versions"),
    "what_is_logged": logged,
    "shape": quietly(lambda: shape()),
    "settings": quietly(lambda: settings_asked()),
    "keys_of_use": quietly(lambda: keys()),
}
print("\\n" + json.dumps({name: ASKED[name]() for name in WANTED}))
"""
PARTS = ("application", "deploy_check", "audit_verify", "versions_told", "what_is_logged", "shape", "settings", "keys_of_use")
_asking, _told = threading.Lock(), dict[str, Any]()


@section
def deploy_check(parameters: Parameters) -> dict[str, Any]:
    said: dict[str, Any] = _told_by_itself("deploy_check", parameters)
    return said


@section
def audit_verify(parameters: Parameters) -> dict[str, Any]:
    said: dict[str, Any] = _told_by_itself("audit_verify", parameters)
    return said


@section
def versions_told(parameters: Parameters) -> dict[str, Any]:
    """What the command for versions says."""
    said: dict[str, Any] = _told_by_itself("versions_told", parameters)
    return said


@section
def application(parameters: Parameters) -> dict[str, Any]:
    """Every address that it answers to, as a path to try, and the ways in which it lets people sign in, in their order."""
    said: dict[str, Any] = _told_by_itself("application", parameters)
    return said


@section
def what_is_logged(parameters: Parameters) -> list[dict[str, Any]]:
    """The lines that the application's own logging makes of secrets."""
    lines: list[dict[str, Any]] = _told_by_itself("what_is_logged", parameters)
    return lines


@section
def shape(parameters: Parameters) -> dict[str, Any]:
    """Its models, what each way to a tenant's row comes to with and without an organisation, and its model of people."""
    return _of_casemate("shape", parameters)


@section
def settings(parameters: Parameters) -> dict[str, Any]:
    """Its settings but for the secret ones, what they are in other environments, and which database it speaks to."""
    return _of_casemate("settings", parameters)


@section
def keys_of_use(parameters: Parameters) -> dict[str, Any]:
    """Whether what it seals opens by keys that were derived without it."""
    return _of_casemate("keys_of_use", parameters)


def _of_casemate(part: str, parameters: Parameters) -> dict[str, Any]:
    said: dict[str, Any] = _told_by_itself(part, parameters)
    if "error" in said:
        raise RuntimeError(said["error"])
    return said


def _told_by_itself(part: str, parameters: Parameters) -> Any:
    """What is wanted of it, asked at once; whoever comes first asks."""
    with _asking:
        if not _told:
            wanted = [name for name in PARTS if name in (parameters.get("sections") or PARTS)]
            given = {key: parameters.get(f"logged_{key}") for key in ("secret", "names", "harmless", "looks")}
            given |= {key: parameters.get(f"tried_{key}") for key in ("words", "settings", "vectors")}
            script = f"GIVEN, WANTED = {given!r}, {wanted!r}\n{ROUTES}{ASK.replace('# SHAPE', SHAPE)}"
            ran = subprocess.run([*COMMAND, script], capture_output=True, text=True, check=False, timeout=60)
            if ran.returncode:
                raise RuntimeError(f"casemate shell ended with {ran.returncode}: {ran.stderr.strip()[-400:]}")
            lines = [line for line in (*ran.stderr.splitlines(), *ran.stdout.splitlines()) if line.startswith("{")]
            _told.update(json.loads(lines.pop()))
            _told["what_is_logged"] = [json.loads(line) for line in lines]
    return _told[part]
