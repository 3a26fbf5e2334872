"""Why something is not done. Each text is shown as it is; after each, everything is as it was before."""

from datetime import timedelta


class VaultRefusal(Exception):
    """`field` is the part of the form that the sentence belongs to, where there is one."""

    field: str | None = None
    status = 422

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class Unknown(VaultRefusal):
    """Not in this organisation, whether it is in another one or in none."""

    status = 404


class Outdated(VaultRefusal):
    """Somebody else was faster. `version` is the one that stands now."""

    status = 409

    def __init__(self, sentence: str, version: int) -> None:
        super().__init__(sentence)
        self.version = version


class InTrash(VaultRefusal):
    status = 409


class Suspended(VaultRefusal):
    """Their second factor was reset within the day, and no owner has confirmed them."""

    status = 403


class SlowDown(VaultRefusal):
    status = 429

    def __init__(self, sentence: str, wait: timedelta) -> None:
        super().__init__(sentence)
        self.wait = wait


class Tampered(VaultRefusal):
    """A sealed value does not open: changed, moved here, or its key is gone. The event of it is written."""

    status = 500
