"""The key store for several machines: data keys in PostgreSQL, each under a case key that only a token has.

A database can't forget a row: what `destroy` erases stays in heap, write-ahead log, replicas and backups
(ERASURE.md has the figures). So at the end of each step `roll_case` wraps the live data keys of the case
under a new case key and destroys the old one inside the token. After that no residue of the case can be
opened, wherever it is.

Order of a roll: 1. Make the new case key in the token. 2. In one transaction, rewrite the rows of the live
data keys and store the new key's name; the commit decides. 3. Destroy the old case key. A crash in between
leaves a key in the token that no row names. It is destroyed at the next roll of the case, and whenever a
store is opened.

The store has connections of its own, so a rollback of the caller's transaction does not affect it. Locks are
taken in this order: a data key's advisory lock (needed to make or destroy it), the case's advisory lock
(needed to make or destroy its keys in the token), the row of its case key, the rows of its data keys.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation

from patients.vault.connections import Connection, OwnConnections, fetch_value
from patients.vault.keys import (
    Attestation,
    KeyExists,
    KeyGone,
    KeyStoreDamaged,
    KeyStoreState,
    NotInToken,
    Rolled,
    Unwanted,
    VolumeWarning,
    always,
)
from patients.vault.replicas import DEK, Kek, unwrapped

if TYPE_CHECKING:
    from patients.vault.token import Token

STORE_KEY_NAME = b"house"  # a key of this name marks the token as the one of this store
MAX_HANDLES = 4096  # cached handles of keys in the token

SELECT_LIVE_KEYS = """
    SELECT k.id, c.id, c.name, k.nonce, k.wrapped
    FROM patients_wrappedkey k JOIN patients_casekey c ON c.id = k.case_key_id
    WHERE k.live AND k.id = ANY(%s)"""
HAS_LIVE_KEYS = "SELECT EXISTS (SELECT FROM patients_wrappedkey WHERE case_key_id = %s AND live)"


class DatabaseKeyStore:
    """A `KeyStore` for any number of machines, on one PostgreSQL database and one token (a network HSM).

    `database` is a Django dictionary of database settings. `token` is None for an observer, which neither
    writes nor opens a key. One object serves one process with all its threads. `slot` is None in its
    attestations. `at` is called with the name of each point where a crash may happen.

    Errors: KeyStoreDamaged also if the token is not the one that holds this database's keys.
    """

    def __init__(
        self,
        database: Mapping[str, Any],
        token: "Token | None",
        *,
        at: Callable[[str], None] = lambda point: None,
    ) -> None:
        self._database = OwnConnections(database)
        self._token = token
        self._at = at
        self._handles: dict[str, Kek] = {}
        self._store_id = UUID(int=0)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def create(self, key_id: UUID, case: UUID | None = None, *, wanted: Callable[[], bool] = always) -> bytes:
        owner, dek = case or key_id, os.urandom(DEK)
        self._require_token()
        while True:
            with self._transaction() as db:
                _lock_key(db, key_id)
                if not wanted():
                    raise Unwanted(key_id)
                name = fetch_value(db, "SELECT name FROM patients_casekey WHERE id = %s FOR SHARE", owner)
                if name:
                    self._insert(db, key_id, owner, name, dek)
                    self._at("create.written")
            if name:
                self._at("create.durable")
                return dek
            self._make_case_key(owner)

    def get(self, key_id: UUID) -> bytes:
        found = self.get_many([key_id])
        if key_id not in found:
            raise KeyGone(key_id)
        return found[key_id]

    def get_many(self, ids: Iterable[UUID]) -> dict[UUID, bytes]:
        left, found, names = list(ids), {}, dict[UUID, str]()
        self._require_token()
        while left:
            with self._database.autocommit() as db:
                rows = db.execute(SELECT_LIVE_KEYS, [left]).fetchall()
            left = []
            for key_id, case, name, nonce, wrapped in rows:
                try:
                    found[key_id] = bytes(self._unwrap(key_id, case, name, nonce, wrapped))
                except NotInToken as error:
                    # The case may have been rolled since the row was read. Then the row names another key
                    # now; if it still names this one, the token has lost it.
                    if names.get(key_id) == name:
                        raise KeyStoreDamaged(
                            f"the token does not hold the key that key {key_id} is wrapped under"
                        ) from error
                    names[key_id] = name
                    left.append(key_id)
        return found

    def destroy(self, key_id: UUID) -> bool:
        self._require_token()
        with self._transaction() as db:
            _lock_key(db, key_id)  # a key that is being made now is not seen before its maker commits
            case = fetch_value(db, "SELECT case_key_id FROM patients_wrappedkey WHERE id = %s", key_id)
            if case is None:
                return False
            db.execute("SELECT FROM patients_casekey WHERE id = %s FOR UPDATE", [case])
            ended = db.execute(
                "UPDATE patients_wrappedkey SET live = false, nonce = '', wrapped = ''"
                " WHERE id = %s AND live",
                [key_id],
            ).rowcount
            if ended:
                db.execute("UPDATE patients_casekey SET dirty = true WHERE id = %s", [case])
            left = fetch_value(db, HAS_LIVE_KEYS, case)
            self._at("destroy.written")
        self._at("destroy.durable")
        if not left:
            self._roll(
                case
            )  # the case has no live key, so there is no reason to wait for the end of the step
        return bool(ended)

    def roll_case(self, case: UUID) -> int:
        self._require_token()
        return self._roll(case)

    def roll_epoch(self) -> Rolled:
        """Roll every case in which a key was destroyed, and delete the ids of destroyed keys."""
        self._require_token()
        with self._transaction() as db:
            cases = db.execute(
                "SELECT c.id FROM patients_casekey c WHERE c.dirty OR (c.name <> '' AND NOT EXISTS"
                " (SELECT FROM patients_wrappedkey k WHERE k.case_key_id = c.id AND k.live)) ORDER BY c.id"
            ).fetchall()
        survivors = sum(self._roll(case) for (case,) in cases)
        self._destroy_leftovers()
        with self._transaction() as db:
            # A key destroyed since then made its case dirty again; its id stays until the next roll.
            dropped = db.execute(
                "DELETE FROM patients_wrappedkey k USING patients_casekey c"
                " WHERE c.id = k.case_key_id AND NOT c.dirty AND NOT k.live"
            ).rowcount
            db.execute(
                "DELETE FROM patients_casekey c WHERE c.name = '' AND NOT EXISTS"
                " (SELECT FROM patients_wrappedkey k WHERE k.case_key_id = c.id)"
            )
            epoch = fetch_value(
                db, "UPDATE patients_keyhouse SET epoch = epoch + 1 WHERE id = %s RETURNING epoch", 1
            )
        return Rolled(epoch, survivors, dropped)

    def attest(self, key_id: UUID) -> Attestation:
        with self._transaction() as db:
            live = fetch_value(db, "SELECT live FROM patients_wrappedkey WHERE id = %s", key_id)
            epoch = fetch_value(db, "SELECT epoch FROM patients_keyhouse WHERE id = %s", 1)
        if live is None:
            return Attestation(key_id, "absent", None, epoch)
        return Attestation(key_id, "live" if live else "destroyed", None, epoch)

    def ids(self) -> Iterator[UUID]:
        with self._database.autocommit() as db:
            rows = db.execute("SELECT id FROM patients_wrappedkey WHERE live").fetchall()
        return iter([key_id for (key_id,) in rows])

    def state(self) -> KeyStoreState:
        with self._transaction() as db:
            live, gone = db.execute(
                "SELECT count(*) FILTER (WHERE live), count(*) FILTER (WHERE NOT live)"
                " FROM patients_wrappedkey"
            ).fetchone() or (0, 0)
            epoch = fetch_value(db, "SELECT epoch FROM patients_keyhouse WHERE id = %s", 1)
            synced = fetch_value(db, "SELECT current_setting('fsync') = %s", "on")
        return KeyStoreState(
            epoch=epoch,
            live=live,
            destroyed=gone,
            mirrors=0,
            custody="token",
            warnings=() if synced else (VolumeWarning("database", "postgresql", "unsynced"),),
            kind="database",
            token=self._token.maker() if self._token else "",
        )

    def unopenable(self) -> list[UUID]:
        """Return the ids of live rows whose case key is not in the token.

        A restored database brings such rows back. The roll that destroyed the case key ended the data keys.
        """
        token, unopenable = self._require_token(), []
        with self._transaction() as db:
            rows = db.execute(
                "SELECT c.id, c.name, array_agg(k.id) FROM patients_wrappedkey k"
                " JOIN patients_casekey c ON c.id = k.case_key_id WHERE k.live GROUP BY c.id, c.name"
            ).fetchall()
        for case, name, ids in rows:
            if bytes.fromhex(name) not in token.names(self._token_owner(case)):
                unopenable += ids
        return unopenable

    def close(self) -> None:
        self._database.close()
        self._handles.clear()

    def _open(self) -> None:
        """Read or create the store's id, check that the token is its own, destroy what crashes left in it."""
        with self._transaction() as db:
            if self._token is not None:
                db.execute(
                    "INSERT INTO patients_keyhouse (id, name, epoch) VALUES (1, %s, 1)"
                    " ON CONFLICT DO NOTHING",
                    [uuid4()],
                )
            store_id = fetch_value(db, "SELECT name FROM patients_keyhouse WHERE id = %s", 1)
            if store_id is None:
                raise KeyStoreDamaged("there is no key store in this database")
            self._store_id = store_id
            if self._token is None:
                return
            if STORE_KEY_NAME not in self._token.names(self._token_owner(store_id)):
                if fetch_value(db, "SELECT EXISTS (SELECT FROM patients_casekey WHERE name <> %s)", ""):
                    raise KeyStoreDamaged("the token is not the one that holds this database's keys")
                self._token.make(self._token_owner(store_id), STORE_KEY_NAME)
        self._destroy_leftovers()

    def _insert(self, db: Connection, key_id: UUID, case: UUID, name: str, dek: bytes) -> None:
        nonce = os.urandom(12)
        wrapped = self._case_key(case, name).encrypt(nonce, dek, self._associated_data(case, name, key_id))
        try:
            with db.transaction():
                db.execute(
                    "INSERT INTO patients_wrappedkey (id, case_key_id, live, nonce, wrapped)"
                    " VALUES (%s, %s, true, %s, %s)",
                    [key_id, case, nonce, wrapped],
                )
        except UniqueViolation:
            live = fetch_value(db, "SELECT live FROM patients_wrappedkey WHERE id = %s", key_id)
            raise (KeyExists(key_id) if live else KeyGone(key_id)) from None

    def _make_case_key(self, case: UUID) -> None:
        """Make the token key of a case that has none. It is durable on return."""
        with self._transaction() as db:
            _lock(db, case)
            db.execute(
                "INSERT INTO patients_casekey (id, name, rolls, dirty) VALUES (%s, '', 0, false)"
                " ON CONFLICT DO NOTHING",
                [case],
            )
            if fetch_value(db, "SELECT name FROM patients_casekey WHERE id = %s FOR UPDATE", case):
                return
            self._destroy_token_keys_except(case, "")
            name = os.urandom(16).hex()
            self._require_token().make(self._token_owner(case), bytes.fromhex(name))
            self._at("begin.key-made")
            db.execute("UPDATE patients_casekey SET name = %s WHERE id = %s", [name, case])
        self._at("begin.committed")

    def _roll(self, case: UUID) -> int:
        """End the case's token key if it is dirty or wraps no live key; wrap the live keys under a new one.

        Return how many live keys were wrapped again.
        """
        token, new = self._require_token(), ""
        with self._transaction() as db:
            _lock(db, case)
            row = db.execute(
                "SELECT name, dirty FROM patients_casekey WHERE id = %s FOR UPDATE", [case]
            ).fetchone()
            old, dirty = row or ("", False)
            self._destroy_token_keys_except(case, old)  # an interrupted roll may have left others
            rows = db.execute(
                "SELECT id, nonce, wrapped FROM patients_wrappedkey WHERE case_key_id = %s AND live"
                " ORDER BY id FOR UPDATE",
                [case],
            ).fetchall()
            if not old or (rows and not dirty):
                return 0
            if rows:
                new = os.urandom(16).hex()
                self._handles[new] = token.make(self._token_owner(case), bytes.fromhex(new))
                self._at("roll.key-made")
                self._rewrap(db, case, old, new, rows)
                self._at("roll.rows-written")
            db.execute(
                "UPDATE patients_casekey SET name = %s, rolls = rolls + 1, dirty = false WHERE id = %s",
                [new, case],
            )
        self._at("roll.committed")
        # Destroy only this key: another roll of the case may have made its new key by now.
        token.destroy(self._token_owner(case), bytes.fromhex(old))
        self._handles.pop(old, None)
        self._at("roll.old-key-destroyed")
        return len(rows)

    def _rewrap(self, db: Connection, case: UUID, old: str, new: str, rows: list[tuple[Any, ...]]) -> None:
        """Wrap the data keys in `rows` under the case key `new`.

        Errors: KeyStoreDamaged for a live key that does not open: a roll would lose it for good.
        """
        kek, updates = self._case_key(case, new), []
        for key_id, nonce, wrapped in rows:
            dek, new_nonce = self._unwrap(key_id, case, old, nonce, wrapped), os.urandom(12)
            new_wrapped = kek.encrypt(new_nonce, dek, self._associated_data(case, new, key_id))
            updates.append((new_nonce, new_wrapped, key_id))
            dek[:] = bytes(DEK)
        with db.cursor() as cursor:
            cursor.executemany(
                "UPDATE patients_wrappedkey SET nonce = %s, wrapped = %s WHERE id = %s", updates
            )

    def _destroy_token_keys_except(self, case: UUID, name: str) -> None:
        """Destroy the case's keys in the token except `name`. The caller holds the case's advisory lock."""
        token = self._require_token()
        for other in token.names(self._token_owner(case)) - {bytes.fromhex(name)}:
            token.destroy(self._token_owner(case), other)

    def _destroy_leftovers(self) -> None:
        """Destroy the keys in the token that no row names."""
        prefix = f"lacuna {self._store_id.hex} "
        for owner in self._require_token().owners(prefix):
            case = UUID(owner.removeprefix(prefix))
            if case == self._store_id:
                continue
            with self._transaction() as db:
                _lock(db, case)
                name = fetch_value(db, "SELECT name FROM patients_casekey WHERE id = %s", case)
                self._destroy_token_keys_except(case, name or "")

    def _unwrap(self, key_id: UUID, case: UUID, name: str, nonce: bytes, wrapped: bytes) -> bytearray:
        try:
            key = self._case_key(case, name)
            return unwrapped(key, nonce, wrapped, self._associated_data(case, name, key_id), f"key {key_id}")
        except NotInToken:
            self._handles.pop(name, None)
            raise

    def _case_key(self, case: UUID, name: str) -> Kek:
        kek = self._handles.get(name)
        if kek is None:
            kek = self._require_token().key(self._token_owner(case), bytes.fromhex(name))
            if len(self._handles) >= MAX_HANDLES:
                self._handles.clear()
            self._handles[name] = kek
        return kek

    def _token_owner(self, case: UUID) -> str:
        return f"lacuna {self._store_id.hex} {case.hex}"

    def _associated_data(self, case: UUID, name: str, key_id: UUID) -> bytes:
        return b"lacuna case key" + self._store_id.bytes + case.bytes + bytes.fromhex(name) + key_id.bytes

    def _require_token(self) -> "Token":
        """Return the token. Errors: PermissionError in an observer."""
        if self._token is None:
            raise PermissionError("this store is an observer without keys")
        return self._token

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Run one transaction, durable when this ends. Errors: DatabaseUnreachable, and those of its body."""
        try:
            with self._database.transaction() as db:
                yield db
        except OSError:
            self._handles.clear()  # old handles are not valid in a new token session
            raise


def _lock_key(db: Connection, key_id: UUID) -> None:
    """Take a data key's advisory lock. It is held until the transaction ends, so until its key is seen."""
    first, second = (int.from_bytes(key_id.bytes[i : i + 4], "big", signed=True) for i in (0, 12))
    db.execute("SELECT pg_advisory_xact_lock(%s::int, %s::int)", [first, second])


def _lock(db: Connection, case: UUID) -> None:
    """Take the case's advisory lock. It is held until the transaction ends."""
    db.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(case.bytes[:8], "big", signed=True)])
