"""A host under verification: what was read of it, inside and outside, and what a probe may do to it."""

import importlib
import importlib.resources
import json
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from verification.inventory import Address
from verification.ssh import Connection, Ran
from verification.words import CannotRun, NotTestable

DISPOSABLE = "/etc/casemate/disposable"
INSIDE = (
    *("sections", "system", "processes", "database", "at_rest", "limiter", "backups", "shape", "application", "release", "watch"),
    *(
        "updates",
        "clock",
        "authority",
        "recording",
        "forwarding",
        "rights",
        "nginx_configuration",
        "edge",
        "logged",
        "jails",
        "starting",
        "attested",
        "rollback",
        "connected",
        "born",
        "escaping",
        "second_factors",
        "guessed_names",
    ),
)
PART_OF_HOUSEHOLD = "household: "
NO_SUDO = "sudo asks for a password there; the account of the inventory needs a rule NOPASSWD: ALL"
OUTSIDE = (
    *("sections", "backup_disk", "retention", "wire", "quic", "http3", "versions", "visit", "pages", "visitor"),
    *("tls", "ports", "bans", "limits", "crooked", "violations", "canary", "collector"),
)


class NotObserved(Exception):
    """A fact could not be read. A check that needs it fails: it is never green by absence."""


@dataclass
class Facts:
    """What one script on one host read in one round trip; where it read a part, the rest of it follows as it is asked for."""

    sections: Mapping[str, Any]
    seconds: float = 0.0
    asked: set[str] = field(default_factory=set)
    read_more: "Callable[[str], Facts] | None" = None

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        if name not in self.sections and self.read_more:
            more = self.read_more(name)
            self.sections, self.seconds = {**self.sections, **more.sections}, self.seconds + more.seconds
        if name not in self.sections:
            raise NotObserved(f"nothing was read of {name!r}")
        section = self.sections[name]
        if "error" in section:
            raise NotObserved(f"{name}: {section['error']}")
        return section["value"]

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except NotObserved:
            return default


