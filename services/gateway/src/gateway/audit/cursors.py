"""The cursor of the merged list: the place in each log."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from shared.audit import Asked
from shared.cursors import digest_of_filters, read_cursor, write_cursor
from shared.db import Reader


@dataclass(frozen=True, slots=True)
class Cursors:
    """Cursors of one list: of these rows, in this order, while the gateway's database has the epoch that it has."""

    db: Reader
    sort: str
    asked: Asked

    def write(self, places: Mapping[str, str] | None) -> str | None:
        """The cursor of a page that begins at these places; none of no page."""
        if places is None:
            return None
        told = " ".join(f"{name} {place}" for name, place in sorted(places.items()))
        return write_cursor(self.db.epoch, f"audit {self.sort}", digest_of_filters(asdict(self.asked)), (told, 0))

    def read(self, cursor: str | None) -> dict[str, str]:
        """The places that a cursor holds. Raises BadRequest naming `cursor`, Gone."""
        if cursor is None:
            return {}
        told = str(read_cursor(cursor, self.db, f"audit {self.sort}", digest_of_filters(asdict(self.asked))).key).split()
        return dict(zip(told[::2], told[1::2], strict=False))
