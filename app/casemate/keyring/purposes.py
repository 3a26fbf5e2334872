"""Each encrypted field's fixed id. It is part of what seals a value, so an id is for ever: a renamed field keeps its
id (only the right-hand side changes), and the id of a field that is gone moves to RETIRED and is never used again."""

from collections.abc import Mapping

PURPOSES: Mapping[str, str] = {
    "totp-seed": "accounts.TotpDevice.seed",
    "vault-password": "vault.Password.contents",
    "vault-revision": "vault.PasswordRevision.contents",
}
RETIRED: frozenset[str] = frozenset()
