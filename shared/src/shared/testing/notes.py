"""A complete service, small: what `services/*` do, on a dictionary instead of a database. Tests of the web part run it.

`python -m shared.testing.notes serve` serves it; `NOTES_TROUBLE=true` adds the routes of `shared.testing.trouble`.
"""

import sys
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from quart import Blueprint, Response

from shared.bodies import Body
from shared.cli import main
from shared.config import Port, ServiceSettings, load
from shared.errors import NotFound
from shared.etags import if_match, not_modified
from shared.operations import READ, WRITE, operation
from shared.responses import created, respond
from shared.service import Service, create_service
from shared.shedding import Limiter
from shared.testing import trouble

Text = Annotated[str, Meta(min_length=1, max_length=100)]
notes: dict[int, dict[str, Any]] = {}
routes = Blueprint("notes", __name__)


class Settings(ServiceSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    port: Port = 8099
    trouble: bool = False


class NewNote(Body):
    text: Text
    stars: Annotated[int, Meta(ge=0, le=5)] = 0


class NotePatch(Body):
    text: Text | UnsetType = UNSET
    stars: Annotated[int, Meta(ge=0, le=5)] | UnsetType = UNSET


class Note(msgspec.Struct):
    id: int
    version: int
    text: Text
    stars: int


class NoteList(msgspec.Struct):
    items: list[Note]


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    id: Annotated[list[int], Meta(max_length=100)] | None = None


@routes.get("/v1/notes")
@operation(allow=READ, query=ListQuery, responses={200: NoteList})
async def list_notes(query: ListQuery) -> Response:
    """Notes, all or some."""
    found = [note for key, note in notes.items() if query.id is None or key in query.id]
    return respond({"items": found[: query.limit]})


@routes.get("/v1/notes/<int:note_id>")
@operation(allow=READ, responses={200: Note, 304: None})
async def get_note(note_id: int) -> Response:
    """One note."""
    note = _note(note_id)
    return not_modified(note["version"]) or respond(note, version=note["version"])


@routes.post("/v1/notes")
@operation(allow=WRITE, body=NewNote, responses={201: Note})
async def create_note(body: NewNote) -> Response:
    """Write a note."""
    note_id = len(notes) + 1
    notes[note_id] = {"id": note_id, "version": 1} | msgspec.structs.asdict(body)
    return created(notes[note_id], f"/v1/notes/{note_id}", version=1)


@routes.patch("/v1/notes/<int:note_id>")
@operation(allow=WRITE, body=NotePatch, responses={200: Note}, problems=(412,))
async def patch_note(note_id: int, body: NotePatch) -> Response:
    """Change some of a note (merge patch)."""
    note = _note(note_id)
    if_match().check(note["version"])
    note |= {"version": note["version"] + 1} | {name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET}
    return respond(note, version=note["version"])


def _note(note_id: int) -> dict[str, Any]:
    if note_id not in notes:
        raise NotFound(f"there is no note {note_id}")
    return notes[note_id]


def create_app(settings: Settings | None = None) -> Service:
    settings = settings or load(Settings, "NOTES")
    limiter = Limiter(least=settings.concurrency_least, most=settings.concurrency_most)
    return create_service("notes", settings, [routes, *([trouble.routes] if settings.trouble else [])], limiter=limiter)


if __name__ == "__main__":
    sys.exit(main("notes", create_app, Settings))