@dataclass
class Host:
    """One appliance."""

    name: str
    connection: Connection
    tiers: frozenset[str]
    declared: Mapping[str, Any] = field(default_factory=dict)
    inside: Facts = field(default_factory=lambda: Facts({}))
    outside: Facts = field(default_factory=lambda: Facts({}))
    site: str = ""
    witness: str = ""
    attests_itself: bool = False  # nobody else looks: verification/attest.py
    seen_by_stranger: bool = True  # not where the controller looks, which is let in where others are not
    page: str = "/sign-in/"
    kinds_left_out: frozenset[str] = frozenset()
    look_outside: Callable[[Mapping[str, Any]], Facts] = lambda _: Facts({})
    # A converge in check mode: the tasks that would change something, and Ansible's words where it failed.
    dry_run: Callable[[], tuple[list[str], str]] = lambda: ([], "nothing was run")
    # What active checks tried, by name, each once a verification; and which of these the check at hand asked for.
    tried: dict[str, Any] = field(default_factory=dict)
    asked_tried: set[str] = field(default_factory=set)
    _newcomer: "Newcomer | None" = None
    _household: Any = None
    _household_parts: frozenset[str] = frozenset()
    asked_household: bool = False
    expected_parts: frozenset[str] = frozenset()  # of a household: what the checks of this look will ask for
    _uncounted: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, address: Address, declared: Mapping[str, Any]) -> "Host":
        return cls(address.name, Connection(address.name, address.ssh), address.tiers, declared)

    def sudo(self, command: str, *, stdin: str = "") -> Ran:
        """A shell command as root; raises where it fails, since a probe that did nothing proves nothing."""
        ran = self.connection.run("sudo bash -euo pipefail -s", stdin=f"{command}\n{stdin}")
        if not ran.succeeded:
            raise CannotRun(f"{self.name}: `{command}` ended with {ran.status}: {ran.stderr.strip()[-500:]}")
        return ran

    def replace(self, path: str, old: str, new: str) -> None:
        """Replaces text in a file as an editor would; raises where the old text is not there."""
        script = (
            "import pathlib, sys; path, old, new = sys.argv[1:]; file = pathlib.Path(path); text = file.read_text(); "
            "old in text or sys.exit(f'{path} does not have {old!r}'); file.write_text(text.replace(old, new))"
        )
        self.sudo(f"python3 - {_quoted(path)} {_quoted(old)} {_quoted(new)} <<'CASEMATE'\n{script}\nCASEMATE")

    def forget(self) -> None:
        """What was seen before is no longer so."""
        self._newcomer = self._household = None
        self.tried = {}

    def trial(self, name: str, attempt: Callable[["Host"], dict[str, Any]]) -> dict[str, Any]:
        """What came of an attempt, made once a verification. Active checks alone may ask for it."""
        self.asked_tried.add(name)
        if name not in self.tried:
            self.tried[name] = attempt(self)
        seen: dict[str, Any] = self.tried[name]
        return seen

    def look_inside(self, parameters: Mapping[str, Any]) -> Facts:
        """These sections alone, which do something: active checks ask for them."""
        return read_inside(self, parameters)

    def newcomer(self) -> "Newcomer":
        """Somebody who is enrolled, seen once a verification and removed again. Active checks alone may ask for it."""
        if self._newcomer is None:
            self._newcomer = enrol(self)
        return self._newcomer

    def household(self, *parts: str) -> Any:
        """Two organisations with their people, likewise; verification/household.py names the parts, each of which takes its time."""
        self.asked_household = True
        # What it is made from, whichever check is the first to make it: a probe reads for each control just what that asked for.
        self.inside.asked |= {f"{PART_OF_HOUSEHOLD}{part}" for part in parts}
        if self._household is None or not self._household_parts.issuperset(parts):
            self._household_parts = self.expected_parts.union(parts)
            self._household = importlib.import_module("verification.household").move_in(self, self._household_parts)
        return self._household

    def seen_from(self) -> list[str]:
        """The observer's own addresses, as this host sees them."""
        addresses: list[str] = self.look_outside({"sections": ["own_addresses"]})["own_addresses"]
        return addresses

    def do_not_count(self) -> None:
        """From now on the observer's guesses are nobody's attack; without this the fifth verification of an hour would see nothing."""
        self._uncounted = self._uncounted or self.seen_from()
        self._fail2ban("addignoreip", self._uncounted)  # each time: a restart of fail2ban forgets it

    def count_again(self) -> None:
        if self._uncounted:
            # fail2ban reads a guess up to a second after it was made, and asks only then whether it counts.
            self.sudo("sleep 3")
            self._fail2ban("delignoreip", self._uncounted)
            self._uncounted = []

    def let_in(self) -> None:
        """Nobody shuts the observer out any more: not the bans, not the application's own count."""
        unlocked = "".join(f"casemate unlock --address {address} >/dev/null & " for address in self.seen_from())
        self.sudo(f"{unlocked} wait || true")
        self.lift_bans()

    def lift_bans(self) -> None:
        """The same where nobody guessed a password since: the application's commands take their time."""
        self.sudo("; ".join(f"casemate-ban {address} --lift" for address in self.seen_from()))

    def ban(self, jail: str, *, lift: bool = False) -> None:
        """Has a jail shut the observer out, or let it in again; returns when the firewall knows, after 5 s at the latest."""
        verb, want = ("unbanip", "!") if lift else ("banip", "")
        for address in self.seen_from():
            known = f"nft get element inet casemate banned{6 if ':' in address else 4} '{{ {address} }}' >/dev/null 2>&1"
            self.sudo(f"fail2ban-client set {jail} {verb} {address}; for try in $(seq 50); do {want} {known} && break; sleep 0.1; done")

    def let_back_in(self) -> None:
        """The same after a converge: a restarted fail2ban reads the last hour again, with what was guessed while nobody was to count it."""
        self.do_not_count()
        self.sudo("sleep 3")
        self.let_in()

    def _fail2ban(self, verb: str, addresses: list[str]) -> None:
        commands = "; ".join(
            f"fail2ban-client set {jail} {verb} {address} || true" for jail in ("casemate", "sshd") for address in addresses
        )
        self.sudo(f"if fail2ban-client ping >/dev/null 2>&1; then {commands}; fi")

    @property
    def disposable(self) -> bool:
        """Whether roles/lab marked this host as one that may be broken: root's own file, no link."""
        test = f"sudo test -f {DISPOSABLE} -a ! -L {DISPOSABLE} -a -O {DISPOSABLE} -a -s {DISPOSABLE}"
        return self.connection.run(test).succeeded


@dataclass(frozen=True)
class Newcomer:
    """What an enrolment showed: outside the answers and cookies, inside the ways of passwords and the events."""

    outside: Mapping[str, Any]
    password_hashes: Mapping[str, int]
    events_before: Mapping[str, int]
    events_after: Mapping[str, int]


