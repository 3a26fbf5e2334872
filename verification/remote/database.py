"""Inside: the accounts, grants and variables as root sees them, and what each account may do, tried as that account."""

import grp
import json
import pwd
import re
import secrets
import shlex
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from verification.remote.sections import OWN_UNITS, Parameters, output, section

NEWEST = 10_000  # lines of the audit log's journal that are compared with the database
SETTLED = timedelta(seconds=5)  # an event of just now may have its line in a moment
ACCOUNTS = """
SELECT p.User, p.Host,
  COALESCE(JSON_VALUE(Priv, '$.plugin'), ''),
  IF(COALESCE(JSON_VALUE(Priv, '$.authentication_string'), '') IN ('', 'invalid'), 'no password', 'password'),
  COALESCE(JSON_VALUE(Priv, '$.x509_subject'), ''), COALESCE(JSON_VALUE(Priv, '$.x509_issuer'), ''),
  COALESCE(JSON_VALUE(Priv, '$.max_user_connections'), 0),
  IF(JSON_VALUE(Priv, '$.account_locked') = 1, 'locked', ''), IF(JSON_VALUE(Priv, '$.is_role') = 1, 'role', '')
FROM mysql.global_priv p ORDER BY 1, 2
"""
GRANTS = """
SELECT GRANTEE, PRIVILEGE_TYPE, '*.*', IS_GRANTABLE FROM information_schema.USER_PRIVILEGES
UNION ALL SELECT GRANTEE, PRIVILEGE_TYPE, CONCAT(TABLE_SCHEMA, '.*'), IS_GRANTABLE FROM information_schema.SCHEMA_PRIVILEGES
UNION ALL SELECT GRANTEE, PRIVILEGE_TYPE, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME), IS_GRANTABLE FROM information_schema.TABLE_PRIVILEGES
UNION ALL SELECT GRANTEE, PRIVILEGE_TYPE, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, '.', COLUMN_NAME), IS_GRANTABLE
  FROM information_schema.COLUMN_PRIVILEGES
UNION ALL SELECT CONCAT("'", User, "'@'", Host, "'"), CONCAT('ROUTINE ', Proc_priv), CONCAT(Db, '.', Routine_name), 'NO'
  FROM mysql.procs_priv
UNION ALL SELECT CONCAT("'", User, "'@'", Host, "'"), 'ROLE', Role, Admin_option FROM mysql.roles_mapping
"""
VARIABLES = ("local_infile", "max_connections", "require_secure_transport", "secure_file_priv", "tls_version", "version", "wait_timeout")


@section
def database_accounts(_parameters: Parameters) -> dict[str, dict[str, Any]]:
    """Every account, with whether it has a password but never what it is."""
    keys = ("plugin", "password", "subject", "issuer", "connections", "locked", "role")
    return {f"{user}@{host}": dict(zip(keys, rest, strict=True)) for user, host, *rest in _rows(ACCOUNTS)}


@section
def database_grants(_parameters: Parameters) -> dict[str, list[str]]:
    """Each account's grants as `PRIVILEGE ON object`, from every table in which MariaDB keeps one."""
    found: dict[str, list[str]] = {}
    for grantee, privilege, on, grantable in _rows(GRANTS):
        option = " WITH GRANT OPTION" if grantable in ("YES", "Y") else ""
        found.setdefault(grantee.replace("'", ""), []).append(f"{privilege} ON {on}{option}")
    return {account: sorted(grants) for account, grants in found.items()}


@section
def database_tables(_parameters: Parameters) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    rows = _rows(
        "SELECT s.SCHEMA_NAME, COALESCE(t.TABLE_NAME, '') FROM information_schema.SCHEMATA s "
        "LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME "
        "WHERE s.SCHEMA_NAME NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys') ORDER BY 1, 2"
    )
    for schema, table in rows:
        found.setdefault(schema, []).extend([table] if table else [])
    return found


@section
def tenant_tables(_parameters: Parameters) -> dict[str, list[str]]:
    """Tables whose rows must name their organisation, and what refers from one such table to another."""
    in_schema = "TABLE_SCHEMA = 'casemate'"
    named = f"SELECT TABLE_NAME FROM information_schema.COLUMNS WHERE {in_schema} AND COLUMN_NAME = 'organization_id'"
    tenants = {row[0] for row in _rows(f"{named} AND IS_NULLABLE = 'NO'")}
    keys = _rows(
        "SELECT TABLE_NAME, GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION), REFERENCED_TABLE_NAME,"
        " GROUP_CONCAT(REFERENCED_COLUMN_NAME ORDER BY ORDINAL_POSITION) FROM information_schema.KEY_COLUMN_USAGE"
        f" WHERE {in_schema} AND REFERENCED_TABLE_NAME IS NOT NULL GROUP BY TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME"
    )
    between = [
        (f"{table} ({columns}) to {other} ({theirs})", columns, theirs)
        for table, columns, other, theirs in keys
        if {table, other} <= tenants
    ]
    kept = {text for text, columns, theirs in between if columns.startswith("organization_id,") and theirs == "organization_id,id"}
    return {
        "tenants": sorted(tenants),
        "references": sorted(kept),
        "loose": sorted({text for text, *_rest in between} - kept),
    }


