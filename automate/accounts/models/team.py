"""Teams own workflows, connections and secrets."""

from __future__ import annotations

from django.db import models

from automate.lib.ids import uuid7


class Team(models.Model):
    """A group of people who see and change the same workflows."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=100, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