def enrol(host: Host) -> Newcomer:
    """Enrols a person of no name, has them set a password from outside, and removes every row of them but the audit log's."""
    email = f"verifier-{secrets.token_hex(6)}@casemate.invalid"
    sections = {"sections": ["password_hashes", "audit_actions"]}
    before = read_inside(host, sections)
    link = re.search(r"https://[^/\s]+(/enrol/[^/\s]+/)", host.sudo(f"casemate enrol_operator {email} --name Verifier").stdout)
    if link is None:
        raise NotObserved("`casemate enrol_operator` printed no link")
    host.do_not_count()
    try:
        parameters = {"sections": ["enrolment"], "path": link[1], "email": email, "password": secrets.token_urlsafe(24)}
        seen = host.look_outside(parameters)["enrolment"]
        after = read_inside(host, sections)
    finally:
        tables = ("accounts_session", "accounts_totpdevice", "accounts_backupcode", "accounts_enrolmentlink")
        person = f"(SELECT id FROM casemate.accounts_user WHERE email = '{email}')"
        removals = [f"DELETE FROM casemate.{table} WHERE user_id = {person};" for table in tables]
        removals.append(f"DELETE FROM casemate.axes_accessattempt WHERE username = '{email}';")
        removals.append(f"DELETE FROM casemate.accounts_user WHERE email = '{email}';")
        host.sudo("mariadb <<'SQL'\n" + "\n".join(removals) + "\nSQL")
    return Newcomer(seen, after["password_hashes"], before["audit_actions"], after["audit_actions"])


@dataclass
class Observer:
    """From where the network is seen: a second host of the lab, or this controller."""

    name: str
    connection: Connection | None = None

    def look(self, parameters: Mapping[str, Any]) -> Facts:
        started = time.monotonic()
        script = script_of(OUTSIDE, parameters)
        if self.connection:
            return facts_of(self.connection.run("python3 -", stdin=script, timeout=300), self.name, started)
        ran = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, check=False)
        return facts_of(Ran(ran.returncode, ran.stdout, ran.stderr), self.name, started)


def read_inside(host: Host, parameters: Mapping[str, Any]) -> Facts:
    """Everything that the checks need to know of a host, in one round trip."""
    started = time.monotonic()
    return facts_of(host.connection.run("sudo python3 -", stdin=script_of(INSIDE, parameters), timeout=300), host.name, started)


def script_of(modules: tuple[str, ...], parameters: Mapping[str, Any]) -> str:
    """The modules of verification/remote as one script that needs nothing on the other side but Python.

    Where the parameters name sections, without the modules that these do not need: to compile all takes longer than most sections.
    """
    folder = importlib.resources.files("verification.remote")
    texts = {name: (folder / f"{name}.py").read_text() for name in modules}
    needed = _needed(texts, parameters["sections"]) if parameters.get("sections") else texts.keys()
    sources = {f"verification.remote.{name}": text for name, text in texts.items() if name in needed}
    return "\n".join(
        [
            "import json, sys, types",
            f"sources = json.loads({json.dumps(json.dumps(sources))})",
            "for package in ('verification', 'verification.remote'):",
            "    sys.modules[package] = types.ModuleType(package)",
            "    sys.modules[package].__path__ = []",
            "for name, text in sources.items():",
            "    module = sys.modules[name] = types.ModuleType(name)",
            "    exec(compile(text, name, 'exec'), vars(module))",
            "from verification.remote.sections import collect",
            f"print(json.dumps(collect(json.loads({json.dumps(json.dumps(parameters))}))))",
            "",
        ]
    )


def _needed(texts: Mapping[str, str], sections: Collection[str]) -> set[str]:
    """The modules that define these sections, and those that they import, in turn."""
    found = {"sections"}
    defined = {name: {*re.findall(r"^@(?:section|on_request)\ndef (\w+)", text, re.MULTILINE)} for name, text in texts.items()}
    waiting = [name for name in texts if defined[name] & {*sections}]
    while waiting:
        name = waiting.pop()
        if name in texts and name not in found:
            found.add(name)
            waiting += re.findall(r"^from verification\.remote(?:\.| import )(\w+)", texts[name], re.MULTILINE)
    return found


def facts_of(ran: Ran, name: str, started: float = 0.0) -> Facts:
    if not ran.succeeded and ran.stderr.startswith("sudo: "):
        raise CannotRun(f"{name}: {NO_SUDO}; it said: {ran.stderr.strip()[-300:]}")
    if not ran.succeeded:
        raise CannotRun(f"{name}: the facts could not be read: {ran.stderr.strip()[-800:]}")
    try:
        return Facts(json.loads(ran.stdout), time.monotonic() - started)
    except ValueError as error:
        raise CannotRun(f"{name}: what was read is no JSON: {ran.stdout[:200]!r}") from error


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


__all__ = ["DISPOSABLE", "Facts", "Host", "NotObserved", "NotTestable", "Observer", "read_inside", "script_of"]
