"""Teams and their memberships on the database: reads are coroutines of a Database, writes are units of a Connection."""

from shared.audit import Audit
from shared.feed import Feed, FeedEntity
from shared.idempotency import Idempotency
from teams.models import FIELDS, MEMBERSHIP_FIELDS, log, memberships_versions, teams_versions
from teams.store import members, teams

FEED = Feed("/teams", log, {"team": FeedEntity(teams_versions, FIELDS), "membership": FeedEntity(memberships_versions, MEMBERSHIP_FIELDS)})
ONCE = Idempotency(log)
AUDIT = Audit(log, [teams.RECORDS, members.RECORDS])

__all__ = ["AUDIT", "FEED", "ONCE"]
