"""What probes have in common: somebody edits a file on the host, and makes the service read it; or a file of the checkout."""

from pathlib import Path

from verification.host import Host
from verification.words import CannotRun

NGINX = "/etc/nginx/nginx.conf"
MARIADB = "/etc/mysql/mariadb.conf.d/99-casemate.cnf"
PACKAGE = "$(dirname /opt/casemate/current/venv/lib/python3*/site-packages/casemate/settings.py)"


def edit_nginx(host: Host, old: str, new: str) -> None:
    """An edit that nginx accepts and runs. Its old workers are gone when this returns."""
    host.replace(NGINX, old, new)
    host.sudo("nginx -t -q && nginx -s reload && sleep 0.3")


def edit_mariadb(host: Host, old: str, new: str) -> None:
    host.replace(MARIADB, old, new)
    host.sudo("systemctl restart mariadb")


def patch_application(host: Host, module: str, old: str, new: str) -> None:
    """A change of the release that runs, in place, as somebody makes it who cannot wait for the next one."""
    host.replace(host.sudo(f"echo {PACKAGE}/{module}").stdout.strip(), old, new)
    restart_application(host)


def restart_application(host: Host) -> None:
    """Many probes restart it within a minute; systemd counts that and would refuse, so the count begins anew each time."""
    host.sudo("systemctl daemon-reload && systemctl reset-failed casemate.service && systemctl restart casemate.service")


def edit(path: Path, old: str, new: str) -> None:
    """An edit in a copy of the checkout; raises where there was nothing to edit, since a probe that did nothing proves nothing."""
    text = path.read_text()
    if old not in text:
        raise CannotRun(f"{path.name} does not have {old!r}")
    path.write_text(text.replace(old, new))
