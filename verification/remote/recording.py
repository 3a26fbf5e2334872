"""Inside: every packet of every interface while a marker goes from one component to the next: on which of them it can be read."""

import socket
import ssl
import subprocess
import threading
import time
from collections import defaultdict
from typing import Any

from verification.remote.sections import Parameters, on_request

EVERY_PROTOCOL = 0x0003
IPV4, IPV6, TCP, UDP = 0x0800, 0x86DD, 6, 17
MOST = 200_000_000  # bytes that are kept; a trial makes some hundred thousand
ASK = "from django.db import connection; cursor = connection.cursor(); cursor.execute('SELECT %s', ['{}'])"


class Recorder:
    """Keeps what each connection said, by its ports, for as long as it is open."""

    def __init__(self) -> None:
        self.said: dict[tuple[str, int, int], bytearray] = defaultdict(bytearray)
        self.kept = 0
        self._open = True
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._keep)

    def __enter__(self) -> "Recorder":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()

    def _keep(self) -> None:
        while self._open:
            try:
                frame = self._socket.recv(1 << 17)
            except TimeoutError:
                continue
            if (one := payload(frame)) and self.kept < MOST:
                self.said[one[0]] += one[1]
                self.kept += len(one[1])

    def ports(self) -> dict[int, int]:
        """Bytes that came from or went to each port."""
        found: dict[int, int] = defaultdict(int)
        for (_protocol, source, target), said in self.said.items():
            for port in {source, target}:
                found[port] += len(said)
        return found

    def having(self, marker: str) -> set[tuple[str, int, int]]:
        """The connections in which the marker can be read, as it is or as UTF-16."""
        words = (marker.encode(), marker.encode("utf-16-le"))
        return {which for which, said in self.said.items() if any(word in said for word in words)}


def payload(frame: bytes) -> tuple[tuple[str, int, int], bytes] | None:
    """Protocol, source and target port, and what the packet carries; nothing for what is neither TCP nor UDP over IP."""
    kind = int.from_bytes(frame[12:14], "big")
    if kind == IPV4:
        size, protocol = (frame[14] & 0x0F) * 4, frame[23]
    elif kind == IPV6:
        size, protocol = 40, frame[20]
    else:
        return None
    segment = frame[14 + size :]
    if protocol not in (TCP, UDP) or len(segment) < 8:
        return None
    ports = int.from_bytes(segment[:2], "big"), int.from_bytes(segment[2:4], "big")
    header = (segment[12] >> 4) * 4 if protocol == TCP and len(segment) > 12 else 8
    return ("tcp" if protocol == TCP else "udp", *ports), segment[header:]


@on_request
def recorded(parameters: Parameters) -> dict[str, Any]:
    """Sends the marker along each path between two components. `plain` is sent in clear, to see that the recorder would have seen it."""
    marker, site, address = parameters["marker"], parameters["site"], parameters["address"]
    with Recorder() as recorder:
        plain = _in_clear(marker)
        _visit(marker, site, address)
        subprocess.run(
            ["casemate", "shell", "--no-imports", "--verbosity=0", "--command", ASK.format(marker)],
            capture_output=True,
            check=False,
            timeout=60,
        )
        subprocess.run(["logger", "--tag", "casemate-verifier", marker], check=True)
        unit = f"casemate-verifier-{marker}"
        failing = ["systemd-run", "--quiet", f"--unit={unit}", f"--property=OnFailure=casemate-alert@{unit}.service.service", "false"]
        subprocess.run(failing, capture_output=True, check=False)
        time.sleep(parameters["seconds"])  # the collector and the relay are sent what waits
    subprocess.run(
        ["systemctl", "reset-failed", f"{unit}.service", f"casemate-alert@{unit}.service.service"], capture_output=True, check=False
    )
    carried, readable = recorder.ports(), recorder.having(marker)
    return {
        "bytes": {str(port): carried.get(port, 0) for port in parameters["ports"]},
        "in the clear": sorted(f"{protocol} {source} to {target}" for protocol, source, target in readable - plain),
        "sent in clear on purpose": bool(readable & plain),
    }


def _visit(marker: str, site: str, address: str) -> None:
    """A form with the marker in its path and its fields; whose certificate it is, another check asks."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    body = f"email={marker}%40casemate.invalid&password={marker}"
    form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with socket.create_connection((address, 443), timeout=10) as plain, context.wrap_socket(plain, server_hostname=site) as connection:
        connection.sendall(f"POST /{marker}/ HTTP/1.1\r\nHost: {site}\r\nConnection: close\r\n{form}".encode())
        while connection.recv(65536):
            pass


def _in_clear(marker: str) -> set[tuple[str, int, int]]:
    """Sends the marker over a connection of our own on this host: by which ports."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.create_connection(listening.getsockname()) as sending:
            taken, _ = listening.accept()
            with taken:
                sending.sendall(marker.encode())
                taken.recv(100)
                return {("tcp", sending.getsockname()[1], sending.getpeername()[1])}
