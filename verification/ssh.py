"""One multiplexed SSH connection a host."""

import shlex
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from verification.words import CannotRun


@dataclass(frozen=True)
class Ran:
    """What a command on a host printed, and how it ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def succeeded(self) -> bool:
        return self.status == 0


@dataclass
class Connection:
    """Commands over SSH. The first one opens the connection, the others ride on it; `close` ends it."""

    name: str
    options: tuple[str, ...]
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="casemate-ssh-"), init=False, repr=False
    )

    @property
    def argv(self) -> list[str]:
        control = Path(self._folder.name) / "control"
        multiplex = ["-o", "ControlMaster=auto", "-o", f"ControlPath={control}", "-o", "ControlPersist=120"]
        return ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", *multiplex, *self.options]

    def run(self, command: str, *, stdin: str = "", timeout: float = 120) -> Ran:
        """Runs a command line on the host. Raises CannotRun where SSH itself fails."""
        try:
            ran = subprocess.run([*self.argv, command], input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise CannotRun(f"{self.name}: no end after {timeout:.0f} s: {command[:120]}") from error
        if ran.returncode == 255 and not self._open():  # some programs end with 255 too, such as fail2ban-client without its server
            raise CannotRun(f"{self.name} is not reached over SSH ({shlex.join(self.options)}): {ran.stderr.strip()}")
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def _open(self) -> bool:
        """Whether the connection that commands ride on is there: it goes when SSH fails, and stays when a command does."""
        return subprocess.run([*self.argv, "-O", "check"], capture_output=True, check=False).returncode == 0

    def close(self) -> None:
        subprocess.run([*self.argv, "-O", "exit"], capture_output=True, check=False)
        self._folder.cleanup()
