"""Inside: the limiter, asked by its own monitor account what each account may do, and what it keeps where."""

import socket
import subprocess
from io import BufferedRWPair
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, output, section

PLACE = Path("/run/casemate-limiter")
SOCKET = PLACE / "valkey.sock"
ACCOUNTS = ("app", "monitor", "default")
FIGURES = ("maxmemory", "maxmemory_policy", "aof_enabled", "rdb_last_save_time", "rdb_saves", "tcp_port", "evicted_keys")


@section
def limiter(_parameters: Parameters) -> dict[str, Any]:
    """Nothing is run as another account: ACL DRYRUN answers what the server would say to it."""
    with socket.socket(socket.AF_UNIX) as strange:
        strange.settimeout(10)
        strange.connect(str(SOCKET))
        with strange.makefile("rwb") as channel:
            stranger = {command: str(ask(channel, *command.split())) for command in ("PING", "INFO server", "GET limit:verify")}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(SOCKET))
        with connection.makefile("rwb") as channel:
            if ask(channel, "AUTH", "monitor", password()) != "OK":
                raise RuntimeError("the limiter does not know its monitor")
            lines = str(ask(channel, "INFO", "everything")).splitlines()
            commands = flattened(ask(channel, "COMMAND"))
            allowed = {account: permitted(channel, account, commands) for account in ACCOUNTS}
            keys = {key: str(ask(channel, "ACL", "DRYRUN", "app", "GET", key)) for key in ("limit:verify", "session:verify", "limitless")}
    info = dict(line.split(":", 1) for line in lines if ":" in line)
    return {
        "stranger": stranger,
        "allowed": allowed,
        "keys": keys,
        "figures": {name: info[name] for name in FIGURES if name in info},
        "kept": {str(path): _owner(path) for path in (PLACE, *sorted(PLACE.iterdir()))},
        "debian's": output("systemctl", "is-enabled", "valkey-server.service", ok=(0, 1)).strip(),
    }


def permitted(channel: BufferedRWPair, account: str, commands: dict[str, int]) -> list[str]:
    """The commands that the account may run on keys of the limiter, of all that this server knows."""
    names = sorted(commands)
    for name in names:
        words = [*name.split("|"), *["limit:verify"] * (abs(commands[name]) - 1 - name.count("|"))]
        channel.write(on_the_wire("ACL", "DRYRUN", account, *words))
    channel.flush()
    answers = [str(answer(channel)) for _ in names]
    # A command that it may run and whose arguments are wrong counts as one that it may run.
    return [name for name, said in zip(names, answers, strict=True) if "no permissions to run" not in said]


def flattened(reply: Any) -> dict[str, int]:
    """Command, or command|subcommand, with the number of words that it wants at least (negative: or more)."""
    found: dict[str, int] = {}
    for entry in reply:
        name, arity = str(entry[0]), int(entry[1])
        inner = entry[9] if len(entry) > 9 and isinstance(entry[9], list) else []
        found |= {str(sub[0]): int(sub[1]) for sub in inner} or {name: arity}
    return found


def password() -> str:
    argv = ["systemd-creds", "decrypt", "--name=limiter-monitor-password", "/etc/credstore.encrypted/limiter-monitor-password", "-"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def ask(channel: BufferedRWPair, *words: str) -> Any:
    channel.write(on_the_wire(*words))
    channel.flush()
    return answer(channel)


def on_the_wire(*words: str) -> bytes:
    return f"*{len(words)}\r\n".encode() + b"".join(f"${len(word.encode())}\r\n{word}\r\n".encode() for word in words)


def answer(channel: BufferedRWPair) -> Any:
    """One reply of the protocol (RESP 2); an error is its text."""
    line = channel.readline().rstrip(b"\r\n").decode(errors="replace")
    kind, rest = line[:1], line[1:]
    if kind == "$":
        return None if rest == "-1" else channel.read(int(rest) + 2)[:-2].decode(errors="replace")
    if kind == "*":
        return None if rest == "-1" else [answer(channel) for _ in range(int(rest))]
    return int(rest) if kind == ":" else rest


def _owner(path: Path) -> str:
    return output("stat", "--format=%U:%G %a %F", str(path)).strip()
