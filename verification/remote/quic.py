"""Outside: first packets of QUIC (RFC 9000) as bytes on the wire, and what comes back. No handshake: a server that asks for a token
says so before it has decrypted anything."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from verification.remote.sections import Parameters, on_request, section

SILENCE = 1.5  # seconds; the lab's and a data centre's round trips take milliseconds
VERSION_1 = b"\x00\x00\x00\x01"
NOBODYS = b"\x1a\x2a\x3a\x4a"  # a version of a form that is kept free, so that servers must name their own
INITIAL = 1200  # bytes that a client's first packet has at the least
FLOOD = 600
MOST_AT_ONCE = 50  # so that no buffer on the way is what loses them


@section
def first_packets(parameters: Parameters) -> dict[str, dict[str, Any]]:
    """By address: what is answered to a first packet, to one that is too short, and to one of a version that nobody speaks."""
    with ThreadPoolExecutor(max(1, len(parameters["addresses"]))) as asking:
        return dict(zip(parameters["addresses"], asking.map(_answers, parameters["addresses"]), strict=True))


def _answers(address: str) -> dict[str, Any]:
    packets = [first_packet(), first_packet(size=300), first_packet(version=NOBODYS)]
    with ThreadPoolExecutor(len(packets)) as asking:
        first, short, strange = asking.map(lambda packet: _answered(address, packet), packets)
    return {
        "a first packet": kind(first),
        "bytes of the answer to it": len(first),
        "a first packet that is too short": kind(short),
        "versions that are spoken": versions(strange),
    }


@on_request
def quic_doors(parameters: Parameters) -> dict[str, bool]:
    """Which addresses answer QUIC with anything at all."""
    with ThreadPoolExecutor() as asking:
        answers = asking.map(lambda address: _answered(address, first_packet(version=NOBODYS)), parameters["addresses"])
        return {f"[{address}]:443/udp": bool(answer) for address, answer in zip(parameters["addresses"], answers, strict=True)}


@on_request
def quic_flood(parameters: Parameters) -> dict[str, int]:
    """Six hundred first packets, each from a port of its own, as if from as many senders; how many were answered, and in how many seconds
    they were sent."""
    senders, began = [], time.monotonic()
    for number in range(FLOOD):
        sender = _towards(parameters["address"])
        sender.send(first_packet())
        senders.append(sender)
        if number % MOST_AT_ONCE == 0:
            time.sleep(0.02)
    sent = time.monotonic() - began
    time.sleep(SILENCE)
    answered = 0
    for sender in senders:
        sender.setblocking(False)
        with suppress(OSError):
            answered += bool(sender.recv(2048))
        sender.close()
    return {"sent": len(senders), "answered": answered, "seconds": round(sent + 0.5)}


def first_packet(size: int = INITIAL, version: bytes = VERSION_1) -> bytes:
    """A client's Initial without a token, its content random: who reads it finds nothing."""
    head = b"\xc0" + version + b"\x08" + os.urandom(8) + b"\x08" + os.urandom(8) + b"\x00"
    left = size - len(head) - 2
    return head + (0x4000 | left).to_bytes(2, "big") + os.urandom(left)


def kind(packet: bytes) -> str:
    """What a packet of a server is, by its header."""
    if not packet:
        return "nothing"
    if packet[0] & 0x80 == 0:
        return "a short packet"
    if packet[1:5] == bytes(4):
        return "the versions"
    return ("an Initial", "0-RTT", "a Handshake", "a Retry")[(packet[0] & 0x30) >> 4]


def versions(packet: bytes) -> list[str]:
    """Those that a server names; nothing where the packet is another."""
    if kind(packet) != "the versions":
        return []
    place = 6 + packet[5]
    named = packet[place + 1 + packet[place] :]
    return sorted(named[at : at + 4].hex() for at in range(0, len(named), 4))


def _answered(address: str, packet: bytes) -> bytes:
    """The first packet that comes back; nothing where none does, or the kernel says that nobody is there."""
    with _towards(address) as sender:
        try:
            sender.send(packet)
            return sender.recv(2048)
        except OSError:
            return b""


def _towards(address: str) -> socket.socket:
    sender = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sender.settimeout(SILENCE)
    sender.connect((address, 443))
    return sender
