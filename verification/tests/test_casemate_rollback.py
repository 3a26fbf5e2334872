"""What a host keeps of how it was found, whose change is whose, and what a rollback puts back: on folders of our own making."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host_program: Callable[[str], ModuleType]) -> Any:
    """The program, on a host that was found with three files and one link by which a unit starts."""
    module = host_program("files/base/sbin/casemate-rollback")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "KEPT", tmp_path / "var/lib/casemate-as-found")
    for name, answer in {"active": ["ssh.service"], "kernel": {}, "overrides": {}, "borrowed": {}, "_conffiles": {}}.items():
        monkeypatch.setattr(module, name, lambda answer=answer: answer)
    monkeypatch.setattr(module, "packages", lambda: {"openssh-server": "10.0"})
    monkeypatch.setattr(module, "accounts", lambda: {"people and services": ["root"], "groups": ["root"]})
    monkeypatch.setattr(module, "run", lambda *_command, **_options: "")
    write(tmp_path, "etc/ssh/sshd_config", "PermitRootLogin yes")
    write(tmp_path, "etc/hosts", "127.0.0.1 localhost")
    write(tmp_path, "etc/passwd", "root:x:0:0")
    link(tmp_path, "etc/systemd/system/multi-user.target.wants/ssh.service")
    module.keep_bare()
    return module


def write(root: Path, name: str, text: str, mode: int = 0o644) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def link(root: Path, name: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(f"/usr/lib/systemd/system/{path.name}")


def converge(host: Any, *, to_its_end: bool = True) -> None:
    """The packages, then the policy, as site.yml calls these."""
    host.begin()
    host.keep_bare()
    if not (host.ROOT / "etc/nginx").exists():
        write(host.ROOT, "etc/nginx/nginx.conf", "Debian's own")
        link(host.ROOT, "etc/systemd/system/multi-user.target.wants/nginx.service")
    host.keep()
    write(host.ROOT, "etc/ssh/sshd_config", "PermitRootLogin no", 0o600)
    write(host.ROOT, "etc/nginx/nginx.conf", "ours")
    write(host.ROOT, "etc/nftables.d/casemate.conf", "drop")
    if to_its_end:
        host.note()


def rolled_back(host: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = host.plan()
    host.roll_back(0)
    return wanted


def test_what_roles_wrote_is_what_it_was_and_what_they_made_is_gone(host: Any) -> None:
    converge(host)
    wanted = rolled_back(host)
    assert wanted["back"] == ["etc/nginx/nginx.conf", "etc/ssh/sshd_config"]
    assert (host.ROOT / "etc/ssh/sshd_config").read_text() == "PermitRootLogin yes"
    assert (host.ROOT / "etc/ssh/sshd_config").stat().st_mode & 0o777 == 0o644
    assert (host.ROOT / "etc/nginx/nginx.conf").read_text() == "Debian's own"
    assert not (host.ROOT / "etc/nftables.d").exists()
    assert host.plan()["back"] == host.plan()["away"] == []


def test_a_service_that_came_with_the_first_converge_starts_no_more(host: Any) -> None:
    converge(host)
    rolled_back(host)
    links = host.ROOT / "etc/systemd/system/multi-user.target.wants"
    assert [path.name for path in links.iterdir()] == ["ssh.service"]


def test_units_that_run_by_us_stop_with_their_instances_and_no_others(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    converge(host)
    write(host.ROOT, "etc/systemd/system/casemate.service", "ours")
    link(host.ROOT, "etc/systemd/system/sockets.target.wants/systemd-journald@casemate-audit.socket")
    write(host.ROOT, "var/lib/dpkg/info/nginx.list", "/usr/lib/systemd/system/nginx.service")
    host.note()
    monkeypatch.setattr(host, "packages", lambda: {"openssh-server": "10.0", "nginx": "1.26"})
    running = [
        "casemate.service",
        "cron.service",
        "nginx.service",
        "ssh.service",
        "systemd-journald@casemate-audit.service",
        "user@1000.service",
    ]
    monkeypatch.setattr(host, "active", lambda: running)
    assert host.plan()["stop"] == ["casemate.service", "nginx.service", "systemd-journald@casemate-audit.service"]


def test_what_somebody_else_did_between_two_converges_is_left(host: Any) -> None:
    converge(host)
    write(host.ROOT, "etc/hosts", "127.0.0.1 localhost\n192.0.2.7 printer")
    write(host.ROOT, "etc/cron.d/mallory", "a file of hers")
    write(host.ROOT, "etc/ssh/sshd_config", "PermitRootLogin prohibit-password")
    converge(host)
    wanted = rolled_back(host)
    assert wanted["left to their makers"] == ["etc/cron.d", "etc/cron.d/mallory", "etc/hosts", "etc/ssh/sshd_config"]
    assert "printer" in (host.ROOT / "etc/hosts").read_text()
    assert (host.ROOT / "etc/ssh/sshd_config").read_text() == "PermitRootLogin no", "both changed it: it is theirs to look at"


def test_a_packages_new_text_stays_and_a_mode_that_a_role_narrowed_goes_back(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(host.ROOT, "etc/crontab", "of the package")
    converge(host)
    (host.ROOT / "etc/crontab").chmod(0o600)
    write(host.ROOT, "etc/hosts", "of a newer package")
    host.note()
    texts = {"etc/crontab": "of the package", "etc/hosts": "of a newer package"}
    digests = {path: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() for path, text in texts.items()}
    monkeypatch.setattr(host, "_conffiles", lambda: digests)
    rolled_back(host)
    assert (host.ROOT / "etc/crontab").stat().st_mode & 0o777 == 0o644
    assert (host.ROOT / "etc/hosts").read_text() == "of a newer package"


def test_a_file_of_ours_that_drifted_is_ours_still(host: Any) -> None:
    converge(host)
    write(host.ROOT, "etc/nftables.d/casemate.conf", "accept")
    converge(host)
    assert "etc/nftables.d/casemate.conf" in host.plan()["away"]


def test_a_converge_that_was_cut_makes_nobody_elses_work_of_ours(host: Any) -> None:
    converge(host, to_its_end=False)
    converge(host)
    write(host.ROOT, "etc/hosts", "127.0.0.1 localhost db.casemate.internal")
    host.begin()
    (known,) = [host.kept("converges.json")]
    assert list(known["others"]) == ["etc/hosts"], "after a whole one it is somebody's"
    write(host.ROOT, "etc/motd", "made by us, before the power went")
    converge(host)
    assert "etc/motd" in host.plan()["away"]


def test_accounts_and_keys_are_never_looked_at(host: Any) -> None:
    converge(host)
    write(host.ROOT, "etc/passwd", "root:x:0:0\ncasemate:x:990:990")
    write(host.ROOT, "etc/credstore.encrypted/django-secret-key", "sealed")
    write(host.ROOT, "etc/casemate/pki/edge/server.key", "a key")
    rolled_back(host)
    assert "casemate" in (host.ROOT / "etc/passwd").read_text()
    assert (host.ROOT / "etc/credstore.encrypted/django-secret-key").exists()
    assert (host.ROOT / "etc/casemate/pki/edge/server.key").exists()


def test_it_can_be_undone(host: Any) -> None:
    converge(host)
    before = host.tree()
    rolled_back(host)
    host.undo()
    assert host.tree() == before
    with pytest.raises(host.Refused, match="no rollback"):
        host.undo()


def test_links_and_folders_come_back_as_what_they_were(host: Any) -> None:
    os.symlink("sshd_config", host.ROOT / "etc/ssh/link")
    converge(host)
    (host.ROOT / "etc/ssh/link").unlink()
    write(host.ROOT, "etc/ssh/link", "a file in the place of a link")
    host.note()
    rolled_back(host)
    assert os.readlink(host.ROOT / "etc/ssh/link") == "sshd_config"


def test_what_was_kept_and_is_another_now_is_refused(host: Any) -> None:
    converge(host)
    archive = host.KEPT / "found.tar.gz"
    archive.write_bytes(archive.read_bytes() + b"x")
    before = host.tree()
    with pytest.raises(host.Refused, match="is not what was kept"):
        host.roll_back(0)
    assert host.tree() == before


def test_a_host_of_an_earlier_release_says_that_it_kept_nothing(host: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (host.KEPT / "bare.json").unlink()
    write(host.ROOT, "usr/local/sbin/casemate-settle", "of 0.1")
    converge(host)
    assert "changed: noted that this host was converged before" in capsys.readouterr().out
    with pytest.raises(host.Refused, match="Make a new host"):
        host.plan()
    assert sorted(path.name for path in host.KEPT.iterdir()) == ["never.json"]


def test_a_host_on_which_no_converge_began_says_so(host: Any) -> None:
    with pytest.raises(host.Refused, match="nothing was kept"):
        host.plan()


def test_what_is_kept_is_roots_alone(host: Any, capsys: pytest.CaptureFixture[str]) -> None:
    converge(host)
    host.KEPT.chmod(0o755)
    capsys.readouterr()
    host.keep()
    assert "is root's alone" in capsys.readouterr().out
    assert host.KEPT.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in host.KEPT.iterdir()} == {0o600}


def test_a_plan_can_be_read_by_programs_and_people(host: Any, capsys: pytest.CaptureFixture[str]) -> None:
    converge(host)
    capsys.readouterr()
    host.told(host.plan())
    said = capsys.readouterr().out
    assert "put back as found: 2\n  /etc/nginx/nginx.conf" in said
    assert "data: " in said
    assert json.loads(json.dumps(host.plan()))["stays"]["packages"] == []
