"""What somebody could read who records the packets between our components, on the host and beyond it."""

import secrets
from typing import Any

from verification.host import Host
from verification.marks import control, probe
from verification.witness import Witness

Expected = dict[str, Any]
SOCKET = "/etc/systemd/system/casemate.socket.d/zz-port.conf"


@control("TLS-005", active=True)
def test_nothing_that_goes_between_components_can_be_read(host: Host, see: Witness, expected: Expected, declared: Expected) -> None:
    # By port: where one component talks to the next over a network. What goes over a Unix socket is in no packet.
    paths = {"people to nginx": 443, "the application to MariaDB": 3306}
    if collector := declared.get("log_collector"):
        paths["the logs to their collector"] = collector.get("port", 6514)
    if relay := declared.get("mail_relay"):
        paths["alerts to the relay"] = relay.get("port", 587)

    def attempt(host: Host) -> dict[str, Any]:
        parameters = {"sections": ["recorded"], "marker": secrets.token_hex(16), "site": host.site, "ports": list(paths.values())}
        return dict(host.look_inside({**parameters, "address": str(declared["site_addresses"][0]), "seconds": 4})["recorded"])

    seen, show = host.trial("a recording of every packet", attempt), "sudo tcpdump -i any -A | grep MARKER"
    see.exactly("what is sent in clear on purpose is found", seen["sent in clear on purpose"], True, show=show)
    for path, port in paths.items():
        see.at_least(f"bytes recorded from {path}", seen["bytes"][str(port)], 500, show=f"sudo tcpdump -i any port {port}")
    see.exactly("connections in which the marker can be read", seen["in the clear"], [], show=show)


@probe("TLS-005", touches=("casemate.socket", "nginx: upstream"), spoils=("HOST-001",))
def an_administrator_has_the_application_listen_on_a_port(host: Host) -> None:
    host.sudo(
        f"mkdir -p {SOCKET.rpartition('/')[0]} && printf '[Socket]\\nListenStream=127.0.0.1:8001\\n' > {SOCKET} && systemctl daemon-reload "
        "&& systemctl stop casemate.service && systemctl restart casemate.socket && systemctl start casemate.service "
        "&& sed -i -E 's|server unix:[^;]*;|server 127.0.0.1:8001;|' /etc/nginx/nginx.conf && nginx -t -q && nginx -s reload && sleep 0.3"
    )
