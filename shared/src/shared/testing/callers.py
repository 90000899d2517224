"""Signed callers: what a gateway would put on a request, for tests of a service."""

from shared.identity import Caller, Minter, generate_key


class Signer:
    """One issuer with a key of its own; `public_keys` is for the service's settings."""

    def __init__(self, issuer: str = "gateway") -> None:
        self.issuer = issuer
        self.private_key, self.public_keys = generate_key(f"{issuer}-1")
        self._minter = Minter(issuer, self.private_key)

    def headers(self, audience: str, role: str = "viewer", subject: str = "account:1") -> dict[str, str]:
        """The headers of a request from someone with that role."""
        return {"Authorization": "Bearer " + self._minter.mint(Caller(subject, subject, role, self.issuer), audience)}
