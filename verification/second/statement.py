"""What another program says of a host, in the same words whichever it is."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """A rule that does not hold in its eyes. `text` is what tells findings of one rule apart (lynis); `result` its own word."""

    rule: str
    title: str
    severity: str
    result: str
    reference: str = ""


@dataclass(frozen=True)
class Statement:
    """All that one witness says of one host: every rule counted by its result, and those found wanting one by one."""

    witness: str
    counts: dict[str, int]
    findings: list[Finding]
    held: frozenset[str] = field(default_factory=frozenset)
    index: int | None = None
