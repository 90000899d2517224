"""Employees the usual way: one by id, a page of them, create."""

import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, HTTPException, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.peer.models import Change, Employee

PRAGMAS = ("busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")

engine = create_async_engine(
    f"sqlite+aiosqlite:///{os.environ['PEER_DATABASE']}", pool_size=int(os.environ.get("POOL_SIZE", "5")), max_overflow=0, pool_timeout=30
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


@event.listens_for(engine.sync_engine, "connect")
def _set_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


class EmployeeIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    username: str = Field(min_length=1, max_length=128)
    email: str = Field(min_length=3, max_length=254)
    given_name: str | None = Field(None, max_length=100)
    family_name: str | None = Field(None, max_length=100)
    display_name: str | None = Field(None, max_length=200)
    title: str | None = Field(None, max_length=200)
    department: str | None = Field(None, max_length=200)
    division: str | None = Field(None, max_length=200)
    cost_center: str | None = Field(None, max_length=64)
    employee_number: str | None = Field(None, max_length=64)
    phone: str | None = Field(None, max_length=64)
    location: str | None = Field(None, max_length=200)
    manager_id: int | None = None
    status: Literal["active", "inactive"] = "active"
    hired_on: str | None = None
    left_on: str | None = None
    external_id: str | None = Field(None, max_length=200)


class EmployeeOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    email: str
    given_name: str | None
    family_name: str | None
    display_name: str | None
    title: str | None
    department: str | None
    division: str | None
    cost_center: str | None
    employee_number: str | None
    phone: str | None
    location: str | None
    manager_id: int | None
    status: str
    hired_on: str | None
    left_on: str | None
    external_id: str | None
    version: int
    created_at: str
    updated_at: str


class Page(BaseModel):
    items: list[EmployeeOut]
    next: int | None


async def open_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]


@app.get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.get("/v1/employees/{employee_id}", response_model=EmployeeOut)
async def get_employee(employee_id: int, session: Session, response: Response) -> Employee:
    employee = await session.get(Employee, employee_id)
    if employee is None:
        raise HTTPException(404)
    response.headers["ETag"] = f'"{employee.version}"'
    return employee


@app.get("/v1/employees", response_model=Page)
async def list_employees(session: Session, after: int = 0, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> dict[str, Any]:
    found = await session.scalars(select(Employee).where(Employee.id > after).order_by(Employee.id).limit(limit + 1))
    items = list(found)
    return {"items": items[:limit], "next": items[limit - 1].id if len(items) > limit else None}


@app.post("/v1/employees", response_model=EmployeeOut, status_code=201)
async def create_employee(body: EmployeeIn, session: Session, response: Response) -> Employee:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    employee = Employee(**body.model_dump(), version=1, created_at=now, updated_at=now)
    session.add(employee)
    try:
        await session.flush()
        session.add(_change(employee, body, now))
        await session.commit()
    except IntegrityError as error:
        raise HTTPException(409) from error
    response.headers["ETag"] = '"1"'
    response.headers["Location"] = f"/v1/employees/{employee.id}"
    return employee


def _change(employee: Employee, body: EmployeeIn, now: str) -> Change:
    digest = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    return Change(
        at=now,
        entity="employee",
        entity_id=employee.id,
        version=1,
        kind="created",
        actor="account:1",
        request_id=str(uuid.uuid4()),
        digest=digest,
    )
