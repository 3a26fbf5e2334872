"""Inside: where the release's templates and code say that a text is markup already, and need not be escaped."""

import re
from pathlib import Path
from typing import Any

from verification.remote.sections import Parameters, section

PACKAGE = "/opt/casemate/current/venv/lib"
IN_A_TEMPLATE = re.compile(r"\{[{%](?:(?![%}]\}).)*?(?:\|\s*safe(?:seq)?\b|\bautoescape\b).*?[%}]\}")
IN_CODE = re.compile(
    r"\b(?:mark_safe|SafeString|SafeText|SafeData|format_html|format_html_join|html_safe|__html__|autoescape)\b|\.is_safe\b"
)


@section
def taken_as_markup(_parameters: Parameters) -> dict[str, Any]:
    """Each such place as it is written, and how many files were read."""
    (package,) = Path(PACKAGE).glob("python3*/site-packages/casemate")
    files = {kind: sorted(package.rglob(f"*.{kind}")) for kind in ("html", "py")}
    found = {kind: {f"{path.relative_to(package)}: {text}" for path in paths for text in places(path)} for kind, paths in files.items()}
    return {"in templates": sorted(found["html"]), "in code": sorted(found["py"]), "read": {kind: len(files[kind]) for kind in files}}


def places(path: Path) -> list[str]:
    text = path.read_text()
    if path.suffix == ".html":
        return IN_A_TEMPLATE.findall(text)
    lines = (re.sub(r"(?:^|\s)#.*", "", line).strip() for line in text.splitlines())
    return [line for line in lines if IN_CODE.search(line)]
