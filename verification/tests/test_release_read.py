"""What is said of an installed release: each file as its package recorded it, and nothing that Python would import beside."""

import base64
import hashlib
import os
from pathlib import Path

import pytest

from verification.remote import release

CODE = b"answer = 42\n"


def recorded(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A release with one package: a module, and a program in bin/ whose first line pip wrote before the release had its name."""
    venv = tmp_path / "1.0" / "venv"
    site = venv / "lib" / "python3.13" / "site-packages"
    (site / "one").mkdir(parents=True)
    (venv / "bin").mkdir()
    (site / "one" / "__init__.py").write_bytes(CODE)
    (venv / "bin" / "one").write_text(f"#!{venv}/bin/python\n")
    before = f"#!{tmp_path}/.1.0.building/venv/bin/python\n".encode()
    lines = [f"one/__init__.py,sha256={recorded(CODE)},12", f"../../../bin/one,sha256={recorded(before)},1", "one-1.dist-info/RECORD,,"]
    (site / "one-1.dist-info").mkdir()
    (site / "one-1.dist-info" / "RECORD").write_text("\n".join(lines))
    return venv


def site_of(venv: Path) -> Path:
    return venv / "lib" / "python3.13" / "site-packages"


def test_a_release_as_it_was_installed_is_unaltered(venv: Path) -> None:
    (site_of(venv) / "one" / "__pycache__").mkdir()
    (site_of(venv) / "one" / "__pycache__" / "__init__.cpython-313.pyc").write_bytes(b"compiled")
    assert release._altered_packages(venv) == []


def test_a_changed_and_a_missing_file_are_named(venv: Path) -> None:
    (site_of(venv) / "one" / "__init__.py").write_text("answer = 43\n")
    (venv / "bin" / "one").unlink()
    where = "lib/python3.13/site-packages/one/__init__.py"
    assert sorted(release._altered_packages(venv)) == ["bin/one: missing", f"{where}: changed"]


@pytest.mark.parametrize("name", ["two.py", "two.pth", "two.cpython-313-x86_64-linux-gnu.so", "two.pyc", "one/two.py"])
def test_what_no_package_brought_and_python_would_import_is_named(venv: Path, name: str) -> None:
    (site_of(venv) / name).write_bytes(CODE)
    assert release._altered_packages(venv) == [f"lib/python3.13/site-packages/{name}: no package brought it"]


def test_a_link_to_a_folder_elsewhere_is_named(venv: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", site_of(venv) / "two")
    assert release._altered_packages(venv) == ["lib/python3.13/site-packages/two: no package brought it"]
