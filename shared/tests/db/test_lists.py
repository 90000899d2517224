"""Lists as one parameter, inside a unit."""

from sqlalchemy import BigInteger, bindparam, column, func, select, union_all

from shared.db import Connection, Database, Query, any_of

SIZES = [[1], [1, 40_000], [40_000, 1], [2**31, 1], [2**63 - 1, -(2**63)], list(range(500)), [], [7]]

NUMBERS = (1, 7, 2**31, 2**63 - 1)
_selects = [select(bindparam(f"n{at}", number, type_=BigInteger).label("n")) for at, number in enumerate(NUMBERS)]
_numbers = union_all(*_selects).subquery()
FOUND = Query(select(func.count()).select_from(_numbers).where(any_of(column("n", BigInteger), "wanted")))


async def test_a_list_may_hold_integers_of_every_size(db: Database) -> None:
    def unit(conn: Connection) -> list[int]:
        return [row[0] for wanted in SIZES for row in conn.all(FOUND, wanted=wanted)]

    expected = [len(set(NUMBERS) & set(wanted)) for wanted in SIZES]
    assert await db.write(unit) == expected
    assert [(await db.all(FOUND, wanted=wanted))[0][0] for wanted in SIZES] == expected
