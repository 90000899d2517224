"""What the gateway asks of the log of each service."""

from pact import match

from tools.contracts.pacts import Exchange, page


def log_of(entity: str, given: str) -> tuple[Exchange, Exchange, Exchange]:
    """What is asked of a service's log: its rows, those of a kind that there is not, and whether it is intact."""
    digest = match.regex("0" * 64, regex="[0-9a-f]{64}")
    row = {
        "id": match.regex("e1.1", regex=r"[0-9A-Za-z]+\.[0-9]+"),
        "seq": match.int(1),
        "at": match.regex("2026-11-22T07:49:09.123456Z", regex=r"[0-9T:.Z-]{27}"),
        "entity": entity,
        "entity_id": match.int(1),
        "version": match.int(1),
        "kind": match.regex("created", regex="created|updated|deleted|erased"),
        "actor": match.str("account:1"),
        "request_id": match.str("request-1"),
        "digest": digest,
        "hash": digest,
    }
    many = {"sort": "-seq", "limit": "50"}
    rows = Exchange(
        description="changes, the newest first", given=given, path="/v1/audit", query={"entity": entity, **many}, answer=page(row)
    )
    none = Exchange(
        description="changes that there are not",
        given=given,
        path="/v1/audit",
        query={
            "actor": "account:9",
            "entity": f"{entity}/9",
            "from": "2026-01-01T00:00:00.000000Z",
            "to": "2026-01-02T00:00:00.000000Z",
            **many,
        },
        answer={"items": [], "next": None},
    )
    intact = {"intact": True, "count": match.int(1), "seq": match.int(1), "hash": digest, "fault": None}
    check = Exchange(description="whether the log is intact", given=given, path="/v1/audit/verify", answer=intact)
    return rows, none, check
