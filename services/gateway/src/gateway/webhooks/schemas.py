"""What goes in and out of the operations on webhooks."""

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.feed.schemas import Entity
from gateway.schemas.fields import Cursor, Id, Limit, Moment, Text

MAX_URL: Final = 2_000
Url = Annotated[
    str,
    Meta(
        min_length=9,
        max_length=MAX_URL,
        pattern=r"^https?:[!-~]+(?!\n)$",
        description="https, without a user, a password or a fragment; http only where private addresses are allowed.",
        extra={"expected": "an address like https://hooks.example.org/roster"},
    ),
]
Entities = Annotated[list[Entity], Meta(min_length=1, max_length=3)]
Description = Annotated[str, Meta(min_length=1, max_length=200)]
Secret = Annotated[str, Meta(pattern=r"^whsec_[A-Za-z0-9+/=]{32,88}$", min_length=38, max_length=94)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class WebhookBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new webhook. It begins with what happens after it was made, or from the beginning (`replay`)."""

    url: Url
    entities: Entities | UnsetType = UNSET
    description: Description | None = None
    replay: bool = False


class WebhookPatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be another. `enabled: true` tries again at once, from where it was."""

    url: Url | UnsetType = UNSET
    entities: Entities | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class Webhook(Struct, kw_only=True):
    """A webhook. One that is not `enabled` by itself says the `reason`."""

    id: Id
    url: Url
    description: Description | None
    entities: Entities
    enabled: bool
    reason: Text | None
    version: Id
    created_at: Moment
    updated_at: Moment


class NewWebhook(Webhook, kw_only=True):
    """A webhook that was just made; its `secret` is shown this once: null when the request is repeated with its Idempotency-Key."""

    secret: Secret | None


class WebhookPage(Struct, frozen=True, kw_only=True):
    items: Annotated[list[Webhook], Meta(max_length=200)]
    next: Cursor | None
    total: Count | UnsetType = UNSET


class PageQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page."""

    limit: Limit = 50
    cursor: Cursor | None = None
    count: bool = False


class NewSecret(Struct, frozen=True, kw_only=True):
    """The secret in force, shown this once; deliveries are signed with the one before, too, until `previous_until`."""

    secret: Secret
    previous_until: Moment


class Delivery(Struct, frozen=True, kw_only=True):
    """One attempt. `message_id` is the `webhook-id` that was sent, the same in each attempt; `status` is what the receiver answered."""

    id: Id
    message_id: Text
    type: Text
    subject: Text
    attempt: Id
    at: Moment
    delivered: bool
    status: Annotated[int, Meta(ge=100, le=999)] | None
    error: Text | None
    duration_ms: Count


class DeliveryPage(Struct, frozen=True, kw_only=True):
    items: Annotated[list[Delivery], Meta(max_length=200)]
    next: Cursor | None
    total: Count | UnsetType = UNSET


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """A stored webhook as it is answered."""
    document = {name: record[name] for name in Webhook.__struct_fields__}
    return document | {"entities": record["entities"].split(",")}
