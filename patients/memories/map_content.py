"""The content of a locked map, as data, and its digest."""

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from clinic.audit.canonical import dump
from patients.cases.models import Case
from patients.memories.models import Memory


def map_body(case: Case) -> dict[str, Any]:
    """Return the content for a locked map of the case's memories: ids, numbers, zones, fates; no words."""
    return map_bodies([case.pk])[case.pk]


def map_bodies(cases: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return the content of the maps of many cases, by case id, with two queries. See `map_body`."""
    found: dict[UUID, list[dict[str, Any]]] = {case: [] for case in cases}
    memories = Memory.objects.filter(case__in=found).order_by("number", "pk").prefetch_related("keepsakes")
    for memory in memories:
        found[memory.case_id].append(
            {
                "id": str(memory.pk),
                "number": memory.number,
                "zone": memory.zone,
                "fate": memory.fate,
                "keepsakes": sorted(
                    str(keepsake.pk) for keepsake in memory.keepsakes.all() if not keepsake.gone_at
                ),
            }
        )
    return {case: {"case": str(case), "memories": body} for case, body in found.items()}


def map_digest(body: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of the body as canonical JSON: sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(dump(body)).hexdigest()
