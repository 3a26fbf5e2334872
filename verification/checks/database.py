"""MariaDB from three places: the network, root's socket, and each account with its own credential."""

from typing import Any

from verification.breaking import edit_mariadb, patch_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]


def sql(host: Host, statement: str) -> None:
    """A statement as root, over the socket."""
    host.sudo(f"mariadb <<'SQL'\n{statement}\nSQL")


def alter_application(clause: str) -> str:
    return f"ALTER USER casemate_app@127.0.0.1 {clause};"


@control("DB-001")
def test_the_server_is_the_mariadb_that_was_tested(host: Host, see: Witness, expected: Expected) -> None:
    version = host.inside["database_variables"]["version"]
    show = "sudo mariadb -Ne 'SELECT VERSION()'"
    see.exactly("product", "MariaDB" in version, True, show=show)
    see.exactly("series", ".".join(version.split(".")[:2]), expected["database"]["series"], show=show)


@probe("DB-001", touches=("mariadb: version",), spoils=("APP-029",))
def the_server_passes_as_another_series(host: Host) -> None:
    edit_mariadb(host, "[mariadbd]\n", "[mariadbd]\nversion = 12.3.2-MariaDB\n")


@control("DB-003")
def test_each_account_holds_exactly_its_grants(host: Host, see: Witness, expected: Expected) -> None:
    grants = host.inside["database_grants"]
    for account, wanted in expected["database"]["grants"].items():
        user = account.partition("@")[0]
        see.exactly(f"grants of {user}", grants.get(account, []), sorted(wanted), show=f"sudo mariadb -e 'SHOW GRANTS FOR {user}'")
    if "rows_of_each_table" in expected["database"]:
        _rows_and_no_more(host, see, expected["database"]["rows_of_each_table"])
        return
    tables = {f"{schema}.{table}" for schema, names in host.inside["database_tables"].items() for table in names}
    named = {table for wanted in expected["database"]["grants"].values() for table in map(_object, wanted)}
    unnamed = {table for table in tables if table not in named and table not in expected["database"]["without_grant"]}
    see.exactly("tables that no expectation names", unnamed, set(), show="sudo mariadb -e 'SHOW TABLES IN casemate'")


def _rows_and_no_more(host: Host, see: Witness, wanted: dict[str, list[str]]) -> None:
    """For tables that the verifier does not know: whole schemas, other schemas and tables themselves are nobody's."""
    tables = {f"casemate.{table}" for table in host.inside["database_tables"]["casemate"]}
    for account, rights in wanted.items():
        user = account.partition("@")[0]
        held = set(host.inside["database_grants"].get(account, [])) - {"USAGE ON *.*"}
        most = {f"{right} ON {table}" for right in rights for table in tables}
        beyond = {grant for grant in held if ".".join(grant.split(".")[:2]) not in most}  # what comes after is a column
        see.exactly(f"grants of {user} beyond the rows of its tables", beyond, set(), show=f"sudo mariadb -e 'SHOW GRANTS FOR {user}'")
        see.at_least(f"grants of {user}", len(held), 1)


def _object(grant: str) -> str:
    return grant.partition(" ON ")[2].removesuffix(" WITH GRANT OPTION")


@control("DB-003")
def test_what_an_account_may_not_do_is_refused_to_it(host: Host, see: Witness, expected: Expected) -> None:
    attempts = host.inside["as_accounts"]
    for account, statements in expected["database"]["attempts"].items():
        for name, wanted in statements.items():
            see.exactly(f"{name}, as casemate_{account}", attempts[account][name], wanted, show=f"casemate --as {account} dbshell")


@probe("DB-003", touches=("grants",))
def an_administrator_grants_everything_in_a_hurry(host: Host) -> None:
    sql(host, "GRANT ALL ON casemate.* TO casemate_app@127.0.0.1;")


@control("DB-004")
def test_only_verified_tls_with_the_own_certificate_gets_in(host: Host, see: Witness, expected: Expected) -> None:
    roads = host.inside["connections"]
    for road, answer in roads.items():
        wanted = "accepted over TLSv1.3" if road == "verified TLS, own certificate" else "refused"
        seen = answer if wanted.startswith("accepted") or answer.startswith("accepted") else answer.split()[0]
        see.exactly(road, seen, wanted, show="mariadb --protocol=tcp --host=db.casemate.internal --user=casemate_app …")
    variables = host.inside["database_variables"]
    see.exactly("require_secure_transport", variables["require_secure_transport"], "ON")
    see.exactly("tls_version", set(variables["tls_version"].split(",")), set(expected["database"]["tls_versions"]))


