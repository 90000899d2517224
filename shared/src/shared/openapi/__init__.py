"""The OpenAPI 3.1 document of a service, made from its operations, and the page to read it.

It says of every operation what may be sent, every status that can come back, and every bound, so that clients can be made and answers
checked from it (`shared.testing.answers`). Two extensions serve that check:

- `x-only-with` on an alternative of an answer names the query parameter that brings it about (`fields`, say);
- `x-given` on a response header says when it is there (see `shared.openapi.headers`).
"""

from shared.openapi.contract import Contract, Example
from shared.openapi.problems import ProblemDocument
from shared.openapi.provider import make_document

__all__ = ["Contract", "Example", "ProblemDocument", "make_document"]
