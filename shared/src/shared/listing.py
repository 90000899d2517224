"""The answer of a list: a page of items, where the next one is, and how many there are when that was asked for."""

from collections.abc import Callable, Sequence
from typing import Any

from quart import Response, request

from shared.pages import Page, next_link
from shared.responses import respond


def respond_page(page: Page, shape: Callable[..., Any] | None = None, *, fields: Sequence[str] | None = None) -> Response:
    """`{"items": […], "next": …}`, `total` when it was counted, and a Link to the next page (RFC 8288).

    `shape` makes an item of a row's columns (none: a dict by their names); with `fields`, an item has only those.
    """
    document: dict[str, Any] = {"items": _items(page, shape, fields), "next": page.next}
    if page.total is not None:
        document["total"] = page.total
    if page.next is None:
        return respond(document)
    arguments = [(name, value) for name, values in request.args.lists() for value in values]
    return respond(document, headers={"Link": next_link(request.path, arguments, page.next)})


def respond_entries(page: Page) -> Response:
    """The same for a page whose rows are documents already."""
    return respond_page(page, lambda entry: entry)


def only(document: dict[str, Any], fields: Sequence[str] | None) -> dict[str, Any]:
    """A document with just these fields, in its own order; all of them for None."""
    return document if fields is None else {name: value for name, value in document.items() if name in fields}


def _items(page: Page, shape: Callable[..., Any] | None, fields: Sequence[str] | None) -> list[Any]:
    if fields is not None:
        return [only(item, fields) for item in page.items()]
    return page.items() if shape is None else [shape(*row) for row in page.rows]
