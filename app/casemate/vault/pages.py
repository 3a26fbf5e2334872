"""What a page of the vault shows of many rows, in few queries; none of them reads the sealed column."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from casemate.vault.folders import Node, Tree
from casemate.vault.models import Password

A_PAGE = 50


@dataclass(frozen=True)
class Row:
    password: Password
    path: str  # of its folder


@dataclass(frozen=True)
class Listing:
    """One page of a list; `number` counts from 1."""

    rows: Sequence[Row]
    total: int
    number: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // A_PAGE))

    @property
    def first(self) -> int:
        return (self.number - 1) * A_PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1

    @property
    def before(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def after(self) -> int | None:
        return self.number + 1 if self.number < self.pages else None


@dataclass(frozen=True)
class FolderRow:
    node: Node
    count: int  # with what lies below it


type Counts = Mapping[uuid.UUID, int]


def counts() -> Counts:
    """How many live passwords lie in each folder itself."""
    return dict(Password.objects.filter(deleted_at=None).order_by().values_list("folder_id").annotate(Count("id")))


def folder_rows(tree: Tree, lying: Counts) -> list[FolderRow]:
    below = tree.counted(lying)
    return [FolderRow(node, below[node.folder.pk]) for node in tree.nodes]


def find(tree: Tree, lying: Counts, *, q: str, folder_id: uuid.UUID | None, page: int) -> Listing:
    """Live passwords whose name or folder's name holds `q`, in a folder and below it."""
    found = _in_clear("changed_by").filter(deleted_at=None).order_by("name", "id")
    if folder_id is not None:
        found = found.filter(folder_id__in=tree.under(folder_id))
    if not q:  # nobody needs to count again
        places = lying.keys() if folder_id is None else tree.under(folder_id)
        return _page(found, sum(lying.get(place, 0) for place in places), tree, page)
    found = found.filter(Q(name__icontains=q) | Q(folder__name__icontains=q))
    return _page(found, found.count(), tree, page)


def trashed(tree: Tree, page: int) -> Listing:
    found = _in_clear("deleted_by").exclude(deleted_at=None).order_by("-deleted_at", "id")
    return _page(found, found.count(), tree, page)


def _in_clear(*people: str) -> QuerySet[Password]:
    """The folder is not joined: the tree, which is loaded anyway, knows its path."""
    return Password.objects.defer("contents").select_related(*people)


def _page(found: QuerySet[Password], total: int, tree: Tree, page: int) -> Listing:
    pages = max(1, -(-total // A_PAGE))
    number = min(page, pages)
    start = (number - 1) * A_PAGE
    rows = [Row(password, tree.node(password.folder_id).path) for password in found[start : start + A_PAGE]]
    return Listing(rows, total, number)
