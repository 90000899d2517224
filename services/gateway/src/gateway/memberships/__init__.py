"""Memberships by username: the teams service knows people by id, files by username."""

from gateway.memberships.exports import export_rows
from gateway.memberships.imports import Upload, import_rows
from gateway.memberships.member import put_member

__all__ = ["Upload", "export_rows", "import_rows", "put_member"]
