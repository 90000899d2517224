"""A gateway the usual way: the session cookie is checked, and the request goes on with httpx.

As ours it sends an assertion of who asks (made once), the request's id and what is left of its time, and passes on a list of headers.
"""

import asyncio
import os
import uuid
from typing import Annotated

import httpx
from fastapi import Cookie, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from itsdangerous import BadSignature, URLSafeTimedSerializer

HEADERS = ("content-type", "etag", "cache-control", "last-modified")

serializer = URLSafeTimedSerializer(os.environ["PEER_SECRET"])
ASSERTIONS = {1: os.environ["PEER_BEARER"]}
client = httpx.AsyncClient(
    base_url=os.environ["PEER_UPSTREAM"], timeout=2.0, limits=httpx.Limits(max_connections=100, max_keepalive_connections=100)
)
app = FastAPI()


async def account(session: Annotated[str, Cookie()]) -> int:
    try:
        return int(serializer.loads(session, max_age=43_200)["account"])
    except BadSignature as error:
        raise HTTPException(401) from error


async def ask(path: str, parameters: dict[str, str | int], caller: int, request_id: str) -> httpx.Response:
    sent = {"authorization": ASSERTIONS[caller], "x-request-id": request_id, "x-request-timeout-ms": "2000"}
    try:
        return await client.get(path, params=parameters, headers=sent)
    except httpx.TimeoutException as error:
        raise HTTPException(504) from error
    except httpx.TransportError as error:
        raise HTTPException(502) from error


@app.get("/readyz")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@app.get("/v1/employees/{employee_id}")
async def get_employee(employee_id: int, caller: Annotated[int, Depends(account)], request: Request) -> Response:
    request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
    answer = await ask(f"/v1/employees/{employee_id}", {}, caller, request_id)
    headers = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    return Response(answer.content, answer.status_code, {**headers, "x-request-id": request_id})


@app.get("/v1/search")
async def search(
    q: str, caller: Annotated[int, Depends(account)], request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> JSONResponse:
    request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
    parameters: dict[str, str | int] = {"q": q, "limit": limit}
    people, teams = await asyncio.gather(
        ask("/v1/employees", parameters, caller, request_id), ask("/v1/teams", parameters, caller, request_id)
    )
    found = {
        name: {"items": [{"type": kind, **item} for item in page["items"]], "next": page["next"]}
        for name, kind, page in (("employees", "employee", people.json()), ("teams", "team", teams.json()))
    }
    return JSONResponse(found, headers={"x-request-id": request_id})