@probe("DB-004", touches=("account requirements",), spoils=("DB-010", "DB-014"))
def an_old_tool_without_a_certificate_is_let_in(host: Host) -> None:
    sql(host, alter_application("REQUIRE NONE"))


@control("DB-009")
def test_the_database_port_is_on_loopback_only(host: Host, see: Witness) -> None:
    seen = {entry["address"] for entry in host.inside["listeners"] if entry["port"] == 3306}
    see.exactly("addresses with port 3306", seen, {"127.0.0.1", "::1"}, show="sudo ss -Hltnp sport = :3306")
    for address, ports in host.outside["open_ports"].items():
        see.exactly(f"3306 answers on {address} from {host.witness}", 3306 in ports, False, show=f"nc -zvw2 {address} 3306")


@probe("DB-009", touches=("mariadb: addresses",), spoils=("HOST-001",))
def a_colleague_wants_to_connect_from_the_office(host: Host) -> None:
    edit_mariadb(host, "bind_address = 127.0.0.1,::1", "bind_address = 0.0.0.0")


@control("DB-010")
def test_exactly_these_accounts_and_none_without_a_password(host: Host, see: Witness, expected: Expected) -> None:
    accounts = host.inside["database_accounts"]
    show = "sudo mariadb -e 'SELECT User, Host FROM mysql.global_priv'"
    see.exactly("accounts", set(accounts), set(expected["database"]["accounts"]), show=show)
    for name, wanted in expected["database"]["accounts"].items():
        seen = {key: accounts.get(name, {}).get(key, "no such account") for key in wanted}
        see.exactly(f"how {name} is recognised", seen, wanted, show=show)
    schemas = set(host.inside["database_tables"])
    see.exactly("schemas", schemas, set(expected["database"]["schemas"]), show="sudo mariadb -e 'SHOW SCHEMAS'")


@probe("DB-010", touches=("accounts",))
def an_installation_script_leaves_what_it_tried_out(host: Host) -> None:
    sql(host, "CREATE USER ''@'localhost'; CREATE SCHEMA test; CREATE USER root@'%' IDENTIFIED BY 'root';")


@control("DB-013")
def test_only_the_server_reads_its_files(host: Host, see: Witness, expected: Expected) -> None:
    for path, wanted in expected["files"]["database"].items():
        see.exactly(path, host.inside["files"].get(path, "absent"), wanted, show=f"sudo stat -c '%U:%G %a' {path}")
    variables = host.inside["database_variables"]
    see.exactly("local_infile", variables["local_infile"], "OFF")


@probe("DB-013", touches=("data folder",))
def the_data_folder_is_opened_for_a_copy(host: Host) -> None:
    host.sudo("chmod 0755 /var/lib/mysql")


@control("DB-014")
def test_each_account_has_a_bound_of_connections(host: Host, see: Witness, expected: Expected) -> None:
    accounts = host.inside["database_accounts"]
    show = "sudo mariadb -e 'SHOW CREATE USER casemate_app'"
    limited = {name: int(entry["connections"]) for name, entry in accounts.items() if entry["subject"]}
    see.exactly("accounts with a bound", limited, expected["database"]["connections"], show=show)
    free = int(host.inside["database_variables"]["max_connections"]) - sum(limited.values())
    see.at_least("connections that are left for root", free, expected["database"]["spare_connections"], show=show)


@probe("DB-014", touches=("account limits",))
def the_limit_is_lifted_during_an_import(host: Host) -> None:
    sql(host, alter_application("WITH MAX_USER_CONNECTIONS 0"))


@control("DB-008")
def test_the_application_uses_mariadb_and_no_setting_leads_elsewhere(host: Host, see: Witness, expected: Expected) -> None:
    seen, engine = host.inside["settings"], expected["settings"]["engine"]
    show = "sudo casemate diffsettings --all | grep DATABASES"
    see.exactly("the connection's kind, and whether the server calls itself MariaDB", seen["in use"], ["mysql", True], show=show)
    see.exactly("engine of the running application", seen["values"]["DATABASES"]["default"]["ENGINE"], engine, show=show)
    see.exactly("engines to which any setting of a host leads", seen["engines"], [engine], show=show)
    # Building a release needs no database; a host on which that is set must not go on without one.
    see.exactly("commands with the settings of a build", seen["set"]["CASEMATE_BUILD=1"], expected["settings"]["of_a_build"], show=show)


@probe("DB-008", touches=("configuration: load",), spoils=("APP-017",))
def commands_of_a_host_may_have_the_settings_of_a_build(host: Host) -> None:
    patch_application(host, "configuration.py", 'if os.environ.get("CREDENTIALS_DIRECTORY"):', "if False:")
