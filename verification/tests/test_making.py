"""What makes a control hold: a role with the policy that it writes, a module, and not what lies about."""

from pathlib import Path

import pytest

from verification import making, register
from verification.inventory import ROOT
from verification.tests.conftest import a_control


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for name, text in {
        "roles/nginx/tasks/main.yml": 'src: "{{ policy_dir }}/nginx/nginx.conf.j2"\nsrc: "{{ policy_dir }}/systemd/nginx.service.d/"',
        "files/nginx/nginx.conf.j2": "server_tokens off;",
        "files/nginx/site.conf.j2": "server {}",
        "files/systemd/nginx.service.d/casemate.conf": "[Service]",
        "files/systemd/casemate.service": "[Unit]",
        "roles/nginx/README.md": "# nginx",
        "app/casemate/vault/models.py": "",
        "app/casemate/vault/__pycache__/models.cpython-313.pyc": "",
        "app/casemate/headers.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(by: str, house: Path) -> list[str]:
    return sorted(str(path.relative_to(house)) for path in making.files(by, house))


def test_a_role_is_made_of_its_tasks_its_policy_and_its_units(house: Path) -> None:
    assert names("roles/nginx", house) == [
        "files/nginx/nginx.conf.j2",
        "files/nginx/site.conf.j2",
        "files/systemd/nginx.service.d/casemate.conf",
        "roles/nginx/tasks/main.yml",
    ]


def test_a_part_of_the_application_is_a_package_or_a_module(house: Path) -> None:
    assert names("app.casemate.vault", house) == ["app/casemate/vault/models.py"]
    assert names("app.casemate.headers", house) == ["app/casemate/headers.py"]


def test_the_digest_tells_a_change_of_a_text_and_of_a_name(house: Path) -> None:
    control = a_control(implemented_by=("roles/nginx", "docs"))
    before = making.digest(control, house)
    (house / "files/systemd/casemate.service").write_text("of another role")
    assert making.digest(control, house) == before
    (house / "files/nginx/site.conf.j2").rename(house / "files/nginx/page.conf.j2")
    renamed = making.digest(control, house)
    assert renamed != before
    (house / "files/nginx/page.conf.j2").write_text("server { listen 80; }")
    assert making.digest(control, house) not in (before, renamed)


def test_everybody_who_implements_a_control_has_files() -> None:
    implemented = [control for control in register.load().values() if control.implemented]
    assert [control.id for control in implemented if not any(any(making.files(by, ROOT)) for by in control.implemented_by)] == []
