"""Outside: which ports answer. Behind a firewall that drops, silence is the answer, so all are asked at the same time."""

import errno
import resource
import selectors
import socket
import time

from verification.remote.sections import Parameters, section

SILENCE = 1.0  # seconds; the lab's and a data centre's round trips take milliseconds
# What is scanned first by those who look for a way in, beside every port on which the host itself listens.
USUAL = [*range(1, 1025), 1433, 1521, 2049, 2375, 2376, 3000, 3128, 3306, 3307, 3389, 4444, 4567, 4568, 5000, 5432, 5433]
USUAL += [5601, 5672, 5900, 5985, 6379, 6380, 6443, 7000, 8000, 8008, 8080, 8081, 8443, 8500, 8888, 9000, 9090, 9091, 9093]
USUAL += [9100, 9104, 9113, 9121, 9200, 9300, 10000, 10250, 11211, 15672, 26379, 27017, 33060, 50000]


@section
def open_ports(parameters: Parameters) -> dict[str, list[int]]:
    """Ports with a TCP handshake, by address."""
    ports = sorted({*USUAL, *parameters["listening_ports"]})
    return {address: scan(address, ports) for address in parameters["addresses"]}


def scan(address: str, ports: list[int]) -> list[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    batch = min(max(soft, min(hard, 4096)) - 64, 4000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    found: list[int] = []
    for start in range(0, len(ports), batch):
        found += _answering(address, ports[start : start + batch])
    return found


def _answering(address: str, ports: list[int]) -> list[int]:
    selector = selectors.DefaultSelector()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found: list[int] = []
    for port in ports:
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        state = connection.connect_ex((address, port))
        if state == 0:
            found.append(port)
        if state in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            selector.register(connection, selectors.EVENT_WRITE, port)
        else:
            connection.close()
    deadline = time.monotonic() + SILENCE
    while selector.get_map() and (left := deadline - time.monotonic()) > 0:
        for key, _events in selector.select(left):
            connection = key.fileobj  # type: ignore[assignment]
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                found.append(int(key.data))
            selector.unregister(connection)
            connection.close()
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    selector.close()
    return sorted(found)
