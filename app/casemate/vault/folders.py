"""Folders: their tree, and the verbs that change it."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from casemate.accounts.assurance import Assurance
from casemate.audit.actions import Action
from casemate.audit.origin import Target
from casemate.audit.services import committed, record
from casemate.tenancy.models import Membership
from casemate.tenancy.permissions import Permission
from casemate.vault import rules
from casemate.vault.guard import allow
from casemate.vault.models import Folder
from casemate.vault.refusals import Unknown, VaultRefusal

MOST = 500
DEEPEST = 5


@dataclass(frozen=True)
class Node:
    folder: Folder
    depth: int  # 1 at the top
    path: str

    @property
    def indent(self) -> int:
        return self.depth - 1


class Tree:
    """All folders of the bound organisation, parents before children; one query."""

    def __init__(self, folders: Iterable[Folder]) -> None:
        self._children: dict[uuid.UUID | None, list[Folder]] = defaultdict(list)
        for folder in folders:
            self._children[folder.parent_id].append(folder)
        self.nodes = tuple(self._walk(None, 1, ""))
        self._by_id = {node.folder.pk: node for node in self.nodes}

    @classmethod
    def load(cls, *, lock: bool = False) -> "Tree":
        folders = Folder.objects.order_by("name")
        return cls(folders.select_for_update() if lock else folders)

    def _walk(self, parent: uuid.UUID | None, depth: int, path: str) -> Iterator[Node]:
        for folder in self._children[parent]:
            node = Node(folder, depth, f"{path}{folder.name}")
            yield node
            yield from self._walk(folder.pk, depth + 1, f"{node.path} / ")

    def __len__(self) -> int:
        return len(self.nodes)

    def node(self, folder_id: uuid.UUID) -> Node:
        if folder_id not in self._by_id:
            raise Unknown("There is no such folder here: choose one of the list.", "folder")
        return self._by_id[folder_id]

    def under(self, folder_id: uuid.UUID) -> set[uuid.UUID]:
        """A folder and everything below it."""
        return {folder_id}.union(*(self.under(child.pk) for child in self._children[folder_id]))

    def height(self, folder_id: uuid.UUID) -> int:
        return 1 + max((self.height(child.pk) for child in self._children[folder_id]), default=0)

    def counted(self, counts: Mapping[uuid.UUID, int]) -> dict[uuid.UUID, int]:
        """How many passwords lie in each folder or below it."""
        return {node.folder.pk: sum(counts.get(i, 0) for i in self.under(node.folder.pk)) for node in self.nodes}


def target(folder: Folder) -> Target:
    return Target("vault.folder", str(folder.pk), folder.name)


@committed
def create_folder(
    *, name: str, parent_id: uuid.UUID | None, reason_required: bool, membership: Membership, assurance: Assurance
) -> Folder:
    stream = allow(membership, assurance, Permission.FOLDERS_CHANGE)
    folder = Folder(name=rules.name(name, longest=rules.LONGEST_FOLDER_NAME), reason_required=reason_required)
    tree = Tree.load(lock=True)
    if len(tree) >= MOST:
        raise VaultRefusal(f"An organisation holds {MOST} folders: rename one that is no longer needed.")
    _put(folder, parent_id, tree, height=1)
    _save(folder, tree)
    record(
        Action.FOLDER_CREATED,
        actor=assurance.actor,
        origin=assurance.origin,
        target=target(folder),
        success=True,
        detail={"reason_required": reason_required, "in": tree.node(parent_id).path if parent_id else ""},
        stream=stream,
    )
    return folder


@committed
def change_folder(
    *,
    folder_id: uuid.UUID,
    name: str,
    parent_id: uuid.UUID | None,
    reason_required: bool,
    membership: Membership,
    assurance: Assurance,
) -> Folder:
    stream = allow(membership, assurance, Permission.FOLDERS_CHANGE)
    tree = Tree.load(lock=True)
    folder = tree.node(folder_id).folder
    before = (folder.name, folder.parent_id, folder.reason_required)
    folder.name = rules.name(name, longest=rules.LONGEST_FOLDER_NAME)
    folder.reason_required = reason_required
    if parent_id is not None and parent_id in tree.under(folder.pk):
        raise VaultRefusal("A folder cannot lie in itself or below itself: choose another place.", "parent")
    _put(folder, parent_id, tree, height=tree.height(folder.pk))
    if (folder.name, folder.parent_id, folder.reason_required) == before:
        return folder
    _save(folder, tree)
    record(
        Action.FOLDER_CHANGED,
        actor=assurance.actor,
        origin=assurance.origin,
        target=target(folder),
        success=True,
        detail={
            "was": before[0],
            "reason_required": reason_required,
            "in": tree.node(parent_id).path if parent_id else "",
        },
        stream=stream,
    )
    return folder


def _put(folder: Folder, parent_id: uuid.UUID | None, tree: Tree, *, height: int) -> None:
    try:
        depth = tree.node(parent_id).depth if parent_id else 0
    except Unknown as problem:
        raise Unknown(str(problem), "parent") from None
    if depth + height > DEEPEST:
        raise VaultRefusal(f"Folders lie at most {DEEPEST} deep: choose a place further up.", "parent")
    folder.parent_id = parent_id


def _save(folder: Folder, tree: Tree) -> None:
    try:
        with transaction.atomic():
            folder.save(update_fields=None if folder._state.adding else ["name", "parent", "reason_required"])
    except IntegrityError:
        # The database's own word: two requests at once, or names that differ by case or accent alone.
        where = tree.node(folder.parent_id).path if folder.parent_id else "the top"
        raise VaultRefusal(f"There is already a folder of that name in {where}: choose another name.", "name") from None
