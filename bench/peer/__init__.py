"""The peer: the same endpoints as one would usually write them, with FastAPI, the SQLAlchemy ORM, aiosqlite and httpx.

Its settings, chosen in its favour: uvicorn with uvloop and httptools, access log off, one worker; WAL, synchronous=FULL, foreign keys
and the same page cache as ours; a pool of POOL_SIZE connections without overflow; expire_on_commit off; response models checked and
written by pydantic. It checks no identity, keeps no metrics and no versions of a record, and writes no search words; each create writes
the same log row.
"""
