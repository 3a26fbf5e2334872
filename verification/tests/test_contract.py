"""What a project says of itself in pyproject.toml: each mistake is a sentence, and what is left out gets the baseline's own rule."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from verification.inventory import ROOT

FILES = ROOT / "roles" / "release" / "files"
PROJECT = '[project]\nname = "My-Shop"\n'
SHOP = PROJECT + '[tool.casemate]\nsettings = "shop.production"\n'


@pytest.fixture(scope="module")
def contract() -> ModuleType:
    spec = importlib.util.spec_from_file_location("contract", FILES / "contract.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[project", "is no TOML"),
        ('[tool.casemate]\nsettings = "shop.production"\n', "no usable `name`"),
        ('[project]\nname = "../shop"\n', "no usable `name`"),
        (PROJECT, "no table [tool.casemate]"),
        (PROJECT + "[tool.casemate]\n", "no `settings`"),
        (SHOP + 'setings = "x"\n', "Did you mean settings?"),
        (SHOP + 'colour = "red"\n', "which means nothing. It knows settings, wsgi"),
        (SHOP + 'wsgi = "shop.wsgi"\n', "give a module and its application"),
        (SHOP + 'manage = "../../bin/sh"\n', "give the name of a script"),
        (SHOP + 'health = "healthz?full=1"\n', "give a path of the site"),
        (SHOP + 'smoke = "smoke \'half"\n', "which is no command"),
        (SHOP + 'exclude = "tests/"\n', "must be a list of paths"),
        (SHOP + "grants = true\n", "must be text"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(text: str, sentence: str, contract: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(contract.Refused) as refusal:
        contract.read(tmp_path)
    assert sentence in str(refusal.value)
    assert str(refusal.value).startswith(f"{tmp_path}/pyproject.toml")


def test_what_is_left_out_gets_the_baselines_rule(contract: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SHOP)
    found = contract.read(tmp_path)
    assert (found.name, found.wsgi, found.dist) == ("my_shop", "shop.wsgi:application", "dist")
    told = found.manifest()
    assert [name for name, value in told.items() if value] == ["name", "settings", "wsgi"]


def test_casemates_own_application_goes_the_same_way(contract: ModuleType) -> None:
    told = contract.read(ROOT / "app").manifest()
    assert told["grants"] == ["grants", "--sql"]
    assert told["health"] == "/healthz"


@pytest.mark.parametrize(
    ("lock", "sentence"),
    [
        (None, "requirements/runtime.txt is missing"),
        ("django==6.1.3 --hash=sha256:0\n", "does not name gunicorn, mysqlclient"),
    ],
)
def test_a_project_that_no_host_could_serve_is_refused_before_it_is_built(lock: str | None, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(SHOP)
    told = state(tmp_path)
    assert "is in no git repository" in told
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    if lock:
        (tmp_path / "requirements").mkdir()
        (tmp_path / "requirements" / "runtime.txt").write_text(lock)
    assert sentence in state(tmp_path)


def state(project: Path) -> str:
    command = [sys.executable, str(FILES / "release_state.py"), str(project), "state"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    return ran.stderr
