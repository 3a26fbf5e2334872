"""One pass over the variables of all roles: each error is a sentence that names the variable, what is allowed and how to mend it.

The roles' own meta/argument_specs.yml say what is allowed. Beyond what Ansible checks, this refuses a variable that carries a role's
prefix but is not in its contract (a misspelt name would otherwise silently leave the default), an unknown name in declared.yml, and,
in a variable called *_networks or *_addresses, what is no network or address. It runs on the controller and connects to nothing.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible import constants
from ansible.plugins.action import ActionBase

Spec = dict[str, dict[str, Any]]
# libyaml's loader reads the contracts ten times faster.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ActionModule(ActionBase):
    """refuse_bad_input: {declared: PATH, roles: {ROLE: GROUP}}; without roles, only whether the file can be read."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"declared", "roles"})

    def run(self, tmp: object = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        declared = Path(str(self._task.args["declared"]))
        if fault := unreadable(declared):
            return result | {"failed": True, "msg": f"{fault} Nothing was changed."}
        roles: dict[str, str] = self._task.args.get("roles", {})
        if not roles:
            return result | {"changed": False}
        folders = {role: role_folder(role) for role in roles}
        specs = {role: read_spec(folder) for role, folder in folders.items()}

        errors = list(unknown_variables(variables, specs, folders))
        errors += unknown_declarations(declared, specs)
        for role, group in roles.items():
            if group in variables.get("group_names", []):
                errors += self.refused_values(specs[role], variables, own_values(folders[role], "defaults"))
        if errors:
            where = f"Nothing was changed on {variables.get('inventory_hostname')}. Set it in {declared} or in the inventory beside it."
            return result | {"failed": True, "msg": "\n".join([*(f"- {error}" for error in errors), where])}
        return result | {"changed": False}

    def refused_values(self, spec: Spec, variables: dict[str, Any], defaults: dict[str, Any]) -> Iterator[str]:
        given: dict[str, Any] = {}
        for name in spec.keys() & variables.keys():
            if name in defaults and variables[name] == defaults[name]:
                continue  # a default may hang on facts, which nobody has asked for yet
            try:
                given[name] = self._templar.template(variables[name])
            except AnsibleError as error:
                given[name] = None
                yield f"{name} cannot be worked out: {str(error).splitlines()[0]} {meaning(spec, name)}"
        for name in sorted(spec):
            if given.get(name, ...) is None:
                continue
            if name not in given:
                if spec[name].get("required"):
                    yield f"{name} is missing. {meaning(spec, name)}"
                continue
            checked = ArgumentSpecValidator({name: spec[name]}).validate({name: given[name]}, validate_role_argument_spec=True)
            if checked.error_messages:
                yield f"{name} is refused: {'; '.join(checked.error_messages)}. {meaning(spec, name)}"
            elif name.endswith(("_networks", "_addresses")):
                for text in filter(not_an_address, checked.validated_parameters[name] or []):
                    yield f"{name} is refused: {text!r} is no IPv4 or IPv6 address or network. {meaning(spec, name)}"


def role_folder(role: str) -> Path:
    for place in constants.DEFAULT_ROLES_PATH:
        if (folder := Path(place) / role).is_dir():
            return folder
    raise AnsibleError(f"The role {role} is not in {constants.DEFAULT_ROLES_PATH}: run this from the project with ansible/ansible.cfg.")


def read_yaml(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=LOADER)  # noqa: S506  # both loaders are safe ones


def unreadable(declared: Path) -> str:
    """What is wrong with the file as such, in a sentence."""
    try:
        found = read_yaml(declared)
    except OSError as error:
        return f"{declared} cannot be read ({error.strerror}): it says what this installation is. inventories/example has one to copy."
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return f"{declared} is no YAML{f', from line {mark.line + 1} on' if mark else ''}: {getattr(error, 'problem', error)}."
    return "" if isinstance(found, dict) else f"{declared} is no list of names and values, as in `site_name: vault.example.org`."


def read_spec(folder: Path) -> Spec:
    contract = read_yaml(folder / "meta" / "argument_specs.yml")
    options: Spec = contract["argument_specs"]["main"].get("options") or {}
    return options


def unknown_variables(variables: dict[str, Any], specs: dict[str, Spec], folders: dict[str, Path]) -> Iterator[str]:
    for role, spec in specs.items():
        known = {*spec, *own_values(folders[role], "defaults"), *own_values(folders[role], "vars")}
        for name in sorted(variables):
            if name.startswith(f"{role}_") and name not in known:
                yield f"{name} is no variable of the role {role}.{suggestion(name, known)} roles/{role}/README.md lists them."


def unknown_declarations(declared: Path, specs: dict[str, Spec]) -> Iterator[str]:
    known = {name for spec in specs.values() for name in spec}
    for name in sorted(read_yaml(declared) or {}):
        if name not in known:
            yield f"{name} in {declared} is nothing that can be declared.{suggestion(name, known)} roles/base/README.md lists what can."


def own_values(folder: Path, kind: str) -> dict[str, Any]:
    """What a role sets itself, which is visible where its tasks are imported."""
    path = folder / kind / "main.yml"
    values: dict[str, Any] = (read_yaml(path) or {}) if path.exists() else {}
    return values


def meaning(spec: Spec, name: str) -> str:
    text = spec[name].get("description", "")
    return " ".join(text) if isinstance(text, list) else str(text)


def suggestion(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean {near[0]}?" if near else ""


def not_an_address(text: object) -> bool:
    if "%" in str(text):  # Python takes anything at all after it for the name of an interface
        return True
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return True
    return False
