"""The services: who they run as, what the kernel lets them do, and where their secrets are."""

from fnmatch import fnmatch
from typing import Any

from verification.breaking import restart_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]


@control("HOST-003")
def test_the_services_run_and_come_back(host: Host, see: Witness, expected: Expected) -> None:
    units = host.inside["units"]
    for unit, wanted in expected["units"].items():
        seen = {key: units.get(unit, {}).get(key, "no such unit") for key in wanted}
        see.exactly(unit, seen, wanted, show=f"systemctl show {unit} --property={','.join(wanted)}")
    see.exactly("units that failed", host.inside["failed_units"], expected["failed_units"], show="systemctl --failed")


@probe("HOST-003", touches=("casemate.socket: at boot",))
def the_socket_is_not_enabled_after_a_rescue(host: Host) -> None:
    host.sudo("systemctl disable casemate.socket 2>/dev/null")


@control("HOST-004")
def test_each_service_has_only_the_rights_of_its_work(host: Host, see: Witness, expected: Expected) -> None:
    processes = host.inside["processes"]
    for unit, wanted in expected["processes"].items():
        mine = [entry for entry in processes if entry["unit"] == unit]
        see.at_least(f"processes of {unit}", len(mine), 1, show=f"systemctl status {unit}")
        rights = {(entry["user"], f"{entry['capabilities']:x}", entry["no_new_privileges"], entry["seccomp"]) for entry in mine}
        show = f"grep -E 'Uid|CapEff|NoNewPrivs|Seccomp:' /proc/PID/status ({unit})"
        see.exactly(f"user, capabilities, no new privileges, system calls filtered ({unit})", rights, {tuple(w) for w in wanted}, show=show)


