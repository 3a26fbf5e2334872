"""What the verifier may know of an inventory: how to connect, and what the installation declares of itself."""

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from verification import documents
from verification.words import CannotRun, Waiver

ROOT = Path(__file__).parent.parent
TIERS = ("edge", "app", "db", "cache", "backup", "monitor")
PLACE = {"inventory_dir", "inventory_file", "playbook_dir"}


@dataclass(frozen=True)
class Address:
    """One host as the inventory names it."""

    name: str
    ssh: tuple[str, ...]
    tiers: frozenset[str]


@dataclass(frozen=True)
class Inventory:
    path: Path
    hosts: tuple[Address, ...]
    observer: Address | None
    declared: dict[str, Any]
    extra: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = field(default=())
    by_host: dict[str, dict[str, Any]] = field(default_factory=dict)  # declared.yml as its templates make it for each host

    def declared_by(self, host: str) -> dict[str, Any]:
        """What the installation declares of this host."""
        return self.by_host.get(host, self.declared)

    @property
    def sites(self) -> list[str]:
        return list(dict.fromkeys(str(self.declared_by(host.name)["site_name"]) for host in self.hosts)) or [self.declared["site_name"]]

    @property
    def profile(self) -> str:
        return str(self.declared.get("profile", "baseline"))

    @property
    def trust_anchor(self) -> str | None:
        """The PEM of the CA that clients of this site trust, or none where it is a public one."""
        path = self.declared.get("trust_anchor")
        if not path:
            return None
        try:
            return Path(str(path)).read_text()
        except OSError as error:
            raise CannotRun(f"declared.yml names the trust anchor {path}, which cannot be read: {error}") from error


def read(path: Path, extra: tuple[str, ...] = (), limit: str | None = None) -> Inventory:
    """Reads an inventory with Ansible's own program, and its declared.yml. Raises CannotRun where either is missing."""
    path = path.resolve()
    listing = _ansible_inventory(path, extra)
    hostvars: dict[str, dict[str, Any]] = listing.get("_meta", {}).get("hostvars", {})
    members = {name: _members(listing, name) for name in (*TIERS, "appliance", "observers")}
    appliance = [name for name in members["appliance"] if limit in (None, name)]
    if not appliance:
        named = ", ".join(members["appliance"]) or "none"
        raise CannotRun(f"{path} has no host {limit or 'in the group appliance'}; it has: {named}")
    folder = path if path.is_dir() else path.parent
    wanted = PLACE | _named(folder / "declared.yml")
    for name, variables in hostvars.items():
        context = {**variables, "inventory_dir": str(folder), "inventory_hostname": name}
        hostvars[name] = {key: context[key] for key in context if key.startswith(("ansible_", "lab_")) or key in wanted}
    addresses = tuple(_address(name, hostvars.get(name, {}), members) for name in appliance)
    observers = [_address(name, hostvars.get(name, {}), members) for name in members["observers"]]
    by_host = {name: declaration(folder / "declared.yml", hostvars.get(name, {})) for name in appliance}
    declared = by_host[appliance[0]]
    return Inventory(path, addresses, observers[0] if observers else None, declared, extra, waivers(declared), _one_installation(by_host))


def own(settings: Path) -> Inventory:
    """The inventory of a host that attests itself, {host, tiers, declared}, as roles/monitoring wrote it. It names no way to anywhere."""
    try:
        told = json.loads(settings.read_text())
        address = Address(str(told["host"]), (), frozenset(told["tiers"]) & frozenset(TIERS))
        declared: dict[str, Any] = told["declared"]
    except (OSError, ValueError, KeyError) as error:
        raise CannotRun(f"{settings} does not say what this host is ({error!r}): make converge TAGS=monitoring writes it") from error
    return Inventory(settings, (address,), None, declared, (), waivers(declared))


def expired(waiver: Waiver, today: date) -> bool:
    return today > date.fromisoformat(waiver.until)


def _ansible_inventory(path: Path, extra: tuple[str, ...]) -> dict[str, Any]:
    argv = ["ansible-inventory", "-i", str(path), "--list", *(part for pair in extra for part in ("-e", pair))]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg")}
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environment.get('PATH', '')}"
    if not path.exists():
        raise CannotRun(f"there is no inventory {path}")
    ran = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)
    if ran.returncode:
        raise CannotRun(f"{shlex.join(argv)} failed: {ran.stderr.strip()}")
    listing: dict[str, Any] = json.loads(ran.stdout)
    for pair in extra:
        key, _, value = pair.partition("=")
        for variables in listing.get("_meta", {}).get("hostvars", {}).values():
            variables[key] = value
    return listing


