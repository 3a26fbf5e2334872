"""One lab host: a real Debian 13 with systemd as PID 1, in a systemd-nspawn container on an overlay of the shared root."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

from network import Network, resolver_configuration, run
from rootfs import LabError, cache_dir

STATE = Path("/var/lib/casemate-lab")
UNIFIED = Path("/sys/fs/cgroup/unified")
# The account through which the controller manages the host.
ACCOUNT = "admin"
# What the containers may do beyond the default: without NET_ADMIN nft fails inside units, and a ban bans nobody.
CAPABILITIES = "CAP_NET_ADMIN,CAP_NET_RAW"
START_SECONDS = 300


class Machine:
    """A host of a lab. `number` is the last number of its addresses."""

    def __init__(self, network: Network, name: str, number: int) -> None:
        self.network, self.name, self.number = network, name, number
        self.unit = f"casemate-lab-{network.lab}-{name}"
        self.dir = STATE / network.lab / name
        self.root = self.dir / "root"
        self.complete = self.dir / "complete"

    # -- life ------------------------------------------------------------------------------------------------------

    def ensure(self, rootfs: Path, public_key: str, binds: list[str]) -> bool:
        """Have the host running: kept where it was once complete, made anew where it was not. True if it was made."""
        if self.complete.exists() and self.complete.read_text() == self._made_of(rootfs, binds):
            if not self.pid():
                self._stop()
                self._start(rootfs, binds)
            self._let_in(public_key)  # the checkout that asks may be another one, or have lost its .lab
            return False
        self.destroy()
        self._mount(rootfs)
        self._personalise(public_key)
        self._start(rootfs, binds)
        return True

    def finish(self, rootfs: Path, binds: list[str]) -> None:
        """Remember that the host was made whole; until then the next run removes it."""
        self.complete.write_text(self._made_of(rootfs, binds))

    def _made_of(self, rootfs: Path, binds: list[str]) -> str:
        # A directory that was removed and made again has the same name, and a running host still sees the old one.
        sources = (f"{bind} {Path(bind.partition(':')[0]).stat().st_ino}" for bind in binds)
        return "\n".join((str(rootfs), self.network.prefix, *sources, ""))

    def pid(self) -> int | None:
        """The process id of the container's systemd-nspawn, or None where it does not run."""
        try:
            pid = int((self.dir / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_text()
        except (OSError, ValueError):
            return None
        return pid if "systemd-nspawn" in command and str(self.root) in command else None

    def destroy(self) -> None:
        """Remove the host and its data, and whatever a killed run left of it."""
        self._keep_packages()
        self._stop()
        self.network.detach(self.name)
        shutil.rmtree(self.dir, ignore_errors=True)

    # -- steps -----------------------------------------------------------------------------------------------------

    def _mount(self, rootfs: Path) -> None:
        for part in ("upper", "work", "root"):
            (self.dir / part).mkdir(parents=True, exist_ok=True)
        if not self.root.is_mount():
            layers = f"lowerdir={rootfs},upperdir={self.dir / 'upper'},workdir={self.dir / 'work'}"
            run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))

    def _personalise(self, public_key: str) -> None:
        """What an installer would ask: name, network, an administrator with a key and sudo. And the mark of the lab."""
        write = self._write
        write("etc/hostname", f"{self.name}\n")
        write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n::1 localhost ip6-localhost ip6-loopback\n")
        write("etc/machine-id", f"{uuid.uuid4().hex}\n")
        write("etc/resolv.conf", resolver_configuration())
        authorities = Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists():  # a controller behind an inspecting proxy trusts more than Debian does
            write("etc/ssl/certs/ca-certificates.crt", authorities.read_text())
        write("etc/pip.conf", self._pip_configuration())
        run("chroot", str(self.root), "useradd", "--create-home", "--shell", "/bin/bash", ACCOUNT)
        write(f"etc/sudoers.d/{ACCOUNT}", f"{ACCOUNT} ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440)
        self._let_in(public_key)
        for key in (self.root / "etc/ssh").glob("ssh_host_*"):
            key.unlink()
        run("ssh-keygen", "-q", "-A", "-f", str(self.root))
        write("etc/casemate/disposable", f"{uuid.uuid4()}\n")
        packages = cache_dir() / "packages"
        if packages.exists():
            shutil.copytree(packages, self.root / "var/cache/apt/archives", dirs_exist_ok=True)

    def _let_in(self, public_key: str) -> None:
        home = f"home/{ACCOUNT}/.ssh"
        self._write(f"{home}/authorized_keys", public_key, 0o600)
        (self.root / home).chmod(0o700)
        run("chroot", str(self.root), "chown", "-R", f"{ACCOUNT}:{ACCOUNT}", f"/{home}")

    def _pip_configuration(self) -> str:
        """The controller's own index settings, so that a build host finds what the controller finds."""
        lines = ["[global]", "cert = /etc/ssl/certs/ca-certificates.crt"]
        for option in ("index-url", "trusted-host", "proxy"):
            if value := os.environ.get(f"PIP_{option.replace('-', '_').upper()}"):
                lines.append(f"{option} = {value}")
        return "\n".join((*lines, ""))

    def _write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def _start(self, rootfs: Path, binds: list[str]) -> None:
        self._mount(rootfs)
        self.network.attach(self.name, self.number)
        nspawn = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--directory={self.root}", f"--machine={self.unit}",
            f"--hostname={self.name}",
            f"--network-namespace-path=/run/netns/{self.network.namespace(self.name)}", f"--capability={CAPABILITIES}",
            *(f"--bind={bind}" for bind in binds), "--boot",
        ]  # fmt: skip
        environment = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
        if Path("/run/systemd/system").exists():
            run("systemd-run", f"--unit={self.unit}", "--quiet", "--property=Delegate=yes", "--property=KillMode=mixed",
                *(f"--setenv={name}={value}" for name, value in environment.items()), *nspawn)  # fmt: skip
            pid = int(run("systemctl", "show", "--property=MainPID", "--value", f"{self.unit}.service"))
        else:
            pid = self._start_without_systemd(nspawn, environment)
        (self.dir / "pid").write_text(str(pid))

    def _start_without_systemd(self, nspawn: list[str], environment: dict[str, str]) -> int:
        # Each container needs a parent control group of its own, or all of them share one and collide.
        group = (UNIFIED if UNIFIED.is_dir() else Path("/sys/fs/cgroup")) / self.unit
        group.mkdir(exist_ok=True)
        with (self.dir / "console.log").open("ab") as console:
            process = subprocess.Popen(
                ["sh", "-c", 'echo $$ >"$0"/cgroup.procs && exec "$@"', str(group), *nspawn],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        return process.pid

    def _stop(self) -> None:
        """End the container and everything in it, and let go of its root."""
        if Path("/run/systemd/system").exists():
            # Killed first: a shut-down takes a quarter of a minute, for data that goes anyway. A failed unit would keep its name.
            for order in (("kill", "--signal=KILL"), ("stop",), ("reset-failed",)):
                run("systemctl", *order, f"{self.unit}.service", check=False)
        if pid := self.pid():
            os.kill(pid, signal.SIGKILL)
        for group in (UNIFIED / self.unit, Path("/sys/fs/cgroup") / self.unit):
            if group.is_dir():
                _empty_group(group)
        # systemd 257 mounts this under the container's name, and refuses to start one while a killed one's is left.
        for mount in (self.root, Path("/run/systemd/nspawn/unix-export") / self.unit):
            while mount.is_mount():
                run("umount", "--recursive", "--lazy", str(mount))

    def _keep_packages(self) -> None:
        """Keep the packages that the host downloaded, so that the next host installs them without the network."""
        kept = cache_dir() / "packages"
        for package in (self.dir / "upper/var/cache/apt/archives").glob("*.deb"):
            kept.mkdir(parents=True, exist_ok=True)
            if not (kept / package.name).exists():
                shutil.copy2(package, kept / f".{package.name}")
                (kept / f".{package.name}").rename(kept / package.name)

    # -- answers ---------------------------------------------------------------------------------------------------

    def _booted(self) -> bool:
        """Whether the host's own systemd says that it is up (degraded is up, too: a unit may fail on a lab host)."""
        leader = _first_process_below(self.pid())
        if leader is None:
            return False
        state = subprocess.run(
            ["nsenter", "--target", str(leader), "--all", "systemctl", "is-system-running"], capture_output=True, text=True, check=False
        )
        return state.stdout.strip() in {"running", "degraded"}

    def host_keys(self) -> list[str]:
        """The public halves of the host's SSH keys, read from its disk and not over the network."""
        return [key.read_text().strip() for key in sorted((self.root / "etc/ssh").glob("ssh_host_*_key.pub"))]

    def wait(self, ssh_config: Path) -> None:
        """Return when the host answers over SSH. Raises LabError with the end of its console where it does not.

        SSH is asked only once the boot is over: before that it refuses everyone, counts each refusal against the address
        that it came from (PerSourcePenalties), and would then refuse the controller for minutes.
        """
        started = time.monotonic()
        # A process that is just being replaced by another program has no command line for a moment: once is not gone.
        while (waited := time.monotonic() - started) < START_SECONDS and (self.pid() or waited < 2):
            if self._booted() and _answers("ssh", "-F", str(ssh_config), "-o", "ConnectTimeout=5", self.name, "true"):
                return
            time.sleep(0.3)
        console = self.dir / "console.log"
        tail = console.read_text(errors="replace")[-800:] if console.exists() else f"see journalctl -u {self.unit}"
        raise LabError(f"the lab host {self.name} did not answer over SSH ({waited:.0f} s). Its console: {tail}")


def _first_process_below(pid: int | None) -> int | None:
    """The process that is number 1 of a container: a child of systemd-nspawn, or, by its version, a child's child."""
    waiting = [pid] if pid else []
    for current in waiting:
        try:
            status = Path(f"/proc/{current}/status").read_text()
            waiting += map(int, Path(f"/proc/{current}/task/{current}/children").read_text().split())
        except OSError:
            continue
        if any(line.startswith("NSpid:") and line.split()[2:][-1:] == ["1"] for line in status.splitlines()):
            return current
    return None


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _empty_group(group: Path) -> None:
    kill = group / "cgroup.kill"
    if kill.exists():
        kill.write_text("1")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        for inner in sorted(group.rglob("*"), key=lambda path: -len(path.parts)):
            if inner.is_dir():
                try:
                    inner.rmdir()
                except OSError:
                    break
        try:
            group.rmdir()
            return
        except OSError:
            time.sleep(0.05)
