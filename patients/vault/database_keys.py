"""The key store of several machines: data keys in PostgreSQL, under a key per case that a token alone holds.

A database can't forget a row: what `destroy` erases stays in heap, write-ahead log, replicas and backups
(ERASURE.md has the figures). So at the end of each step `roll_case` wraps the case's survivors under a new
key and destroys the old one inside the token, and with it every residue of the case, wherever it lies.

Order of a roll: the new key, in the token; the survivors' rows and the new key's name, in one transaction,
whose commit decides; the old key's end. Whatever died in between left a key in the token that no row names;
it is destroyed when the case is rolled next, and when a store is opened.

Its connections are its own: what it promises holds whatever becomes of the caller's transaction. Locks are
taken in one order: a case's advisory lock (held by whoever makes or destroys its keys in the token), its row,
its keys'.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation

from patients.vault.connections import Connection, OwnConnections, value_of
from patients.vault.keys import (
    Attestation,
    KeyExists,
    KeyGone,
    KeyStoreDamaged,
    KeyStoreState,
    NotInToken,
    Rolled,
    VolumeWarning,
)
from patients.vault.replicas import DEK, Kek, unwrapped

if TYPE_CHECKING:
    from patients.vault.token import Token

HOUSE = b"house"
HANDLES = 4096  # keys in the token whose handles are remembered

OF_ID = """
    SELECT k.id, c.id, c.name, k.nonce, k.wrapped
    FROM patients_wrappedkey k JOIN patients_casekey c ON c.id = k.case_key_id
    WHERE k.live AND k.id = ANY(%s)"""
ANY_LEFT = "SELECT EXISTS (SELECT FROM patients_wrappedkey WHERE case_key_id = %s AND live)"


class DatabaseKeyStore:
    """A `KeyStore` for any number of machines, on one PostgreSQL database and one token (a network HSM).

    `database` is Django's dictionary of the connection; `token` None for a store to look at, which neither
    writes nor opens a key. An object serves one process, all its threads; `slot` is None in what it attests.
    `at` is called with the name of each point a crash may fall on.

    Errors: KeyStoreDamaged also where the token is not the one that holds this database's keys.
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
        self._house = UUID(int=0)
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def create(self, key_id: UUID, case: UUID | None = None) -> bytes:
        owner, dek = case or key_id, os.urandom(DEK)
        self._opened()
        while True:
            with self._transaction() as db:
                name = value_of(db, "SELECT name FROM patients_casekey WHERE id = %s FOR SHARE", owner)
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
        self._opened()
        while left:
            with self._database.single() as db:
                rows = db.execute(OF_ID, [left]).fetchall()
            left = []
            for key_id, case, name, nonce, wrapped in rows:
                try:
                    found[key_id] = bytes(self._unwrapped(key_id, case, name, nonce, wrapped))
                except NotInToken as error:
                    # Rolled since the row was read? Then it has another key by now; else the token lost it.
                    if names.get(key_id) == name:
                        raise KeyStoreDamaged(
                            f"the token does not hold the key that key {key_id} is wrapped under"
                        ) from error
                    names[key_id] = name
                    left.append(key_id)
        return found

    def destroy(self, key_id: UUID) -> bool:
        self._opened()
        with self._transaction() as db:
            case = value_of(db, "SELECT case_key_id FROM patients_wrappedkey WHERE id = %s", key_id)
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
            left = value_of(db, ANY_LEFT, case)
            self._at("destroy.written")
        self._at("destroy.durable")
        if not left:
            self._roll(case)  # nothing survives it, so nothing has to wait for the step's end
        return bool(ended)

    def roll_case(self, case: UUID) -> int:
        self._opened()
        return self._roll(case)

    def roll_epoch(self) -> Rolled:
        """Roll every case that something was destroyed of, and forget the ids of destroyed keys."""
        self._opened()
        with self._transaction() as db:
            cases = db.execute(
                "SELECT c.id FROM patients_casekey c WHERE c.dirty OR (c.name <> '' AND NOT EXISTS"
                " (SELECT FROM patients_wrappedkey k WHERE k.case_key_id = c.id AND k.live)) ORDER BY c.id"
            ).fetchall()
        survivors = sum(self._roll(case) for (case,) in cases)
        self._destroy_leftovers()
        with self._transaction() as db:
            # What was destroyed meanwhile left its case dirty, and stays for the next roll.
            dropped = db.execute(
                "DELETE FROM patients_wrappedkey k USING patients_casekey c"
                " WHERE c.id = k.case_key_id AND NOT c.dirty AND NOT k.live"
            ).rowcount
            db.execute(
                "DELETE FROM patients_casekey c WHERE c.name = '' AND NOT EXISTS"
                " (SELECT FROM patients_wrappedkey k WHERE k.case_key_id = c.id)"
            )
            epoch = value_of(
                db, "UPDATE patients_keyhouse SET epoch = epoch + 1 WHERE id = %s RETURNING epoch", 1
            )
        return Rolled(epoch, survivors, dropped)

    def attest(self, key_id: UUID) -> Attestation:
        with self._transaction() as db:
            live = value_of(db, "SELECT live FROM patients_wrappedkey WHERE id = %s", key_id)
            epoch = value_of(db, "SELECT epoch FROM patients_keyhouse WHERE id = %s", 1)
        if live is None:
            return Attestation(key_id, "absent", None, epoch)
        return Attestation(key_id, "live" if live else "destroyed", None, epoch)

    def ids(self) -> Iterator[UUID]:
        with self._database.single() as db:
            rows = db.execute("SELECT id FROM patients_wrappedkey WHERE live").fetchall()
        return iter([key_id for (key_id,) in rows])

    def state(self) -> KeyStoreState:
        with self._transaction() as db:
            live, gone = db.execute(
                "SELECT count(*) FILTER (WHERE live), count(*) FILTER (WHERE NOT live)"
                " FROM patients_wrappedkey"
            ).fetchone() or (0, 0)
            epoch = value_of(db, "SELECT epoch FROM patients_keyhouse WHERE id = %s", 1)
            synced = value_of(db, "SELECT current_setting('fsync') = %s", "on")
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

    def lost(self) -> list[UUID]:
        """Live rows that no key in the token opens: a restored database brings them back.

        Their data keys ended with the roll that destroyed the key they are wrapped under.
        """
        token, lost = self._opened(), []
        with self._transaction() as db:
            rows = db.execute(
                "SELECT c.id, c.name, array_agg(k.id) FROM patients_wrappedkey k"
                " JOIN patients_casekey c ON c.id = k.case_key_id WHERE k.live GROUP BY c.id, c.name"
            ).fetchall()
        for case, name, ids in rows:
            if bytes.fromhex(name) not in token.names(self._owner(case)):
                lost += ids
        return lost

    def close(self) -> None:
        self._database.close()
        self._handles.clear()

    def _begin(self) -> None:
        """Learn this house's name, or give it one; look that the token is its own; end what crashes left."""
        with self._transaction() as db:
            if self._token is not None:
                db.execute(
                    "INSERT INTO patients_keyhouse (id, name, epoch) VALUES (1, %s, 1)"
                    " ON CONFLICT DO NOTHING",
                    [uuid4()],
                )
            house = value_of(db, "SELECT name FROM patients_keyhouse WHERE id = %s", 1)
            if house is None:
                raise KeyStoreDamaged("there is no key store in this database")
            self._house = house
            if self._token is None:
                return
            if HOUSE not in self._token.names(self._owner(house)):
                if value_of(db, "SELECT EXISTS (SELECT FROM patients_casekey WHERE name <> %s)", ""):
                    raise KeyStoreDamaged("the token is not the one that holds this database's keys")
                self._token.make(self._owner(house), HOUSE)
        self._destroy_leftovers()

    def _insert(self, db: Connection, key_id: UUID, case: UUID, name: str, dek: bytes) -> None:
        nonce = os.urandom(12)
        wrapped = self._key(case, name).encrypt(nonce, dek, self._bound(case, name, key_id))
        try:
            with db.transaction():
                db.execute(
                    "INSERT INTO patients_wrappedkey (id, case_key_id, live, nonce, wrapped)"
                    " VALUES (%s, %s, true, %s, %s)",
                    [key_id, case, nonce, wrapped],
                )
        except UniqueViolation:
            live = value_of(db, "SELECT live FROM patients_wrappedkey WHERE id = %s", key_id)
            raise (KeyExists(key_id) if live else KeyGone(key_id)) from None

    def _make_case_key(self, case: UUID) -> None:
        """Make the key of a case that has none; durable on return."""
        with self._transaction() as db:
            _lock(db, case)
            db.execute(
                "INSERT INTO patients_casekey (id, name, rolls, dirty) VALUES (%s, '', 0, false)"
                " ON CONFLICT DO NOTHING",
                [case],
            )
            if value_of(db, "SELECT name FROM patients_casekey WHERE id = %s FOR UPDATE", case):
                return
            self._keep_only(case, "")
            name = os.urandom(16).hex()
            self._opened().make(self._owner(case), bytes.fromhex(name))
            self._at("begin.key-made")
            db.execute("UPDATE patients_casekey SET name = %s WHERE id = %s", [name, case])
        self._at("begin.committed")

    def _roll(self, case: UUID) -> int:
        token, new = self._opened(), ""
        with self._transaction() as db:
            _lock(db, case)
            row = db.execute(
                "SELECT name, dirty FROM patients_casekey WHERE id = %s FOR UPDATE", [case]
            ).fetchone()
            old, dirty = row or ("", False)
            self._keep_only(case, old)  # what a roll that was broken off left
            rows = db.execute(
                "SELECT id, nonce, wrapped FROM patients_wrappedkey WHERE case_key_id = %s AND live"
                " ORDER BY id FOR UPDATE",
                [case],
            ).fetchall()
            if not old or (rows and not dirty):
                return 0
            if rows:
                new = os.urandom(16).hex()
                self._handles[new] = token.make(self._owner(case), bytes.fromhex(new))
                self._at("roll.key-made")
                self._rewrap(db, case, old, new, rows)
                self._at("roll.rows-written")
            db.execute(
                "UPDATE patients_casekey SET name = %s, rolls = rolls + 1, dirty = false WHERE id = %s",
                [new, case],
            )
        self._at("roll.committed")
        # This one alone: another roll of the case may have made its next key by now.
        token.destroy(self._owner(case), bytes.fromhex(old))
        self._handles.pop(old, None)
        self._at("roll.old-key-destroyed")
        return len(rows)

    def _rewrap(self, db: Connection, case: UUID, old: str, new: str, rows: list[tuple[Any, ...]]) -> None:
        """Errors: KeyStoreDamaged for a live key that does not open: a roll would lose it for good."""
        kek, fresh = self._key(case, new), []
        for key_id, nonce, wrapped in rows:
            dek, number = self._unwrapped(key_id, case, old, nonce, wrapped), os.urandom(12)
            fresh.append((number, kek.encrypt(number, dek, self._bound(case, new, key_id)), key_id))
            dek[:] = bytes(DEK)
        with db.cursor() as cursor:
            cursor.executemany("UPDATE patients_wrappedkey SET nonce = %s, wrapped = %s WHERE id = %s", fresh)

    def _keep_only(self, case: UUID, name: str) -> None:
        """Destroy the case's keys in the token but one. For whoever holds the case's advisory lock."""
        token = self._opened()
        for other in token.names(self._owner(case)) - {bytes.fromhex(name)}:
            token.destroy(self._owner(case), other)

    def _destroy_leftovers(self) -> None:
        prefix = f"lacuna {self._house.hex} "
        for owner in self._opened().owners(prefix):
            case = UUID(owner.removeprefix(prefix))
            if case == self._house:
                continue
            with self._transaction() as db:
                _lock(db, case)
                named = value_of(db, "SELECT name FROM patients_casekey WHERE id = %s", case)
                self._keep_only(case, named or "")

    def _unwrapped(self, key_id: UUID, case: UUID, name: str, nonce: bytes, wrapped: bytes) -> bytearray:
        try:
            key = self._key(case, name)
            return unwrapped(key, nonce, wrapped, self._bound(case, name, key_id), f"key {key_id}")
        except NotInToken:
            self._handles.pop(name, None)
            raise

    def _key(self, case: UUID, name: str) -> Kek:
        kek = self._handles.get(name)
        if kek is None:
            kek = self._opened().key(self._owner(case), bytes.fromhex(name))
            if len(self._handles) >= HANDLES:
                self._handles.clear()
            self._handles[name] = kek
        return kek

    def _owner(self, case: UUID) -> str:
        return f"lacuna {self._house.hex} {case.hex}"

    def _bound(self, case: UUID, name: str, key_id: UUID) -> bytes:
        return b"lacuna case key" + self._house.bytes + case.bytes + bytes.fromhex(name) + key_id.bytes

    def _opened(self) -> "Token":
        if self._token is None:
            raise PermissionError("this store was opened to look at, without its keys")
        return self._token

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """One transaction, durable when this ends. Errors: DatabaseUnreachable, and what is done in it."""
        try:
            with self._database.transaction() as db:
                yield db
        except OSError:
            self._handles.clear()  # the token may have begun a new session, which knows no old handle
            raise


def _lock(db: Connection, case: UUID) -> None:
    """Hold the case's advisory lock until the transaction ends."""
    db.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(case.bytes[:8], "big", signed=True)])