def _members(listing: dict[str, Any], group: str) -> list[str]:
    """The hosts of a group and of its children, each once, in order."""
    entry = listing.get(group, {})
    found = [*entry.get("hosts", [])]
    for child in entry.get("children", []):
        found += _members(listing, child)
    return list(dict.fromkeys(found))


def _address(name: str, variables: dict[str, Any], members: dict[str, list[str]]) -> Address:
    options = shlex.split(str(render(variables.get("ansible_ssh_common_args", ""), variables)))
    if user := variables.get("ansible_user"):
        options += ["-l", str(render(user, variables))]
    if port := variables.get("ansible_port"):
        options += ["-p", str(render(port, variables))]
    if key := variables.get("ansible_ssh_private_key_file"):
        options += ["-i", os.path.expanduser(str(render(key, variables)))]
    target = str(render(variables.get("ansible_host", name), variables))
    return Address(name, (*options, target), frozenset(tier for tier in TIERS if name in members[tier]))


def declaration(path: Path, variables: dict[str, Any]) -> dict[str, Any]:
    try:
        text = documents.read(path)
    except (OSError, yaml.YAMLError) as error:
        raise CannotRun(f"the installation declares nothing of itself: {path}: {error}") from error
    rendered = render(text, variables)
    if not isinstance(rendered, dict) or not rendered.get("site_name"):
        raise CannotRun(f"{path} names no site_name")
    return rendered


def _named(path: Path) -> frozenset[str]:
    """The variables of the inventory that declared.yml names; nothing else that an inventory holds is the verifier's to know."""
    try:
        return frozenset(re.findall(r"[a-z_]\w*", " ".join(re.findall(r"{{(.*?)}}", path.read_text()))))
    except OSError:
        return frozenset()  # declaration() says so


def _one_installation(by_host: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Raises CannotRun where hosts are told different things of what is one for all, or two could only be seen as one from outside."""
    (first, declared), *others = by_host.items()
    for name, other in others:
        for key in ("profile", "deviations", "application"):
            if other.get(key) != declared.get(key):
                raise CannotRun(f"declared.yml gives {first} and {name} a different {key}, and that is one for all hosts of an inventory")
    seen: dict[str, str] = {}
    for name, one in by_host.items():
        for address in map(str, one.get("site_addresses") or ()):
            if address in seen:
                raise CannotRun(
                    f"declared.yml gives {seen[address]} and {name} the same address {address}, and from outside one of them "
                    'would never be seen: write site_addresses: ["{{ site_address }}"] there, and in hosts.yml a site_address for each host'
                )
            seen[address] = name
    return by_host


def waivers(declared: dict[str, Any]) -> tuple[Waiver, ...]:
    found = []
    for entry in declared.get("deviations") or ():
        missing = [key for key in ("control", "who", "reason", "until") if not entry.get(key)]
        if missing:
            raise CannotRun(f"declared.yml: the deviation {entry.get('control', '?')} lacks {', '.join(missing)}")
        try:
            until = date.fromisoformat(str(entry["until"])).isoformat()
        except ValueError as error:
            raise CannotRun(f"declared.yml: the deviation {entry['control']} ends on no day: {error}") from error
        found.append(Waiver(str(entry["control"]), str(entry["who"]), str(entry["reason"]), until))
    return tuple(found)


def render(value: Any, variables: dict[str, Any], depth: int = 0) -> Any:
    """A value with its templates filled in, as far as an inventory's plain variables need it (text, `split`, the environment)."""
    if isinstance(value, list):
        return [render(item, variables, depth) for item in value]
    if isinstance(value, dict):
        return {key: render(item, variables, depth) for key, item in value.items()}
    if not (isinstance(value, str) and "{{" in value):
        return value
    if depth > 8:
        raise CannotRun(f"the inventory's value {value!r} names itself")
    import jinja2.meta  # here: who lists the register renders nothing, and waits for nothing

    # What is rendered is a path, a name or an address for SSH, never a page: there is nothing to escape for.
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701
    environment.filters["split"] = lambda text, by=None: text.split(by)
    environment.globals["lookup"] = lambda kind, name: os.environ.get(name, "") if kind == "ansible.builtin.env" else None
    try:
        named = jinja2.meta.find_undeclared_variables(environment.parse(value))
        known = {name: render(variables[name], variables, depth + 1) for name in named if name in variables}
        return environment.from_string(value).render(known)
    except jinja2.TemplateError as error:
        raise CannotRun(f"the inventory's value {value!r} cannot be filled in: {error}") from error