@control("HOST-004")
def test_nobody_becomes_root_but_the_operators(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    operators = set(declared.get("operators", []))
    show = "sudo cat /etc/sudoers /etc/sudoers.d/*"
    rules = {rule for rule in host.inside["sudoers"] if not _is_of(rule, operators)}
    see.exactly("rules of sudo for others than the operators", rules, set(expected["sudoers"]), show=show)
    users = host.inside["users"]
    see.exactly("users with uid 0", {name for name, user in users.items() if user["uid"] == 0}, {"root"}, show="getent passwd 0")
    shells = {name for name, user in users.items() if not user["shell"].endswith(("nologin", "/false", "/sync"))}
    see.exactly("users with a shell", shells, operators | set(expected["users_with_shell"]), show="getent passwd")


BECOMES_ROOT = ("ALL=(ALL:ALL)ALL", "ALL=(ALL:ALL)NOPASSWD:ALL", "ALL=(ALL)ALL", "ALL=(ALL)NOPASSWD:ALL")


def _is_of(rule: str, operators: set[str]) -> bool:
    """Whether a rule makes just a declared operator root, with or without a password; sudo takes blanks in many places."""
    who, _, what = " ".join(rule.split()).partition(" ")
    return who in operators and what.replace(" ", "") in BECOMES_ROOT


@probe("HOST-004", touches=("casemate.service",), spoils=("HOST-003", "LOG-004", "X-09"))
def the_application_runs_as_root_so_that_it_works(host: Host) -> None:
    host.replace("/etc/systemd/system/casemate.service", "User=casemate\n", "User=root\n")
    restart_application(host)


@control("HOST-010")
def test_gunicorn_listens_on_one_socket_that_only_nginx_reaches(host: Host, see: Witness, expected: Expected) -> None:
    sockets = {e["path"]: f"{e['owner']}:{e['group']} {e['mode']}" for e in host.inside["unix_listeners"] if _is_ours(e)}
    see.exactly("sockets of the application", sockets, expected["application_sockets"], show="sudo ss -Hlxp; stat /run/casemate/*")
    ports = [e for e in host.inside["listeners"] if {"gunicorn", "python", "python3", "python3.13"} & {*e["programs"]}]
    see.exactly("ports of the application", ports, [], show="sudo ss -Hltunp")


def _is_ours(entry: dict[str, Any]) -> bool:
    return entry["path"].startswith("/run/casemate/") or any("gunicorn" in p or "python" in p for p in entry["programs"])


@probe("HOST-010", touches=("gunicorn's configuration",))
def the_control_socket_is_opened_to_look_inside(host: Host) -> None:
    opened = 'control_socket_disable = False\ncontrol_socket = "/tmp/gunicorn.ctl"'
    host.replace("/etc/casemate/gunicorn.conf.py", "control_socket_disable = True", opened)
    restart_application(host)
    host.sudo("sleep 1")


@control("X-09")
def test_the_sandboxes_are_as_tight_as_they_were_proved(host: Host, see: Witness, expected: Expected) -> None:
    exposure, ceilings = host.inside["exposure"], expected["exposure"]
    see.exactly("services that were set up or changed here", set(exposure), set(ceilings), show="ls /etc/systemd/system")
    for unit, ceiling in ceilings.items():
        see.at_most(f"exposure of {unit}", exposure.get(unit, 10.0), ceiling, show=f"systemd-analyze security {unit}")
    known = [*ceilings, *expected["exempt_services"]]
    strangers = [
        unit for unit in host.inside["running_services"] if not any(fnmatch(unit, pattern.replace("@.", "@*.")) for pattern in known)
    ]
    see.exactly(
        "services that run with neither a ceiling nor a reason", strangers, [], show="systemctl list-units --type=service --state=running"
    )


@probe("X-09", touches=("nginx.service",))
def a_sandbox_is_loosened_to_find_a_fault(host: Host) -> None:
    host.sudo(
        "sed -i -E 's/^(ProtectSystem|ProtectHome|PrivateDevices)=.*/\\1=no/; /^SystemCallFilter=/d' "
        "/etc/systemd/system/nginx.service.d/*.conf && systemctl daemon-reload && systemctl restart nginx"
    )


@control("X-10")
def test_secrets_are_nowhere_but_in_credentials(host: Host, see: Witness, expected: Expected) -> None:
    search = host.inside["secrets_in_sight"]
    see.exactly("secrets that were searched for", set(search["searched_for"]), set(expected["secrets"]), show="sudo ls /run/credentials/*")
    see.exactly("places where one stands", search["places"], [], show="sudo cat /proc/PID/environ /proc/PID/cmdline; grep -r /etc")
    mine = [entry for entry in host.inside["processes"] if entry["unit"] == "casemate.service"]
    names = {name for entry in mine for name in entry["environment"]}
    see.exactly("variables in its environment", names - set(expected["environment"]), set(), show="sudo cat /proc/PID/environ")


@probe("X-10", touches=("application.env",), spoils=("DB-006",))
def a_password_goes_into_the_environment_file(host: Host) -> None:
    host.sudo(
        "value=$(cat /run/credentials/casemate.service/database-app-password) && "
        "printf 'DATABASE_PASSWORD=%s\\n' \"$value\" >> /etc/casemate/application.env"
    )
    restart_application(host)


@control("VAULT-003")
def test_the_keys_rest_encrypted_and_only_root_reads_them(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    files = host.inside["files"]
    store = {path: mode for path, mode in files.items() if path.startswith("/etc/credstore.encrypted/")}
    names = [*expected["credentials"], *(["mail-relay-password"] if declared.get("mail_relay") else [])]
    names += ["log-collector-key"] if (declared.get("log_collector") or {}).get("client_certificate") else []
    wanted = {f"/etc/credstore.encrypted/{name}": "root:root 0600" for name in names}
    see.exactly("credentials and who reads them", store, wanted, show="sudo ls -l /etc/credstore.encrypted")
    see.exactly("credentials that are no encrypted ones", host.inside["plain_credentials"], [], show="sudo systemd-creds decrypt FILE -")
    for path, mode in expected["files"]["keys"].items():
        see.exactly(path, files.get(path, "absent"), mode, show=f"sudo stat -c '%U:%G %a' {path}")


@probe("VAULT-003", touches=("credential modes",))
def the_credential_store_is_made_readable_for_a_backup(host: Host) -> None:
    host.sudo("chmod 0644 /etc/credstore.encrypted/keyring-keks")
