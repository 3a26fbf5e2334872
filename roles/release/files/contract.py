"""What a Django project says of itself to the baseline: the table [tool.casemate] of its pyproject.toml.

The controller reads it to refuse what could not be built; the builder reads it again and writes it into the release's signed manifest,
from where the host learns what to run. Casemate's own app/ goes this way too: docs/your-own-project.md explains each key.
"""

from __future__ import annotations

import difflib
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
OBJECT = re.compile(rf"{MODULE.pattern}:[A-Za-z_]\w*")
SCRIPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
HEALTH = re.compile(r"/[A-Za-z0-9._~/-]*")
COMMANDS = ("audit_schema", "grants", "smoke")


class Refused(Exception):
    """A sentence for whoever builds the release."""


class Contract(NamedTuple):
    """Empty text: the baseline's own rule."""

    name: str  # of the artefact, and in the signed manifest
    settings: str  # the settings module of production
    wsgi: str  # what gunicorn loads
    manage: str = ""  # a script of the project's own instead of `python -m django`
    audit_schema: str = ""  # a command that prints SQL which root applies: tables that no migration may touch
    grants: str = ""  # a command that prints the runtime account's GRANT statements, one a table
    smoke: str = ""  # a command that says whether this account can do its work
    health: str = ""  # a path that answers 2xx while the application is well
    dist: str = "dist"  # where artefacts go, from the project's folder
    exclude: tuple[str, ...] = ()  # what of the project is in no release

    def manifest(self) -> dict[str, Any]:
        """What the host is told; commands as words."""
        told: dict[str, Any] = {name: getattr(self, name) for name in ("name", "settings", "wsgi", "manage", "health")}
        return told | {name: shlex.split(getattr(self, name)) for name in COMMANDS}


def read(project: Path) -> Contract:
    file = project / "pyproject.toml"
    try:
        text = tomllib.loads(file.read_text())
    except FileNotFoundError:
        raise Refused(f"{file} does not exist: it names the project and says how it is run (docs/your-own-project.md).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{file} is no TOML: {error}.") from None
    name = text.get("project", {}).get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*", name):
        raise Refused(f"{file} has no usable `name` under [project]: give letters and digits, with single hyphens between.")
    table = text.get("tool", {}).get("casemate")
    if not isinstance(table, dict):
        raise Refused(f"{file} has no table [tool.casemate]: it names at least the settings module of production.")
    known = [field for field in Contract._fields if field != "name"]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" It knows {', '.join(known)}."
            raise Refused(f"{file}: [tool.casemate] has `{key}`, which means nothing.{hint}")
    values = {key: checked(file, key, value) for key, value in table.items()}
    if "settings" not in values:
        raise Refused(f'{file}: [tool.casemate] has no `settings`: name the settings module of production, as "shop.production".')
    values.setdefault("wsgi", f"{values['settings'].split('.')[0]}.wsgi:application")
    return Contract(name=re.sub(r"[-_.]+", "_", name).lower(), **values)


def checked(file: Path, key: str, value: Any) -> Any:
    where = f"{file}: [tool.casemate] {key}"
    if key == "exclude":
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise Refused(f'{where} must be a list of paths, as ["tests/"].')
        return tuple(value)
    if not isinstance(value, str) or not value:
        raise Refused(f"{where} must be text.")
    forms = {
        "settings": (MODULE, 'a module, as "shop.production"'),
        "wsgi": (OBJECT, 'a module and its application, as "shop.wsgi:application"'),
        "manage": (SCRIPT, "the name of a script of the project (under [project.scripts])"),
        "health": (HEALTH, 'a path of the site, as "/healthz"'),
    }
    if key in forms and not forms[key][0].fullmatch(value):
        raise Refused(f"{where} is {value!r}: give {forms[key][1]}.")
    if key in COMMANDS:
        try:
            shlex.split(value)
        except ValueError as error:
            raise Refused(f"{where} is {value!r}, which is no command: {error}.") from None
    return value
