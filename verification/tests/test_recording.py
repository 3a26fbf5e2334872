"""The recording of packets: what of a frame is taken, and that a marker is found however it was cut."""

import struct

import pytest

from verification.remote.recording import Recorder, payload

ETHERNET = b"\0" * 12


def tcp(said: bytes, *, source: int = 40000, target: int = 3306, options: bytes = b"") -> bytes:
    offset = (20 + len(options)) // 4 << 4
    return struct.pack("!HHIIBBHHH", source, target, 1, 1, offset, 0x18, 512, 0, 0) + options + said


def ipv4(inner: bytes, *, protocol: int = 6, options: bytes = b"") -> bytes:
    size = 20 + len(options)
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(inner), 0, 0, 64, protocol, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
    return ETHERNET + b"\x08\x00" + header + options + inner


def ipv6(inner: bytes) -> bytes:
    return ETHERNET + b"\x86\xdd" + struct.pack("!IHBB16s16s", 6 << 28, len(inner), 6, 64, b"\0" * 16, b"\0" * 16) + inner


def test_what_a_segment_carries_is_taken_without_its_headers_and_their_options() -> None:
    wanted = (("tcp", 40000, 3306), b"SELECT 1")
    assert payload(ipv4(tcp(b"SELECT 1"))) == wanted
    assert payload(ipv4(tcp(b"SELECT 1", options=b"\1" * 12), options=b"\1" * 4)) == wanted
    assert payload(ipv6(tcp(b"SELECT 1"))) == wanted
    assert payload(ipv4(struct.pack("!HHHH", 40000, 53, 12, 0) + b"name", protocol=17)) == (("udp", 40000, 53), b"name")


@pytest.mark.parametrize(
    "frame",
    [b"", ETHERNET + b"\x08\x06" + b"\0" * 28, ipv4(b"\x08\0\0\0\0\0\0\0", protocol=1), ipv4(b"\0\1")],
    ids=["nothing", "arp", "icmp", "cut"],
)
def test_what_is_no_segment_is_left_out(frame: bytes) -> None:
    assert payload(frame) is None


def test_a_marker_that_two_packets_share_is_found_and_so_is_one_in_wide_letters() -> None:
    recorder = Recorder.__new__(Recorder)
    recorder.said = {
        ("tcp", 1, 2): bytearray(b"mar") + b"ker",
        ("udp", 3, 4): bytearray("marker".encode("utf-16-le")),
        ("tcp", 5, 6): bytearray(b"ma"),
    }
    assert recorder.having("marker") == {("tcp", 1, 2), ("udp", 3, 4)}
    assert recorder.ports() == {1: 6, 2: 6, 3: 12, 4: 12, 5: 2, 6: 2}
