"""The statement of a certificate on what a patient had destroyed outside a night."""

from collections import Counter
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Q

from clinic.audit.models import Checkpoint
from erasure.certificates.statement_parts import (
    CLAIM,
    isoformat,
    keys,
    log_proofs,
    method_of,
    verification_of,
)
from erasure.destructions.models import Destruction, DestructionItem
from erasure.runs.custody_items import custody_items_of
from erasure.verification.checks import BEYOND
from patients.consent.models import ConsentText, Signature
from patients.keepsakes.models import Keepsake

# Readers of earlier certificates refuse this type, instead of misreading it.
TYPE = "lacuna.certificate-of-destruction"


def destruction_body(destruction: Destruction, at: datetime, head: Checkpoint) -> dict[str, Any]:
    """Return the statement on a destruction. It must not contain the subject's name.

    at: the time of issue. head: the checkpoint that the proofs refer to.
    """
    items = list(destruction.items.select_related("memory", "keepsake").order_by("position"))
    return {
        "type": TYPE,
        "version": 1,
        "run": str(destruction.pk),
        "reference": destruction.case.reference,
        "patient": destruction.case.patient.name,
        "asked-by": "patient" if destruction.asked_by_id else "end-of-keeping",
        "asked": isoformat(destruction.asked_at),
        "outcome": destruction.outcome,
        "claim": CLAIM,
        "fields-after": "NIST SP 800-88, sample certificate",
        "method": method_of("no fade: the key of every stored object and of all words destroyed at once"),
        "keys": keys(),
        "started": isoformat(destruction.begins_at),
        "finished": isoformat(destruction.finished_at),
        "issued": isoformat(at),
        "whole-file": destruction.whole_case,
        "consent-to-keep": _storage_consent(destruction),
        "policies": {"demonstration": settings.LACUNA_DEMO},
        "destroyed": _destroyed(items),
        "remains": {"spared": [_spared(item) for item in items if _is(item, "spared")]},
        # Physical objects. People witness their destruction, no key proves it. Open items are listed as open.
        "things": custody_items_of(_keepsakes(items)),
        "verification": verification_of(destruction.pk, "destruction.verified", head),
        "beyond-our-reach": BEYOND,
        "log": log_proofs(destruction.pk, head),
    }


def _is(item: DestructionItem, state: str) -> bool:
    return str(item.state) == state


def _keepsakes(items: list[DestructionItem]) -> Q:
    """Return the filter for the keepsakes of those items that are destroyed."""
    gone = [item for item in items if _is(item, "destroyed")]
    return Q(memory__in=[item.memory_id for item in gone if item.memory_id]) | Q(
        pk__in=[item.keepsake_id for item in gone if item.keepsake_id]
    )


def _storage_consent(destruction: Destruction) -> dict[str, Any] | None:
    """Return the patient's last consent to keep their things: which text, when signed, when withdrawn."""
    signed = Signature.objects.filter(case=destruction.case_id, text__kind=ConsentText.Kind.STORAGE)
    last = signed.order_by("signed_at").last()
    if last is None:
        return None
    return {
        "text": last.text_digest,
        "signed": isoformat(last.signed_at),
        "withdrawn": isoformat(last.withdrawn_at),
    }


def _number(item: DestructionItem) -> int | None:
    """Return the number of the item's memory on the map; None for what has none."""
    memory = item.memory or (item.keepsake.memory if item.keepsake else None)
    return memory.number if memory else None


def _destroyed(items: list[DestructionItem]) -> list[dict[str, Any]]:
    """Return what was destroyed, item by item."""
    gone = [item for item in items if _is(item, "destroyed")]
    kinds: dict[Any, Counter[str]] = {}
    keepsakes = Keepsake.objects.filter(_keepsakes(items), gone_at__isnull=False)
    for pk, memory, kind in keepsakes.values_list("pk", "memory", "kind"):
        for owner in (pk, memory):
            kinds.setdefault(owner, Counter())[str(kind)] += 1
    return [
        {
            "what": str(item.kind),
            "number": _number(item),
            "item": str(item.pk),
            "kinds": dict(kinds.get(item.memory_id or item.keepsake_id, {})),
            "objects": item.objects_destroyed,
            "bytes": item.bytes_destroyed,
            "passes": 0,
            "at": isoformat(item.done_at),
            "entry": item.entry_id,
        }
        for item in gone
    ]


def _spared(item: DestructionItem) -> dict[str, Any]:
    return {"what": str(item.kind), "number": _number(item), "because": "stopped"}
