"""The signature: it verifies, and whatever is done to a folder afterwards gets a sentence that names the file."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from verification import cli, evidence, formats, signing
from verification.inventory import ROOT
from verification.runner import Run
from verification.words import CannotRun

Play = Callable[..., Run]
Said = Callable[..., tuple[int, str, str]]
GREEN = '@control("TST-001")\ndef test_green(see):\n    see.exactly("answer", 1, 1)\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Alice's, who verifies here. Nobody called her by sudo."""
    monkeypatch.setenv("HOME", str(tmp_path / "alice"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    return tmp_path / "alice"


@pytest.fixture
def folder(play: Play, tmp_path: Path) -> Path:
    """Evidence as `casemate verify` writes and signs it."""
    run = play(GREEN)
    files = formats.files(evidence.document(run), run.register, "2026-01-01T00:00:00Z", {})
    files[signing.SUMS] = signing.sums(files)
    files[signing.SIGNATURE] = signing.sign(files[signing.SUMS], signing.own_key())
    return evidence.write(tmp_path / "evidence", files, run.started)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.main(["evidence", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def a_key(place: Path, name: str) -> Path:
    key = place / f"{name}_key"
    signing.make_key(key, f"{name}@example.test")
    return key


def sign_again(folder: Path, key: Path) -> None:
    text = signing.sums({path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith("SHA256SUMS")})
    (folder / signing.SUMS).write_text(text)
    (folder / signing.SIGNATURE).write_text(signing.sign(text, key))


def test_a_folder_that_nobody_touched_is_as_signed_by_whom_and_when(folder: Path, said: Said) -> None:
    status, out, error = said("verify", folder)
    assert (status, error) == (0, "")
    for name in ("junit.xml", "report.html", "results.json"):
        assert f"as signed      {name}\n" in out
    assert "signed by evidence@" in out
    assert "(SHA256:" in out
    assert f"casemate.test, {json.loads((folder / 'results.json').read_text())['started'].replace('T', ' ')[:-1]} UTC to " in out
    assert "score 100 %, 1 passed, 0 failed" in out


def test_the_last_evidence_is_meant_where_no_folder_is_named(folder: Path, said: Said) -> None:
    assert said("verify", "--evidence", folder.parent)[0] == 0


def test_an_auditor_verifies_it_as_the_page_says_with_ssh_keygen_and_sha256sum_alone(folder: Path, said: Said, home: Path) -> None:
    _, line, _ = said("signer")
    (home / "casemate.signers").write_text(line)
    (commands,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "evidence.md").read_text(), re.DOTALL)
    block = commands.replace("evidence/latest", str(folder)).replace("evidence@controller", line.split()[0])
    ran = subprocess.run(["bash", "-euc", block], capture_output=True, text=True, check=True)
    assert "junit.xml: OK" in ran.stdout
    append(folder / "junit.xml")
    assert subprocess.run(["bash", "-euc", block], capture_output=True, check=False).returncode != 0


def test_an_auditor_without_our_key_names_the_signers(folder: Path, said: Said, home: Path, tmp_path: Path) -> None:
    _, line, _ = said("signer")
    (tmp_path / "signers").write_text(line)
    (home / ".config" / "casemate" / "evidence_key").rename(tmp_path / "elsewhere")
    (home / ".config" / "casemate" / "evidence_key.pub").unlink()
    assert said("verify", folder, "--signers", tmp_path / "signers")[0] == 0
    assert "this controller has signed nothing yet" in said("verify", folder)[2]
    assert not (home / ".config" / "casemate" / "evidence_key").exists(), "who verifies makes no key"


def append(path: Path) -> None:
    path.chmod(0o600)
    path.write_text(path.read_text() + " ")


@pytest.mark.parametrize(
    ("mallory", "sentence"),
    [
        (lambda folder: append(folder / "report.html"), "report.html is not as it was signed"),
        (lambda folder: (folder / "junit.xml").unlink(), "junit.xml is missing, or no file, and was signed as a file"),
        (lambda folder: (folder / "more.html").write_text("better"), "more.html is not in SHA256SUMS: nobody signed it"),
        (lambda folder: (folder / "more").mkdir(), "more is not in SHA256SUMS: nobody signed it"),
        (lambda folder: append(folder / "SHA256SUMS"), "SHA256SUMS is not the text that was signed"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS is missing: nothing says who made this folder"),
        (lambda folder: (folder / "SHA256SUMS.sig").unlink(), "SHA256SUMS.sig is missing: nothing says who made this folder"),
        (lambda folder: (folder / "SHA256SUMS.sig").write_text("I swear"), "SHA256SUMS.sig is no signature"),
        (lambda folder: (folder / "SHA256SUMS").write_bytes(b"\xff"), "SHA256SUMS cannot be read"),
    ],
)
def test_what_mallory_did_is_said_in_a_sentence(folder: Path, said: Said, mallory: Callable[[Path], object], sentence: str) -> None:
    mallory(folder)
    status, out, error = said("verify", folder)
    assert status == 2
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert "signed by" not in out


def test_each_fault_has_a_sentence_of_its_own_and_the_others_are_as_signed(folder: Path, said: Said) -> None:
    (folder / "junit.xml").unlink()
    append(folder / "report.html")
    _, out, error = said("verify", folder)
    assert [line.split("/")[-1].split()[0] for line in error.splitlines()] == ["junit.xml", "report.html"]
    assert "as signed      results.json" in out
    assert "NOT as signed  report.html" in out


def test_a_file_that_became_a_link_is_not_what_was_signed(folder: Path, said: Said, tmp_path: Path) -> None:
    (folder / "junit.xml").rename(tmp_path / "junit.xml")
    (folder / "junit.xml").symlink_to(tmp_path / "junit.xml")
    assert "junit.xml is a link and was signed as a file" in said("verify", folder)[2]


def test_mallorys_own_signature_counts_for_nothing(folder: Path, said: Said, tmp_path: Path) -> None:
    append(folder / "report.html")
    sign_again(folder, a_key(tmp_path, "mallory"))
    status, _, error = said("verify", folder)
    assert status == 2
    assert "SHA256SUMS.sig is of the key SHA256:" in error
    assert "whom this controller" in error


def test_a_signature_for_another_purpose_counts_for_nothing(folder: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(signing, "NAMESPACE", "casemate-release")
        sign_again(folder, signing.own_key())
    assert "not signed for casemate-evidence" in said("verify", folder)[2]


def test_a_key_whose_time_is_over_is_named(folder: Path, said: Said, tmp_path: Path) -> None:
    _, line, _ = said("signer")
    (tmp_path / "signers").write_text(line.replace("namespaces=", 'valid-before="20200101",namespaces='))
    status, _, error = said("verify", folder, "--signers", tmp_path / "signers")
    assert status == 2
    assert "SHA256SUMS.sig is of " in error


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": "1.2"}', json.dumps({"schema_version": evidence.SCHEMA_VERSION})])
def test_broken_results_are_broken_even_when_signed(folder: Path, said: Said, text: str) -> None:
    (folder / "results.json").write_text(text)
    sign_again(folder, signing.own_key())
    status, _, error = said("verify", folder)
    assert status == 2
    assert "results.json is as signed, and broken" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("line", ["../../etc/passwd", "a/b", ".."])
def test_a_signed_name_leads_to_no_other_folder(folder: Path, line: str) -> None:
    text = f"{'0' * 64}  {line}\n"
    (folder / signing.SUMS).write_text(text)
    (folder / signing.SIGNATURE).write_text(signing.sign(text, signing.own_key()))
    with pytest.raises(CannotRun, match="its line 1 is no sum and name"):
        signing.check(folder, signing.signer_line(signing.own_key()), "alice")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("verify", "nowhere"), "nowhere is no folder of evidence"),
        (("signer", "--sign-with", "nowhere"), "--sign-with names nowhere, which is no file"),
    ],
)
def test_bad_input_gets_a_sentence(said: Said, arguments: tuple[str, ...], sentence: str) -> None:
    status, out, error = said(*arguments)
    assert (status, out) == (2, "")
    assert sentence in error


def test_the_key_is_made_once_and_is_nobody_elses_to_read(home: Path) -> None:
    first = signing.own_key()
    content = first.read_text()
    assert first == home / ".config" / "casemate" / "evidence_key"
    assert first.stat().st_mode & 0o777 == 0o600
    assert first.parent.stat().st_mode & 0o777 == 0o700
    assert signing.own_key().read_text() == content
    assert [path.name for path in sorted(first.parent.iterdir())] == ["evidence_key", "evidence_key.pub"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can act for somebody else")
def test_under_sudo_the_key_is_the_callers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    nobody = pwd.getpwnam("nobody")
    theirs = Path("/tmp") / f"casemate-{tmp_path.name}-{os.getpid()}"  # noqa: S108 (pytest's own folders are closed to others)
    theirs.mkdir()
    os.chown(theirs, nobody.pw_uid, nobody.pw_gid)
    monkeypatch.setenv("SUDO_USER", "nobody")
    fields = [*nobody[:5], str(theirs), nobody.pw_shell]
    monkeypatch.setattr(pwd, "getpwnam", lambda _: pwd.struct_passwd(fields))
    try:
        key = signing.own_key()
        assert (key.stat().st_uid, key.parent.stat().st_uid) == (nobody.pw_uid, nobody.pw_uid)
        assert key.is_relative_to(theirs)
    finally:
        subprocess.run(["rm", "-rf", str(theirs)], check=True)


def test_where_no_key_can_be_made_the_way_out_is_named(home: Path) -> None:
    home.write_text("a file where a folder should be")
    with pytest.raises(CannotRun, match=r"could be made in .*name one with --sign-with KEY"):
        signing.own_key()


def test_a_key_of_ones_own_may_sign(folder: Path, said: Said, tmp_path: Path) -> None:
    bob = a_key(tmp_path, "bob")
    sign_again(folder, bob)
    _, line, _ = said("signer", "--sign-with", bob)
    (tmp_path / "signers").write_text(line)
    assert "signed by bob@example.test" in said("verify", folder, "--signers", tmp_path / "signers")[1]


def test_a_key_with_a_passphrase_signs_through_the_agent(folder: Path, said: Said, tmp_path: Path) -> None:
    bob = a_key(tmp_path, "bob")
    (tmp_path / "text").write_text((folder / signing.SUMS).read_text())
    program = (
        "import pathlib, sys; from verification import signing; text, key, out = map(pathlib.Path, sys.argv[1:]); "
        "out.write_text(signing.sign(text.read_text(), signing.chosen_key(key)))"
    )
    # Loaded, and then locked with a passphrase on the disk, which nobody is there to type.
    script = 'ssh-add -q "$2" && ssh-keygen -q -p -N secret-of-bob -f "$2" && exec "$0" -c "$1" "$3" "$2.pub" "$4"'
    argv: list[str | Path] = ["ssh-agent", "sh", "-c", script, sys.executable, program, bob, tmp_path / "text", folder / signing.SIGNATURE]
    subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    (tmp_path / "signers").write_text(signing.signer_line(bob.with_suffix(".pub")))
    assert "signed by bob@example.test" in said("verify", folder, "--signers", tmp_path / "signers")[1]


def test_a_key_that_cannot_sign_says_how_it_could(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("no key at all")
    with pytest.raises(CannotRun, match=r"could not sign with .*goes into ssh-agent"):
        signing.sign("text", tmp_path / "broken")
