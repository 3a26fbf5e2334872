"""The bill of materials of a release, made from its wheels: CycloneDX's own library finds nothing wrong with it."""

import importlib.util
import json
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from verification.formats.soundness import bill_of_materials
from verification.inventory import ROOT

ABOUT = """Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: A shop
Classifier: License :: OSI Approved :: MIT License
{needs}
"""


@pytest.fixture(scope="module")
def makes() -> ModuleType:
    spec = importlib.util.spec_from_file_location("made", ROOT / "roles" / "release" / "files" / "bill_of_materials.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_wheel(folder: Path, name: str, version: str, needs: str = "") -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", ABOUT.format(name=name, version=version, needs=needs))
    return path


def test_a_releases_bill_of_materials_is_what_cyclonedx_asks_for(tmp_path: Path, makes: ModuleType) -> None:
    wheels = [a_wheel(tmp_path, "my_shop", "0.1", "Requires-Dist: django>=6"), a_wheel(tmp_path, "Django", "6.1")]
    text = json.dumps(makes.bill_of_materials(wheels, "my-shop", "0.1", "2026-01-01T00:00:00Z"))
    assert list(bill_of_materials(text)) == []
    assert "pkg:pypi/django@6.1" in text