@section
def database_triggers(_parameters: Parameters) -> list[str]:
    query = "SELECT TRIGGER_SCHEMA, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION FROM information_schema.TRIGGERS"
    return sorted(f"{timing} {event} ON {schema}.{table}" for schema, table, timing, event in _rows(query))


@section
def database_variables(_parameters: Parameters) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in VARIABLES)
    rows = _rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
    return {row[0]: row[1] for row in rows}


@section
def password_hashes(_parameters: Parameters) -> dict[str, int]:
    """How many people's passwords are kept in which way: the algorithm's name and parameters, never the hash."""
    way = "IF(password LIKE 'argon2$%', SUBSTRING_INDEX(password, '$', 4), SUBSTRING_INDEX(password, '$', 1))"
    query = f"SELECT {way}, COUNT(*) FROM casemate.accounts_user GROUP BY 1"
    return {("no password" if kept.startswith("!") or not kept else kept): int(count) for kept, count in _rows(query)}


@section
def audit_outside(parameters: Parameters) -> dict[str, Any]:
    """The newest events in the database beside the lines of their own journal: by stream, number and code.

    "lines" counts those after the line whose number in the journal is the parameter `audit_line`.
    """
    until = (datetime.now(UTC) - SETTLED).strftime("%F %T.%f")
    journal = output(
        "journalctl", "--namespace=casemate-audit", "-q", "-o", "json", "--output-fields=MESSAGE,_UID,_TRANSPORT", "-n", str(NEWEST)
    )
    read = [json.loads(line) for line in journal.splitlines()]
    # What journald says of itself; nobody else can give a line this mark.
    lines = [line for line in read if line["_TRANSPORT"] != "driver"]
    told = [json.loads(line["MESSAGE"]) for line in lines]
    days = [one["at"] for one in told]
    # From the oldest on; where older lines were cut off, from after those at the cut, which need not stand in the order of their events.
    first = max(days[: NEWEST // 50]) if len(read) == NEWEST else min(days, default="")
    outside = {(one["stream"], int(one["number"])): one["code"] for one in told if one["at"] >= first}
    query = f"SELECT stream, seq, mac, at <= '{until}' FROM casemate_audit.event WHERE at >= '{first[:26].replace('T', ' ')}'"
    rows = _rows(query) if first else []
    codes = {(stream, int(number)): code for stream, number, code, _settled in rows}
    settled = {(stream, int(number)) for stream, number, _code, settled in rows if settled == "1"}
    socket = Path("/run/systemd/journal.casemate-audit/dev-log").stat()
    return {
        "events": int(_rows("SELECT COUNT(*) FROM casemate_audit.event")[0][0]),
        "newest line": max((int(line["__SEQNUM"]) for line in lines), default=0),
        "lines": sum(int(line["__SEQNUM"]) > parameters.get("audit_line", 0) for line in lines),
        "events without their line": sorted(f"{stream} #{number}" for stream, number in settled - outside.keys()),
        "lines whose event is gone or another": sorted(f"{s} #{n}" for (s, n), code in outside.items() if codes.get((s, n)) != code),
        "written by": sorted({pwd.getpwuid(int(line["_UID"])).pw_name for line in lines}),
        "who may add": f"{stat.S_IMODE(socket.st_mode):04o} {pwd.getpwuid(socket.st_uid).pw_name} {grp.getgrgid(socket.st_gid).gr_name}",
    }


@section
def audit_actions(_parameters: Parameters) -> dict[str, int]:
    return {action: int(count) for action, count in _rows("SELECT action, COUNT(*) FROM casemate_audit.event GROUP BY 1")}


@section
def as_accounts(parameters: Parameters) -> dict[str, dict[str, str]]:
    """Statements as each account, in a transient unit with its credential: `done`, or the server's number of the error."""
    return {account: _attempts(account, statements) for account, statements in parameters["statements"].items()}


@section
def connections(_parameters: Parameters) -> dict[str, str]:
    """How the server answers to the application's name and password over roads that must be closed."""
    own = "--ssl-cert=$CREDENTIALS_DIRECTORY/crt --ssl-key=$CREDENTIALS_DIRECTORY/key"
    roads = {
        "verified TLS, own certificate": f"{TLS} {own}",
        "no TLS": "--skip-ssl",
        "TLS, no certificate": TLS,
        "TLS, the migration account's certificate": f"{TLS} --ssl-cert=$OTHER/migrate.crt --ssl-key=$OTHER/migrate.key",
        "TLS, a certificate of the same name from another CA": f"{TLS} --ssl-cert=$FOREIGN/app.crt --ssl-key=$FOREIGN/app.key",
        "TLS, right certificate, wrong password": f"{TLS} {own} --password=wrong",
    }
    tries = "\n".join(f"try {shlex.quote(name)} {options}" for name, options in roads.items())
    shown = as_account("app", f"{FOREIGN_CERTIFICATE}\n{TRY}\n{tries}")
    lines = (line.partition("\t") for line in shown.splitlines() if "\t" in line)
    return {road: answer for road, _, answer in lines}


TLS = "--ssl-verify-server-cert --ssl-ca=/etc/casemate/pki/database/bundle.crt"
CLIENT = 'mariadb --defaults-extra-file=<(printf \'[client]\\nuser=%s\\npassword="%s"\\n\' "$ACCOUNT" "$PASSWORD")'
NETWORK = "--protocol=tcp --host=db.casemate.internal --connect-timeout=5"
# The impostor's authority has the very name of ours: a server that compares names and no signatures lets it in.
FOREIGN_CERTIFICATE = """
FOREIGN=$(mktemp -d); trap 'rm -rf "$FOREIGN"' EXIT
OTHER=/etc/casemate/pki/database
curve="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $curve -keyout $FOREIGN/ca.key -out $FOREIGN/ca.crt -subj '/CN=Casemate Database CA' -days 1 2>/dev/null
openssl req $curve -keyout $FOREIGN/app.key -out $FOREIGN/app.csr -subj /CN=casemate_app 2>/dev/null
openssl x509 -req -in $FOREIGN/app.csr -CA $FOREIGN/ca.crt -CAkey $FOREIGN/ca.key -days 1 -out $FOREIGN/app.crt 2>/dev/null
"""
TRY = f"""
try() {{
  name=$1; shift
  if said=$({CLIENT} {NETWORK} "$@" -N -B -e "SELECT CONCAT('accepted over ', IF(VARIABLE_VALUE = '', 'plain text', VARIABLE_VALUE))
    FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_VERSION'" 2>&1); then
    printf '%s\\t%s\\n' "$name" "$said"
  else
    printf '%s\\trefused %s\\n' "$name" "$(grep -oE 'ERROR [0-9]+' <<<"$said" | cut -d' ' -f2)"
  fi
}}
"""


def _attempts(account: str, statements: dict[str, str]) -> dict[str, str]:
    """One connection, one statement a line; --force goes on after a refusal and names the line of each."""
    own = "--ssl-cert=$CREDENTIALS_DIRECTORY/crt --ssl-key=$CREDENTIALS_DIRECTORY/key"
    lines = "\n".join(f"{' '.join(sql.split())};" for sql in statements.values())
    script = f"{CLIENT} {TLS} {own} {NETWORK} --force -N -B <<'SQL' 2>&1 || true\n{lines}\nSQL"
    shown = as_account(account, script)
    if re.search(r"ERROR \d+ \(\w+\): ", shown):  # an error without a line: there was no connection
        raise RuntimeError(shown.strip()[-300:])
    refused = {int(line): number for number, line in re.findall(r"ERROR (\d+) \(\w+\) at line (\d+)", shown)}
    return {name: f"refused {refused[index]}" if index in refused else "done" for index, name in enumerate(statements, start=1)}


def as_account(account: str, script: str) -> str:
    """Runs a shell script in a transient unit that has the credential of a database account, and nothing of it in an argument."""
    properties = [
        f"LoadCredentialEncrypted=database-{account}-password:/etc/credstore.encrypted/database-{account}-password",
        f"LoadCredential=crt:/etc/casemate/pki/database/{account}.crt",
        f"LoadCredential=key:/etc/casemate/pki/database/{account}.key",
        "PrivateTmp=yes",
        "NoNewPrivileges=yes",
    ]
    name = f"--unit={OWN_UNITS}{secrets.token_hex(4)}"
    unit = ["systemd-run", name, "--quiet", "--wait", "--pipe", "--collect", *(f"--property={p}" for p in properties)]
    head = f'ACCOUNT=casemate_{account}\nPASSWORD=$(<"$CREDENTIALS_DIRECTORY/database-{account}-password")\n'
    return output(*unit, "/bin/bash", "-s", stdin=head + script)


def _rows(query: str) -> list[list[str]]:
    """A query over root's socket. No value may hold a tab or a line break: the client's batch mode escapes both."""
    return [line.split("\t") for line in output("mariadb", "-N", "-B", stdin=query).splitlines()]
