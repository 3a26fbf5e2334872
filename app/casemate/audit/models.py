"""The audit log's two tables. They stand in a schema of their own, made by root from schema.py, in which the
migration account has no right; so the models are unmanaged, and `db_table` names schema and table at once."""

from typing import ClassVar

from django.conf import settings
from django.db import models

INSTALLATION = "installation"
GENESIS = "0" * 64


class Event(models.Model):
    """One link of a stream's chain. No foreign keys: ids and labels are copied, and outlive what they name."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": ()}

    id = models.BigAutoField(primary_key=True)
    stream = models.CharField(max_length=64)
    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=64, blank=True)
    actor_kind = models.CharField(max_length=20)
    actor_label = models.CharField(max_length=254, blank=True)
    ip = models.CharField(max_length=45, blank=True)
    user_agent = models.CharField(max_length=200, blank=True)
    path = models.CharField(max_length=200, blank=True)
    action = models.CharField(max_length=64)
    target_type = models.CharField(max_length=40, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=254, blank=True)
    success = models.BooleanField()
    detail = models.JSONField(default=dict)
    key_id = models.CharField(max_length=20)
    prev = models.CharField(max_length=64)
    mac = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = f"{settings.AUDIT_SCHEMA}`.`event"
        ordering = ("stream", "seq")

    def __str__(self) -> str:
        return f"{self.stream} #{self.seq} {self.action}"


class ChainHead(models.Model):
    """The end of a stream. Its row is locked by each writer in turn; it can only step on by one."""

    runtime_grants: ClassVar = {"SELECT": (), "INSERT": (), "UPDATE": ("seq", "mac")}

    stream = models.CharField(max_length=64, primary_key=True)
    seq = models.PositiveBigIntegerField()
    mac = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = f"{settings.AUDIT_SCHEMA}`.`chain_head"

    def __str__(self) -> str:
        return f"{self.stream} at {self.seq}"
