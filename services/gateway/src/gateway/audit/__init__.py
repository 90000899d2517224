"""The logs of both services and of the gateway itself, as one."""

from gateway.audit.actors import account_of, usernames
from gateway.audit.cursors import Cursors
from gateway.audit.merged import Merged, Source
from gateway.audit.sources import AUDIT, SERVICES, checked, sources

__all__ = ["AUDIT", "SERVICES", "Cursors", "Merged", "Source", "account_of", "checked", "sources", "usernames"]
