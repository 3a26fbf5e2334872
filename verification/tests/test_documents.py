"""What the documents name must be there."""

import re
from pathlib import Path

import pytest

from verification import catalogue, corrections, marks, register
from verification.inventory import ROOT

PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])
# The register's ids, with the areas that it has: UTF-8 and X-509 are none.
AREAS = "|".join(sorted({control.area for control in register.load().values()}))
# The example of a new control: that its number is free, the page's own test sees.
EXAMPLES = {"write-a-control.md": {"UI-014"}}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_controls_that_exist(page: Path) -> None:
    named = set(re.findall(rf"\b(?:{AREAS})-\d{{2,3}}\b", page.read_text()))
    assert named - register.load().keys() == EXAMPLES.get(page.name, set())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_links_to_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_page_of_the_controls_says_what_the_register_says() -> None:
    page = catalogue.page(register.load(), marks.load(), corrections.load(register.load()))
    assert (ROOT / "docs" / "controls.md").read_text() == page, f"make it anew: {catalogue.COMMAND}"


def test_the_page_of_the_controls_leads_to_each_area_and_leaves_no_control_out() -> None:
    page = (ROOT / "docs" / "controls.md").read_text()
    headings = [re.sub(r"[^a-z0-9 -]", "", line[3:].lower()).replace(" ", "-") for line in page.splitlines() if line.startswith("## ")]
    assert {*re.findall(r"\]\(#([^)]+)\)", page)} <= {*headings}
    assert [identifier for identifier in register.load() if f"| **{identifier}** " not in page] == []


def test_the_threat_model_names_a_defence_for_each_attacker() -> None:
    table = (ROOT / "docs" / "THREAT_MODEL.md").read_text().split("## Who attacks")[1].split("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| **")]
    assert len(rows) >= 15
    assert [row for row in rows if not re.search(rf"\b(?:{AREAS})-\d", row.split("|")[3]) and "no membership" not in row] == []
