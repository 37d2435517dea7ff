"""Keys in the database: once the log says that a memory is destroyed, no copy of its keys opens."""

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
    """Every wrapped key written to a row, with nonce and associated data, by the id of the data key."""
    settings.LACUNA_KEYS = "database"
    settings.LACUNA_TOKEN_MODULE, settings.LACUNA_TOKEN_PIN = str(MODULE), PIN
    recorded: dict[UUID, list[tuple[bytes, ...]]] = {}
    real = TokenKey.encrypt

    def encrypt(self: TokenKey, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        wrapped_key = real(self, nonce, data, aad)
        recorded.setdefault(UUID(bytes=aad[-16:]), []).append((nonce, wrapped_key, aad))
        return wrapped_key

    monkeypatch.setattr(TokenKey, "encrypt", encrypt)
    return recorded


def ids_that_open(recorded: dict[UUID, list[tuple[bytes, ...]]], ids: set[UUID]) -> set[UUID]:
    """Those of `ids` of which any recorded wrapped key opens with any key of the token."""
    token = configured_token()
    assert token is not None
    keys = [token.key(owner, name) for owner in token.owners("lacuna ") for name in token.names(owner)]
    found = set()
    for key_id in ids:
        for nonce, wrapped_key, aad in recorded[key_id]:
            for key in keys:
                try:
                    unwrapped(key, nonce, wrapped_key, aad, "row")
                except KeyStoreDamaged:
                    continue
                found.add(key_id)
    return found


def call_before_each_close(monkeypatch: pytest.MonkeyPatch, check: Callable[[], None]) -> None:
    """Call `check` each time before a step is closed."""
    monkeypatch.setattr(finishing, "hit", lambda label: check() if label == "before-close" else None)


def destroyed_keys() -> set[UUID]:
    """Ids of the keys of objects that steps have destroyed so far."""
    return set(
        StoredObject.objects.filter(
            state=StoredObject.State.DESTROYED, doomed_by__startswith="step:"
        ).values_list("pk", flat=True)
    )


def test_when_a_step_is_closed_none_of_its_keys_open(
    wrapped: dict[UUID, list[tuple[bytes, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(memories=2, letters=1)
    assert ids_that_open(wrapped, set(wrapped)) == set(key_store().ids())
    findings: list[tuple[int, set[UUID]]] = []
    call_before_each_close(
        monkeypatch,
        lambda: findings.append((len(destroyed_keys()), ids_that_open(wrapped, destroyed_keys()))),
    )
    advance(run.pk)
    run.refresh_from_db()
    assert run.outcome == Run.Outcome.COMPLETE
    assert [opening for _, opening in findings] == [set(), set(), set()]
    assert [count > 10 for count, _ in findings] == [True, True, True]
    assert ids_that_open(wrapped, set(wrapped)) == set(key_store().ids()) == set()
    body = run.certificate.body
    assert DATABASE_METHOD in body
    assert UNTIL_THE_STEPS_END in body


def test_without_rolling_the_cases_key_destroyed_keys_would_open(
    wrapped: dict[UUID, list[tuple[bytes, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(memories=2)
    findings: list[set[UUID]] = []
    call_before_each_close(monkeypatch, lambda: findings.append(ids_that_open(wrapped, destroyed_keys())))
    monkeypatch.setattr(type(key_store()), "roll_case", lambda self, case: None)
    advance(run.pk)
    assert findings[0] != set()
    assert Entry.objects.filter(action="memory.destroyed").count() == 2
    assert Step.objects.filter(run=run, state=Step.State.DESTROYED).count() == 2
