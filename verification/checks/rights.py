"""Who may become another: beside sudo's rules (services.py), the programs that lend somebody else's rights to whoever calls them."""

from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]


@control("HOST-004")
def test_exactly_these_programs_lend_rights_to_whoever_calls_them(host: Host, see: Witness, expected: Expected) -> None:
    seen, wanted = host.inside["borrowed_rights"], expected["lends_rights"]
    others = {path: rights for path, rights in seen.items() if wanted["where_installed"].get(path) != rights}
    see.exactly(
        "programs with rights of their own", others, wanted["always"], show="sudo find / -xdev -type f -perm /6000 -ls; getcap -r /"
    )


@probe("HOST-004", touches=("chfn",))
def an_upgrade_gives_a_program_the_rights_of_root_again(host: Host) -> None:
    host.sudo("dpkg-statoverride --remove /usr/bin/chfn && chmod 4755 /usr/bin/chfn")
