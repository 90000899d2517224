"""The tables of the gateway. Columns are primitive and compare alike on SQLite and PostgreSQL (design, section 5).

`accounts` and `tokens` have a history and stand in the change log; what a password or a token looks like stands in `passwords` and
`token_digests`, which have neither, so that nothing of it is kept longer than it is valid. Sessions have no history, but their beginning
and their end are in the log. `links` and `follower` are what is known from the feed of employees.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint

from shared.changes import log_tables
from shared.db import exact_text
from shared.following import follower_table
from shared.records import versions

metadata = MetaData()
log = log_tables(metadata)

accounts = Table(
    "accounts",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("username", Text, nullable=False),
    Column("username_key", exact_text(), nullable=False),  # casefolded, for uniqueness and sorting
    Column("role", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("generation", Integer, nullable=False),  # counts up whenever all sessions of the account must end
    Column("employee_id", BigInteger),  # whose account it is; employees are another service's: no foreign key
    Column("oidc_subject", exact_text()),  # who may log in to it by OpenID Connect: the issuer, a space, its name for them
    Column("version", Integer, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("updated_at", exact_text(), nullable=False),
    UniqueConstraint("username_key", name="uq_accounts_username_key"),
)

Index("uq_accounts_oidc_subject", accounts.c.oidc_subject, unique=True)

accounts_versions = versions(accounts)

passwords = Table(
    "passwords",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", exact_text(), primary_key=True),  # SHA-256 of the session id: whoever reads the table holds no session
    Column("id", BigInteger, nullable=False),  # what people call it: the place in the log of its beginning
    Column("account_id", BigInteger, ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("seen_at", exact_text(), nullable=False),  # written at most once a minute
    Column("user_agent", Text),
    UniqueConstraint("id", name="uq_sessions_id"),
)
Index("ix_sessions_account_id", sessions.c.account_id)
Index("ix_sessions_seen_at", sessions.c.seen_at)

tokens = Table(
    "tokens",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("expires_at", exact_text()),
    Column("version", Integer, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("updated_at", exact_text(), nullable=False),
)
Index("ix_tokens_account_id", tokens.c.account_id)

tokens_versions = versions(tokens)

token_digests = Table(
    "token_digests",
    metadata,
    Column("digest", exact_text(), primary_key=True),  # SHA-256 of the token, which is random enough to need no slower hash
    Column("token_id", BigInteger, ForeignKey("tokens.id", ondelete="CASCADE"), nullable=False),
    Column("used_at", exact_text()),  # written at most once a minute
    UniqueConstraint("token_id", name="uq_token_digests_token_id"),
)

links = Table(
    "links",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("employee_id", BigInteger, nullable=False),
    Column("born", Text, nullable=False),  # the employee's created_at: after a restore, an id may be another person's
    Column("version", BigInteger, nullable=False),  # the employee's version as it was last seen
    Column("active", Boolean, nullable=False),
    Column("reading", BigInteger, nullable=False),  # the reading of the feed that saw it
)
Index("ix_links_employee_id", links.c.employee_id)

follower = follower_table(metadata)

leases = Table(
    "leases",
    metadata,
    Column("name", exact_text(), primary_key=True),
    Column("holder", Text, nullable=False),  # a random name of the process
    Column("until", exact_text(), nullable=False),
)

relayed = Table(
    "relayed",
    metadata,
    Column("stream", exact_text(), primary_key=True),
    Column("cursor", Text, nullable=False),  # of the merged feed, after the last event that the stream has acknowledged
)

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("entities", Text, nullable=False),  # with commas
    Column("enabled", Boolean, nullable=False),
    Column("reason", Text),  # why it was disabled
    Column("version", Integer, nullable=False),
    Column("created_at", exact_text(), nullable=False),
    Column("updated_at", exact_text(), nullable=False),
)

webhooks_versions = versions(webhooks)

webhook_secrets = Table(  # beside the versions, so that none outlives its use
    "webhook_secrets",
    metadata,
    Column("webhook_id", BigInteger, ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("secret", Text, nullable=False),
    Column("previous", Text),
    Column("previous_until", exact_text()),
)

webhook_progress = Table(
    "webhook_progress",
    metadata,
    Column("webhook_id", BigInteger, ForeignKey("webhooks.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("cursor", Text, nullable=False),  # of the merged feed, after the last event that was delivered
    Column("failures", Integer, nullable=False),  # attempts in a row that failed
    Column("next_at", exact_text()),  # not before then; null is at once
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("webhook_id", BigInteger, ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at", exact_text(), nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("status", Integer),  # what the receiver answered; null when nothing came
    Column("error", Text),
    Column("duration_ms", Integer, nullable=False),
)
Index("ix_webhook_deliveries_webhook_id", webhook_deliveries.c.webhook_id, webhook_deliveries.c.id)
