"""Runs OpenSCAP and lynis on a host, as root, within a transient unit of its own: nothing is installed and nothing stays.

The unit has a mount namespace of its own. In it PLACE is a file system in memory, and everything else is read-only before the first
program of the payload starts, so that neither can change the host whatever it tries. The namespace ends with the unit: at the end, after
its time, and when the controller goes away, since that closes the input.

In:  the length of this text as a line, this text; the payload (verification/second/payload.py) likewise; then nothing, and the end only
     with the controller.
Out: a tar of facts.json, openscap.xml and lynis.dat. Errors: one line that begins with `refused: `, and exit status 3.
"""

import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

NEEDED = 350  # MB of memory: 40 unpacked, 9 of results, 209 that OpenSCAP held at its most
KERNEL = """Package: linux-base
Status: install ok installed
Priority: optional
Section: kernel
Maintainer: nobody
Architecture: all
Version: 4.12
Description: stands in the second witness's view of this container alone
"""


def main(parameters: dict[str, Any]) -> None:
    place = Path(parameters["place"])
    fit_for_it()
    os.chdir(place)
    mount("-t", "tmpfs", "-o", "size=400m,mode=0700,nosuid,nodev", "tmpfs", str(place))
    unpack(place)
    threading.Thread(target=end_with_the_controller, daemon=True).start()
    assumed = stand_for_a_machine(place)
    mount("-o", "remount,bind,ro=recursive", "/")
    mount("-o", "remount,bind,rw", str(place))
    seconds: dict[str, float] = {}
    timed("OpenSCAP", partial(openscap, place, parameters["profile"]), seconds)
    timed("lynis", partial(lynis, place), seconds)
    facts = {"seconds": seconds, "assumed": assumed}
    (place / "facts.json").write_text(json.dumps(facts))
    answer(place, ["facts.json", "openscap.xml", "lynis.dat"])


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def refuse(reason: str) -> NoReturn:
    say(f"refused: {' '.join(reason.split())}")
    os._exit(3)


def fit_for_it() -> None:
    """The pinned programs are Debian 13's for amd64, and need some memory."""
    system = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    release = f"{system.get('ID', '?')} {system.get('VERSION_ID', '?')}".replace('"', "")
    if release != "debian 13" or platform.machine() != "x86_64":
        refuse(f"the second witness knows Debian 13 on amd64, and this is {release} on {platform.machine()}")
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(memory["MemAvailable"].split()[0]) // 1024
    if free < NEEDED:
        refuse(f"{free} MB of memory are free, and the second witness needs {NEEDED}")


def mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        refuse(f"mount {' '.join(arguments)}: {done.stderr}")


def unpack(place: Path) -> None:
    length = int(sys.stdin.buffer.readline())
    data = sys.stdin.buffer.read(length)
    if len(data) != length:
        refuse("the connection broke off before all of the second witness had come")
    with tarfile.open(fileobj=io.BytesIO(data)) as payload:
        payload.extractall(place, filter="tar")
    (place / "lynis" / "plugins").mkdir()


def end_with_the_controller() -> None:
    sys.stdin.buffer.read(1)
    os._exit(4)  # systemd ends whatever still runs in the unit


def stand_for_a_machine(place: Path) -> list[str]:
    """In a container without a kernel the data stream leaves out most rules, passwords and SSH among them.

    They can be seen there all the same: OpenSCAP's own view of the list of packages gets the one by which it tells. Which packages
    were added is said in the results.
    """
    if subprocess.run(["systemd-detect-virt", "--quiet", "--container"], check=False).returncode:
        return []
    packages = Path("/var/lib/dpkg/status")
    known = packages.read_text()
    if "\nPackage: linux-base\n" in known:
        return []
    (place / "status").write_text(f"{known.rstrip()}\n\n{KERNEL}\n")
    mount("--bind", str(place / "status"), str(packages))
    return ["linux-base"]


def timed(name: str, one: Callable[[], None], seconds: dict[str, float]) -> None:
    say(f"begins: {name}")
    started = time.monotonic()
    one()
    seconds[name] = round(time.monotonic() - started, 1)


def run(name: str, argv: list[str], folder: Path, patience: int, well: tuple[int, ...] = (0,)) -> None:
    """Ends the whole where the program does not end, or ends with another status than these."""
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": str(folder)}
    with (folder / f"{name}.errors").open("w+b") as errors:
        try:
            done = subprocess.run(
                argv,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            refuse(f"{name} had not finished after {patience} s")
        errors.seek(0)
        if done.returncode not in well:
            refuse(f"{name} ended with {done.returncode}: {errors.read().decode(errors='replace')[-300:]}")


def openscap(place: Path, profile: str) -> None:
    """With the libraries of the payload; what it starts has the host's own. 2 says that a rule failed."""
    program = ["/lib64/ld-linux-x86-64.so.2", "--library-path", str(place / "lib"), str(place / "oscap")]
    arguments = [
        "xccdf",
        "eval",
        "--skip-validation",
        "--profile",
        profile,
        "--results",
        str(place / "openscap.xml"),
        str(place / "ds.xml"),
    ]
    run("OpenSCAP", [*program, *arguments], place, 180, (0, 2))


def lynis(place: Path) -> None:
    arguments = ["audit", "system", "--quick", "--quiet", "--no-colors", "--no-plugins", "--cronjob", "--profile", "./default.prf"]
    files = ["--logfile", str(place / "lynis.log"), "--report-file", str(place / "lynis.dat")]
    run("lynis", ["sh", "./lynis", *arguments, *files], place / "lynis", 180)


def answer(place: Path, names: list[str]) -> NoReturn:
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz") as found:
        for name in names:
            found.add(place / name, arcname=name)
    sys.stdout.buffer.flush()
    os._exit(0)  # at once: the thread that waits for the controller still reads


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
