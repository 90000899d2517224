"""What a change of a record leaves in one transaction: its current row, a row among its versions, and a row in the log.

Every entity has a table with the columns ``id``, ``version``, ``created_at`` and ``updated_at`` beside its own, and a versions table made
by `versions`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Table, and_, bindparam, delete, func, insert, or_, select, text, update

from shared.changes import Author, Change, Kind, LogTables, digest_of
from shared.db import Connection, Query, StoreError

Record = dict[str, Any]
_SHAPES = 256
FIRST: Final = text("version = 1")
"""Where a record began. Spelled out in indexes and in statements, for a planner knows them by their text."""


def versions(table: Table) -> Table:
    """The table of every state that an entity's records had: all its columns, the change that began a state, and the one that ended it
    (null: current).
    """
    columns = [
        Column(
            column.name,
            column.type,
            primary_key=column.name in ("id", "version"),
            nullable=column.name not in ("id", "version"),
            autoincrement=False,
        )
        for column in table.columns
    ]
    name = f"{table.name}_versions"
    made = Table(
        name, table.metadata, *columns, Column("seq_from", BigInteger, nullable=False), Column("seq_to", BigInteger, nullable=True)
    )
    Index(f"ix_{name}_seq_from", made.c.seq_from, unique=True)
    return made


def index_versions(versions: Table, *filters: str) -> None:
    """Declare what reads of the past go by: a record or a page by id, where ids end at one instant, and each of the filters, with pages
    by id. `shared.migrate.create_version_indexes` makes them.
    """
    Index(f"ix_{versions.name}_id", versions.c.id, versions.c.seq_from, versions.c.seq_to)
    Index(f"ix_{versions.name}_first", versions.c.seq_from, versions.c.id, sqlite_where=FIRST, postgresql_where=FIRST)
    for name in filters:
        Index(f"ix_{versions.name}_{name}", versions.c[name], versions.c.id, versions.c.seq_from)


class Records:
    """One entity's records.

    ``computed`` gives the key columns that follow from a record's other fields: they are stored with it, and are no part of what its digest
    covers. ``erased`` gives, for an id, what takes the place of the personal columns of someone whose data are erased, key columns
    included; an entity without it holds nothing personal.
    """

    def __init__(
        self,
        entity: str,
        table: Table,
        versions: Table,
        log: LogTables,
        computed: Callable[[Mapping[str, Any]], dict[str, Any]] = lambda record: {},
        erased: Callable[[int], dict[str, Any]] | None = None,
    ) -> None:
        self.entity = entity
        self.table = table
        self.versions = versions
        self.columns = tuple(column.name for column in table.columns)
        self._blank = dict.fromkeys(self.columns)
        self._last = f"last id of {entity}"
        self.computed = computed
        self.erased = erased
        self._log = log
        is_this = table.c.id == bindparam("record_id")
        self._get = Query(select(table).where(is_this))
        self._insert = Query(insert(table))
        self._delete = Query(delete(table).where(is_this))
        self._updates: dict[tuple[str, ...], Query] = {}
        self._last_id = Query(select(func.coalesce(func.max(versions.c.id), 0)))
        self._insert_version = Query(insert(versions))
        ended = and_(versions.c.id == bindparam("record_id"), versions.c.version == bindparam("record_version"))
        self._end_version = Query(update(versions).where(ended).values(seq_to=bindparam("ended")))
        of_record = versions.c.id == bindparam("record_id")
        states = select(*(versions.c[name] for name in self.columns)).where(of_record)
        self._last_version = Query(states.order_by(versions.c.version.desc()).limit(1))
        if erased is not None:
            blank = {name: bindparam(f"blank_{name}", type_=versions.c[name].type) for name in erased(0)}
            tells = or_(*(versions.c[name].is_distinct_from(value) for name, value in blank.items()))
            self._tell = Query(select(func.count()).select_from(versions).where(of_record, tells))
            self._blank_versions = Query(update(versions).where(of_record, tells).values(blank))

    def get(self, conn: Connection, id_: int) -> Record | None:
        """The current row as a dict with every column, or None."""
        row = conn.one(self._get, record_id=id_)
        return None if row is None else self.record(row)

    def record(self, row: Sequence[Any]) -> Record:
        """A row of ``select(table)`` as a dict."""
        return dict(zip(self.columns, row, strict=True))

    def add(self, conn: Connection, values: Mapping[str, Any], author: Author) -> Record:
        """Create a record; it as stored. Absent fields are null; id, version and the times are given here. Raises UniqueViolation."""
        row = self._new(conn, values, author)
        conn.run(self._insert, **row)
        return row

    def add_many(self, conn: Connection, rows: Iterable[Mapping[str, Any]], author: Author) -> list[Record]:
        """Create many records as cheaply as can be. Raises UniqueViolation for the first that can't be: then none is stored."""
        made = [self._new(conn, values, author) for values in rows]
        conn.run_many(self._insert, made)
        return made

    def change(self, conn: Connection, before: Record, values: Mapping[str, Any], author: Author) -> Record:
        """Give a record (as `get` returned it in this unit) new values; it as stored.

        Where nothing differs nothing is written, and ``before`` itself comes back. Raises UniqueViolation.
        """
        changed = {name: value for name, value in values.items() if before[name] != value}
        if not changed:
            return before
        return self._rewrite(conn, before, changed, "updated", author)

    def erase(self, conn: Connection, id_: int, values: Mapping[str, Any], author: Author) -> Record | None:
        """Blank what a record and all its states say of a person, and give it these values too; the record as it is then.

        Of one that was deleted, its last state; None where there never was one. Where nothing is left to erase, nothing is written. Runs
        in a `large` unit only: what was written before it must be in the table.
        """
        assert self.erased is not None, f"{self.entity} holds nothing personal"
        before, last = self.get(conn, id_), conn.one(self._last_version, record_id=id_)
        if last is None:
            return None
        blank = self.erased(id_)
        told = {f"blank_{name}": value for name, value in blank.items()}
        tells = (conn.one(self._tell, record_id=id_, **told) or (0,))[0]
        if tells:
            conn.run(self._blank_versions, record_id=id_, **told)
        if before is None:
            gone = {**self.record(last), **blank}
            if tells:
                self._log_change(conn, "erased", {**gone, "version": gone["version"] + 2}, self._log.next(conn), digest_of({}), author)
            return gone
        after = {**blank, **values}
        if not tells and all(before[name] == value for name, value in after.items()):
            return before
        return self._rewrite(conn, before, after, "erased", author)

    def remove(self, conn: Connection, before: Record, author: Author) -> None:
        """Delete a record (as `get` returned it in this unit). Its id is never given again; the log counts this as one version more."""
        if conn.run(self._delete, record_id=before["id"]) != 1:
            raise StoreError(f"{self.entity} {before['id']} is not there to be removed")
        seq, at = self._log.next(conn)
        self._end(conn, before, seq)
        self._note(conn, "deleted", {**before, "version": before["version"] + 1}, (seq, at), self.computed(before), author)

    def next_id(self, conn: Connection) -> int:
        """The id that the next new record of this unit will have; those after it count on from there."""
        last: int | None = conn.memo.get(self._last)
        if last is None:
            last = (conn.one(self._last_id) or (0,))[0]
            conn.memo[self._last] = last
        return last + 1

    def _new(self, conn: Connection, values: Mapping[str, Any], author: Author) -> Record:
        seq, at = self._log.next(conn)
        id_ = conn.memo[self._last] = self.next_id(conn)
        record = {**self._blank, **values, "id": id_, "version": 1, "created_at": at, "updated_at": at}
        computed = self.computed(record)
        record |= computed
        self._begin(conn, record, seq)
        self._note(conn, "created", record, (seq, at), computed, author)
        return record

    def _rewrite(self, conn: Connection, before: Record, values: Mapping[str, Any], kind: Kind, author: Author) -> Record:
        seq, at = self._log.next(conn)
        record = {**before, **values, "version": before["version"] + 1, "updated_at": at}
        computed = self.computed(record)
        record |= computed
        written = {name: value for name, value in record.items() if value != before[name] or name == "updated_at"}
        if conn.run(self._update(tuple(written)), record_id=before["id"], **written) != 1:
            raise StoreError(f"{self.entity} {before['id']} is not there to be changed")
        self._end(conn, before, seq)
        self._begin(conn, record, seq)
        self._note(conn, kind, record, (seq, at), computed, author)
        return record

    def _begin(self, conn: Connection, record: Record, seq: int) -> None:
        conn.defer(self._insert_version, {**record, "seq_from": seq, "seq_to": None})

    def _end(self, conn: Connection, before: Record, seq: int) -> None:
        conn.defer(self._insert_version)  # first: what is ended may have begun in this same transaction
        conn.defer(self._end_version, {"record_id": before["id"], "record_version": before["version"], "ended": seq})

    def _note(
        self, conn: Connection, kind: Kind, record: Record, place: tuple[int, str], computed: Mapping[str, Any], author: Author
    ) -> None:
        digest = digest_of({name: value for name, value in record.items() if name not in computed})
        self._log_change(conn, kind, record, place, digest, author)

    def _log_change(self, conn: Connection, kind: Kind, record: Record, place: tuple[int, str], digest: str, author: Author) -> None:
        seq, at = place
        change = Change(seq, at, self.entity, record["id"], record["version"], kind, author.actor, author.request_id)
        self._log.append(conn, change, digest, author.name)

    def _update(self, names: tuple[str, ...]) -> Query:
        """An UPDATE of just these columns, so that the indexes over others are left alone."""
        found = self._updates.get(names)
        if found is None:
            if len(self._updates) >= _SHAPES:
                self._updates.clear()
            values: dict[str, Any] = {name: bindparam(name) for name in names}
            found = self._updates[names] = Query(update(self.table).where(self.table.c.id == bindparam("record_id")).values(values))
        return found
