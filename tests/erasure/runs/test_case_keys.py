"""A night on keys in the database: when the log says that a memory is gone, no copy of a row opens."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from clinic.audit.models import Entry
from erasure.jobs.worker import advance
from erasure.runs import finishing
from erasure.runs.models import Run, Step
from patients.vault.configured import configured_token, key_store
from patients.vault.keys import KeyStoreDamaged
from patients.vault.limits import DATABASE_METHOD, UNTIL_THE_STEPS_END
from patients.vault.models import StoredObject
from patients.vault.replicas import unwrapped
from patients.vault.token import Token, TokenKey
from tests.factories import make_run
from tests.patients.vault.tokens import MODULE, PIN, token

__all__ = ["token"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.only_on("postgresql"),
]


@pytest.fixture
def wrapped(
    token: Token, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[UUID, list[tuple[bytes, ...]]]:
    """Every wrapped key the house ever writes into a row, with what it was bound to, by the data key's id."""
    settings.LACUNA_KEYS = "database"
    settings.LACUNA_TOKEN_MODULE, settings.LACUNA_TOKEN_PIN = str(MODULE), PIN
    kept: dict[UUID, list[tuple[bytes, ...]]] = {}
    real = TokenKey.encrypt

    def encrypt(self: TokenKey, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        made = real(self, nonce, data, aad)
        kept.setdefault(UUID(bytes=aad[-16:]), []).append((nonce, made, aad))
        return made

    monkeypatch.setattr(TokenKey, "encrypt", encrypt)
    return kept


def that_open(kept: dict[UUID, list[tuple[bytes, ...]]], ids: set[UUID]) -> set[UUID]:
    """Those of `ids` of which any row ever written opens with any key that the token holds."""
    token = configured_token()
    assert token is not None
    keys = [token.key(owner, name) for owner in token.owners("lacuna ") for name in token.names(owner)]
    found = set()
    for key_id in ids:
        for nonce, made, aad in kept[key_id]:
            for key in keys:
                try:
                    unwrapped(key, nonce, made, aad, "row")
                except KeyStoreDamaged:
                    continue
                found.add(key_id)
    return found


def looking(monkeypatch: pytest.MonkeyPatch, look: Callable[[], None]) -> None:
    """Call `look` each time a step is about to be closed."""
    monkeypatch.setattr(finishing, "hit", lambda label: look() if label == "before-close" else None)


def destroyed_keys() -> set[UUID]:
    """Keys of what has been destroyed by the steps so far."""
    return set(
        StoredObject.objects.filter(
            state=StoredObject.State.DESTROYED, doomed_by__startswith="step:"
        ).values_list("pk", flat=True)
    )


def test_when_a_step_closes_nothing_of_it_opens(
    wrapped: dict[UUID, list[tuple[bytes, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(memories=2, letters=1)
    assert that_open(wrapped, set(wrapped)) == set(key_store().ids())
    looks: list[tuple[int, set[UUID]]] = []
    looking(monkeypatch, lambda: looks.append((len(destroyed_keys()), that_open(wrapped, destroyed_keys()))))
    advance(run.pk)
    run.refresh_from_db()
    assert run.outcome == Run.Outcome.COMPLETE
    assert [opening for _, opening in looks] == [set(), set(), set()]
    assert [count > 10 for count, _ in looks] == [True, True, True]
    assert that_open(wrapped, set(wrapped)) == set(key_store().ids()) == set()
    body = run.certificate.body
    assert DATABASE_METHOD in body
    assert UNTIL_THE_STEPS_END in body


def test_without_the_roll_it_would_open(
    wrapped: dict[UUID, list[tuple[bytes, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(memories=2)
    looks: list[set[UUID]] = []
    looking(monkeypatch, lambda: looks.append(that_open(wrapped, destroyed_keys())))
    monkeypatch.setattr(type(key_store()), "roll_case", lambda self, case: None)
    advance(run.pk)
    assert looks[0] != set()
    assert Entry.objects.filter(action="memory.destroyed").count() == 2
    assert Step.objects.filter(run=run, state=Step.State.DESTROYED).count() == 2
