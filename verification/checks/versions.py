"""What runs is what was tested: the series of the framework, its language, the server before it and the one behind it."""

from typing import Any

from verification.breaking import restart_application
from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
VERSIONS = "sudo casemate versions"
FRAMEWORK = "/opt/casemate/current/venv/lib/python3*/site-packages/django/__init__.py"


@control("APP-029")
def test_the_command_for_versions_prints_what_runs_and_it_is_what_was_tested(host: Host, see: Witness, expected: Expected) -> None:
    said, wanted = host.inside["versions_told"], expected["tested"]
    told = (line.partition(" ") for line in said["said"].splitlines())
    versions = {product: version for product, _, version in told if version[:1].isdigit()}
    see.exactly("exit status", said["status"], 0, show=VERSIONS)
    see.exactly("series by product", {product: series(version) for product, version in versions.items()}, wanted, show=VERSIONS)
    installed = dict(package.split(" ", 1) for package in host.inside["release"]["packages"])
    for product in ("Django", "gunicorn"):
        see.exactly(f"{product}, as the release has it", versions.get(product, "not told"), installed.get(product.lower()), show=VERSIONS)
    if "db" in host.tiers:
        server = host.inside["database_variables"]["version"]
        see.exactly("MariaDB, as the server says", versions.get("MariaDB", "not told"), server, show="sudo mariadb -Ne 'SELECT VERSION()'")


@control("APP-029")
def test_the_service_runs_from_the_release_that_is_asked(host: Host, see: Witness, expected: Expected) -> None:
    loaded, show = host.inside["release_loaded"], "sudo grep -h casemate/releases /proc/$(systemctl show -P MainPID casemate)/maps"
    see.exactly("releases that its processes have loaded", loaded["releases"], [host.inside["release"]["folder"]], show=show)
    see.exactly("programs that they are", loaded["programs"], [expected["tested_program"]], show="systemctl status casemate")


def series(version: str) -> str:
    return ".".join(version.split(".")[:2])


@probe("APP-029", touches=("release: framework",))
def an_older_framework_is_put_back_for_a_package_that_needs_it(host: Host) -> None:
    """It starts as well. Of the older one just its number is put there: that is what could be seen of it."""
    path = host.sudo(f"echo {FRAMEWORK}").stdout.strip()
    host.replace(path, "VERSION = (6, 1, ", "VERSION = (5, 2, ")
    restart_application(host)
