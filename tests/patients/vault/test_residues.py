"""Old wrapped keys stay in PostgreSQL's tables, write-ahead log and backups, but nothing opens them.

The test has its own PostgreSQL cluster, whose files it can read. It searches them for every wrapped key that
was ever in a row, and tries every key of the token on those that it finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection

from patients.vault.database_keys import DatabaseKeyStore
from patients.vault.keys import KeyStoreDamaged
from patients.vault.models import CaseKey, KeyHouse, WrappedKey
from patients.vault.replicas import unwrapped
from patients.vault.token import Token
from tests import postgres
from tests.patients.vault.tokens import token
from tests.postgres import Cluster

__all__ = ["token"]

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db,
    pytest.mark.only_on("postgresql"),
]


# No settings for speed, so that the server leaves on its disk what a clinic's server leaves. It keeps the
# whole write-ahead log, which would otherwise be recycled.
SETTINGS = {"wal_keep_size": "1GB"}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with postgres.cluster(SETTINGS) as cluster:
        yield cluster


def database(cluster: Cluster) -> dict[str, Any]:
    """Django's settings for a database of the cluster."""
    return {
        **connection.settings_dict,
        "NAME": "postgres",
        "USER": "postgres",
        "PASSWORD": "",
        "HOST": str(cluster.directory),
        "PORT": "",
    }


def base_backup(cluster: Cluster, name: str) -> Path:
    target = cluster.directory / name
    cluster.run("pg_basebackup", "-D", target, "-X", "stream", "-c", "fast")
    return target


@dataclass(frozen=True)
class Residue:
    """A wrapped key that is or was in a row."""

    key_id: UUID
    case: UUID
    name: str
    nonce: bytes
    wrapped: bytes


def create_tables(cluster: Cluster) -> None:
    """Create the tables of the key store, as the migration does."""
    with connection.schema_editor(collect_sql=True) as editor:
        for model in (KeyHouse, CaseKey, WrappedKey):
            editor.create_model(model)
        statements = [*editor.collected_sql, *map(str, editor.deferred_sql)]
    editor.deferred_sql.clear()
    with psycopg.connect(cluster.address()) as db:
        for statement in statements:
            db.execute(statement)


def wrapped_keys(store: DatabaseKeyStore) -> set[Residue]:
    """All wrapped keys that are in rows now."""
    with store._transaction() as db:
        rows = db.execute(
            "SELECT k.id, c.id, c.name, k.nonce, k.wrapped FROM patients_wrappedkey k"
            " JOIN patients_casekey c ON c.id = k.case_key_id WHERE k.live"
        ).fetchall()
    return {Residue(*row) for row in rows}


def found_in(place: Path, residues: set[Residue]) -> set[Residue]:
    """The residues whose bytes are in some file under `place`."""
    contents = [path.read_bytes() for path in place.rglob("*") if path.is_file()]
    return {residue for residue in residues if any(residue.wrapped in content for content in contents)}


def opened_with(token: Token, store: DatabaseKeyStore, residues: set[Residue]) -> set[UUID]:
    """The ids of residues that can be opened with some key of the token."""
    keys = [token.key(owner, name) for owner in token.owners("lacuna ") for name in token.names(owner)]
    found = set()
    for residue in residues:
        bound = store._associated_data(residue.case, residue.name, residue.key_id)
        for key in keys:
            try:
                unwrapped(key, residue.nonce, residue.wrapped, bound, "residue")
            except KeyStoreDamaged:
                continue
            found.add(residue.key_id)
    return found


def test_residues_are_found_everywhere_and_cannot_be_opened(cluster: Cluster, token: Token) -> None:
    create_tables(cluster)
    store = DatabaseKeyStore(database(cluster), token)
    try:
        case, beside = uuid4(), uuid4()
        doomed = {uuid4() for _ in range(6)}
        survivors = {uuid4() for _ in range(3)}
        for key_id in doomed | survivors:
            store.create(key_id, case)
        untouched = uuid4()
        store.create(untouched, beside)
        before = wrapped_keys(store)
        earlier = base_backup(cluster, "earlier")

        for key_id in doomed:
            store.destroy(key_id)
        # Positive control: before the roll, the residues of destroyed keys can be opened.
        assert doomed <= opened_with(token, store, before)

        store.roll_case(case)
        with store._transaction() as db:
            db.execute("SELECT pg_switch_wal()")
        with store._database.autocommit() as db:
            db.execute("CHECKPOINT")
        later = base_backup(cluster, "later")

        of_case = {residue for residue in before if residue.case == case}
        after = wrapped_keys(store)
        assert {residue.key_id for residue in of_case - after} == doomed | survivors
        # All residues still exist: in the log, in an earlier backup, and some in the tables' files.
        assert found_in(cluster.data / "pg_wal", of_case) == of_case
        assert found_in(earlier, of_case) == of_case
        assert found_in(cluster.data / "base", of_case)
        assert found_in(later / "base", of_case)
        # None can be opened: neither the destroyed keys, nor the former wrapping of the others.
        assert opened_with(token, store, of_case - after) == set()
        assert opened_with(token, store, after) == survivors | {untouched}
    finally:
        store.close()


def test_if_one_destruction_is_disabled_only_that_key_can_be_opened(
    cluster: Cluster, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_tables(cluster)
    store = DatabaseKeyStore(database(cluster), token)
    try:
        cases = [uuid4() for _ in range(3)]
        keys = {case: {uuid4() for _ in range(2)} for case in cases}
        for case, ids in keys.items():
            for key_id in ids:
                store.create(key_id, case)
        before = wrapped_keys(store)
        doomed = {case: next(iter(ids)) for case, ids in keys.items()}
        for case, key_id in doomed.items():
            store.destroy(key_id)
            with monkeypatch.context() as patched:
                if case == cases[1]:
                    patched.setattr(token, "destroy", lambda owner, name: None)
                store.roll_case(case)
        gone = {residue for residue in before if residue.key_id in doomed.values()}
        assert found_in(cluster.data / "pg_wal", gone) == gone
        assert opened_with(token, store, gone) == {doomed[cases[1]]}
        DatabaseKeyStore(database(cluster), token).close()  # opening the store completes the destruction
        assert opened_with(token, store, gone) == set()
    finally:
        store.close()
