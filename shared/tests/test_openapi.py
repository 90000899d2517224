"""The OpenAPI document of a service."""

from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.converters import MAX_ID
from shared.testing import notes


@pytest.fixture
async def document() -> Any:
    app = notes.create_app(notes.Settings(open=True, access_log=False, trouble=True))
    return msgspec.json.decode(await (await app.test_client().get("/openapi.json")).get_data())


async def test_it_is_openapi(document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()


async def test_operations_have_their_names_and_policies(document: Any) -> None:
    found = document["paths"]["/v1/notes/{note_id}"]["patch"]
    assert (found["operationId"], found["x-policy"], found["summary"]) == ("patch_note", "write", "Change some of a note (merge patch).")
    assert set(found["requestBody"]["content"]) == {"application/merge-patch+json", "application/json"}
    assert {"200", "400", "401", "403", "404", "412", "413", "415", "422", "500", "503", "504"} <= set(found["responses"])


async def test_every_bound_is_told(document: Any) -> None:
    (parameter,) = [one for one in document["paths"]["/v1/notes/{note_id}"]["get"]["parameters"] if one.get("in") == "path"]
    assert parameter["schema"] == {"type": "integer", "minimum": 0, "maximum": MAX_ID, "format": "int64"}
    limit = document["paths"]["/v1/notes"]["get"]["parameters"][0]
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert document["components"]["schemas"]["NewNote"]["properties"]["text"]["maxLength"] == 100


async def test_no_page_links_to_other_hosts(document: Any) -> None:
    assert "http" not in str(document["paths"])
