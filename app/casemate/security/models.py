from typing import ClassVar

from django.db import models
from django.utils import timezone


class Trial(models.Model):
    """A policy that is sent as report-only, since when. What it would stop is what comes in as reports."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": ()}

    digest = models.CharField(max_length=64, unique=True, db_collation="utf8mb4_bin")
    policy = models.TextField()
    began_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.policy


class Violation(models.Model):
    """All reports of one kind: the policy, the directive, the page and what it asked for. Who sent them is not kept."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": ("count", "last_seen_at"), "DELETE": ()}

    digest = models.CharField(max_length=64, unique=True, db_collation="utf8mb4_bin")
    # None: the policy that is enforced.
    trial = models.ForeignKey(Trial, null=True, on_delete=models.PROTECT, related_name="violations")
    # Empty in the one row of a policy that counts what came when the list was full.
    directive = models.CharField(max_length=32, blank=True)
    page = models.CharField(max_length=200, blank=True)
    blocked = models.CharField(max_length=200, blank=True)
    by_extension = models.BooleanField(default=False)
    count = models.PositiveBigIntegerField(default=1)
    first_seen_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(count__gte=1), name="a_violation_was_seen"),
            models.CheckConstraint(
                condition=models.Q(last_seen_at__gte=models.F("first_seen_at")), name="a_violation_is_first_seen_first"
            ),
        )

    def __str__(self) -> str:
        return f"{self.directive} on {self.page}: {self.blocked}" if self.directive else "kinds that had no place"
