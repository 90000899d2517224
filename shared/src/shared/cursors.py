"""Cursors: where in a list a page ended, told to a client who hands it back.

Opaque: base64url of JSON with the epoch, the sort, a digest of the filters, and the last row's key and id, and a checksum in front. That of
a list as it was at one instant has the instant too, so that all of its pages show the same.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from shared.db import Reader
from shared.db.query import check_value
from shared.errors import BadRequest, Gone


class _Written(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What a cursor says, in this order."""

    epoch: str
    sort: str
    filters: str
    key: str | int
    id: int
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list a page begins: after the row with this key and id."""

    key: Any
    id: int


def cursor_at(db: Reader, sort: str, parameters: Mapping[str, Any], key: int, id_: int) -> str:
    """The cursor after a row of a list that is no Listing; `sort` names it and its order, `parameters` what else makes it this one."""
    return write_cursor(db.epoch, sort, digest_of_filters(parameters), (key, id_), db.at)


def place_of(db: Reader, sort: str, parameters: Mapping[str, Any], cursor: str) -> tuple[int, int]:
    """Key and id of the row that such a cursor stands after. Raises BadRequest and Gone as `Listing.page` does."""
    place = read_cursor(cursor, db, sort, digest_of_filters(parameters))
    if not isinstance(place.key, int):
        raise BadRequest.of("cursor", "is not a cursor of this list")
    return place.key, place.id


def digest_of_filters(parameters: Mapping[str, Any]) -> str:
    """A short name for the filters in force."""
    try:
        return sha256(msgspec.json.encode(sorted(parameters.items()))).hexdigest()[:16]
    except (UnicodeEncodeError, OverflowError):
        for name, value in parameters.items():
            check_value(name, value)
        raise


def write_cursor(epoch: str, sort: str, filters: str, place: Sequence[Any], at: str | None = None) -> str:
    """A cursor after the row with this key and id, in a list as it was at an instant, or as it is (None)."""
    document = msgspec.json.encode([epoch, sort, filters, *place, *([] if at is None else [at])])
    return base64.urlsafe_b64encode(sha256(document).digest()[:6] + document).decode().rstrip("=")


def read_cursor(cursor: str, db: Reader, sort: str, filters: str) -> Place:
    """Where a cursor stands. Raises BadRequest naming ``cursor`` for an altered one or another list's, Gone for one of another epoch."""
    found = _read(cursor)
    if found.epoch != db.epoch:
        raise Gone("cursor: it is from before the database was restored; read the list from its beginning")
    if (found.sort, found.filters, found.at) != (sort, filters, db.at):
        raise BadRequest.of("cursor", "belongs to a list with another sort or other filters")
    return Place(found.key, found.id)


def instant_of(cursor: str) -> str | None:
    """The instant of the list that a cursor belongs to; None for the list as it is. Raises BadRequest naming ``cursor``."""
    return _read(cursor).at


def _read(cursor: str) -> _Written:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if sha256(raw[6:]).digest()[:6] != raw[:6] or base64.urlsafe_b64encode(raw).decode().rstrip("=") != cursor:
            raise ValueError("altered")
        return msgspec.json.decode(raw[6:], type=_Written)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise BadRequest.of("cursor", "is not a cursor of this list") from error
