"""The peer's tables: the same columns and indexes for what is measured, and the log."""

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_Unique = String(collation="NOCASE")


class Base(DeclarativeBase):
    pass


class Employee(Base):
    __tablename__ = "employees"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(_Unique, unique=True)
    email: Mapped[str] = mapped_column(_Unique, unique=True)
    given_name: Mapped[str | None]
    family_name: Mapped[str | None]
    display_name: Mapped[str | None]
    title: Mapped[str | None]
    department: Mapped[str | None]
    division: Mapped[str | None]
    cost_center: Mapped[str | None]
    employee_number: Mapped[str | None] = mapped_column(unique=True)
    phone: Mapped[str | None]
    location: Mapped[str | None]
    manager_id: Mapped[int | None] = mapped_column(ForeignKey("employees.id"))
    status: Mapped[str]
    hired_on: Mapped[str | None]
    left_on: Mapped[str | None]
    external_id: Mapped[str | None]
    version: Mapped[int]
    created_at: Mapped[str]
    updated_at: Mapped[str]


for _name in ("manager_id", "status", "display_name", "department", "title", "hired_on", "created_at", "updated_at"):
    Index(f"ix_employees_{_name}", getattr(Employee, _name), Employee.id)


class Change(Base):
    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str]
    entity: Mapped[str]
    entity_id: Mapped[int]
    version: Mapped[int]
    kind: Mapped[str]
    actor: Mapped[str]
    request_id: Mapped[str]
    digest: Mapped[str] = mapped_column(Text)
