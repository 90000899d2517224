"""The document itself, from the app's rules and their operations, by quart-schema's provider."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Final

from quart import Quart
from quart_schema import Info, QuartSchema
from quart_schema.openapi import OpenAPIProvider
from werkzeug.routing import BaseConverter, Rule

from shared.converters import MAX_ID, IdConverter, NameConverter
from shared.errors import BY_STATUS, phrase
from shared.openapi.contract import Contract, Document
from shared.openapi.examples import COMMON, add_examples
from shared.openapi.headers import AS_OF, RECORD, Described, header_components, parameter, parameter_components, response_headers
from shared.openapi.problems import problem_response, reference, response_name
from shared.openapi.schemas import Schemas
from shared.operations import JSON_TYPE, PUBLIC, Limit, Operation, operation_of
from shared.queries import Lenient

YAML_TYPE: Final = "application/yaml"
EVENT_STREAM: Final = "text/event-stream"
AS_EVENTS: Final = {"type": "string", "format": "binary", "description": "Server-sent events without an end."}
BODY: Final = (408, 413, 415, 422)


class Provider(OpenAPIProvider):
    """What quart-schema can't know: operations as declared, converters' bounds, problems, media types, headers."""

    def __init__(self, app: Quart, extension: QuartSchema, contract: Contract) -> None:
        super().__init__(app, extension)
        self._contract = contract

    def generate_rules(self) -> Iterable[Rule]:
        return sorted(self._app.url_map.iter_rules(), key=lambda rule: (rule.rule, sorted(rule.methods or ())))

    def operation_id(self, method: str, path: str, func: Any) -> str | None:
        found = operation_of(func)
        return found.name if found else None

    def build_path_parameter(self, name: str, converter: BaseConverter) -> Described:
        found: Described = super().build_path_parameter(name, converter)
        if isinstance(converter, IdConverter):
            found["schema"] |= {"minimum": 0, "maximum": MAX_ID, "format": "int64"}
        elif isinstance(converter, NameConverter):
            found["schema"] |= {"pattern": f"^{converter.regex}$", "minLength": 1, "maxLength": 64}
        return found

    def build_paths(self, rule: Rule) -> tuple[Described, Described]:
        paths, components = super().build_paths(rule)
        view = self._app.view_functions[rule.endpoint]
        found = operation_of(view)
        assert found is not None, f"{rule.endpoint} is no operation"
        for path, methods in paths.items():
            for method, described in methods.items():
                methods[method] = self._operation(found, method, described, components) | {
                    "tags": [rule.endpoint.rpartition(".")[0] or "service"],
                    "description": inspect.getdoc(view),
                }
                if example := ({**COMMON, **self._contract.examples}).get(found.name):
                    add_examples(methods[method], example, path)
        return paths, components

    def _operation(self, found: Operation, method: str, described: Described, components: Described) -> Described:
        schemas = Schemas(components)
        parameters = [*described["parameters"], *(schemas.query(found.query) if found.query else ())]
        parameters += [parameter(name) for name in _request_headers(found, method)]
        document = {**described, "parameters": parameters, "x-policy": found.allow.name}
        if found.notices:
            document["deprecated"] = True
        if found.query and issubclass(found.query, Lenient):
            document["x-lenient"] = True
        if found.body is not None:
            document["requestBody"] = _body(found, schemas)
        document["responses"] = self._responses(found, method, schemas, bool(described["parameters"]))
        if found.allow is PUBLIC:
            document["security"] = [{}, *({name: []} for name in found.told["credentials"])] if "credentials" in found.told else []
        return document

    def _responses(self, found: Operation, method: str, schemas: Schemas, has_path: bool) -> Described:
        responses = {
            str(status): {
                "description": phrase(status),
                "headers": response_headers(_response_headers(found, method, status)),
                **_content(found, schemas, status, kind),
            }
            for status, kind in found.responses.items()
        }
        for status in sorted(self._problems(found, has_path)):
            responses[str(status)] = self._problem(found, schemas, status)
        return responses

    def _problems(self, found: Operation, has_path: bool) -> set[int]:
        """What follows from the declaration, and what it adds."""
        follows = {*self._contract.everywhere, *found.problems}
        if found.allow is not PUBLIC:
            follows |= set(self._contract.guarded)
        if found.limit is not Limit.NOTHING:
            follows |= set(self._contract.counted)
        if has_path:
            follows.add(404)
        if found.body is not None:
            follows |= set(BODY)
        return follows

    def _problem(self, found: Operation, schemas: Schemas, status: int) -> Described:
        kind, names = found.problems.get(status), found.told.get("gives", {}).get(status, ())
        headers: dict[str, Any] = {name: {} for name in names}
        if status == 412:
            headers["ETag"] = {} if 201 in found.responses else None
        if kind is None and not headers:
            return reference(status)
        kinds = (kind and kind.kinds) or self._contract.kinds.get(status, ())
        return problem_response(status, schemas.of(kind or self._contract.problem) or {}, kinds=kinds, headers=headers)


def _request_headers(found: Operation, method: str) -> list[str]:
    names = list(found.told.get("takes", ()))
    if 304 in found.responses:
        names.append("If-None-Match")
    if 412 in found.problems:
        names.append("If-Match")
    if method.upper() == "POST" and 201 in found.responses:
        names.append("Idempotency-Key")
    if found.allow is not PUBLIC:
        names.append("X-Request-Timeout-Ms")
    return names


def _response_headers(found: Operation, method: str, status: int) -> dict[str, Described | None]:
    names: dict[str, Described | None] = {"X-Request-ID": None, **dict.fromkeys(found.notices)}
    if status == 304:
        return names | {"ETag": None, "Vary": None}
    kind = found.responses[status]
    if kind is not None and (_in_two_forms(found) or len(found.response_types) > 1):
        names["Vary"] = None
    if kind is bytes and len(found.response_types) > 1:
        names["Content-Disposition"] = None
    if status == 302:
        names["Redirect"] = None
    if status == 201:
        names["Location"] = None
        if method.upper() == "POST":
            names["Idempotency-Replayed"] = {}
    if kind is not None and (status == 201 or 304 in found.responses or 412 in found.problems):
        names["ETag"] = RECORD
    if status == 200 and _has(found, "cursor"):
        names["Link"] = {"member": "next"}
    if status == 200 and _has(found, "as_of"):
        names |= dict.fromkeys(("X-As-Of", "X-As-Of-Stable"), AS_OF)
    return names | {name: GIVEN.get(name, {}) for name in found.told.get("gives", {}).get(status, ())}


GIVEN: Final[Mapping[str, Described | None]] = {
    "X-Gateway-Complete": None,
    "Set-Cookie": None,
    "Vary": None,
    "Preference-Applied": {"request": ["Prefer", "handling=strict"]},
}
"""When a header that an operation names is there."""


def _has(found: Operation, parameter: str) -> bool:
    """Whether an operation can be asked with a query parameter."""
    return found.query is not None and parameter in found.query.__struct_fields__


def _in_two_forms(found: Operation) -> bool:
    """Whether the answer is a JSON document, which comes as YAML to those who would rather have it."""
    return any(media_type == JSON_TYPE or media_type.endswith("+json") for media_type in found.response_types)


def _content(found: Operation, schemas: Schemas, status: int, kind: Any) -> Described:
    schema = schemas.of(kind)
    if schema is None:
        return {}
    others: list[Any] = []
    if status == 200 and _has(found, "fields"):
        others.append(schemas.some_of(schema))
    for name, variant in found.told.get("variants", {}).items():
        others.append((schemas.of(variant) or {}) | {"x-only-with": name})
    if others:
        schema = {"anyOf": [schema, *others]}
    if "form" in found.told and kind is bytes:
        schema["x-row"] = schemas.of(found.told["form"])
    types = (*found.response_types, YAML_TYPE) if _in_two_forms(found) else found.response_types
    return {"content": {media_type: {"schema": AS_EVENTS if media_type == EVENT_STREAM else schema} for media_type in types}}


def _body(found: Operation, schemas: Schemas) -> Described:
    schema = schemas.of(found.body)
    form = schemas.of(found.told.get("form"))
    if form is not None and JSON_TYPE in found.body_types:
        schema = form
    elif form is not None:
        schema = {**(schema or {}), "x-row": form}
    return {"required": not found.body_optional, "content": {media_type: {"schema": schema} for media_type in found.body_types}}


def make_document(app: Quart, title: str, version: str, description: str, contract: Contract | None = None) -> Document:
    """The document of an app whose routes are all registered."""
    contract = contract or Contract()
    app.config.setdefault("QUART_SCHEMA_CONVERSION_PREFERENCE", "msgspec")
    app.config.setdefault("QUART_SCHEMA_CONVERT_CASING", False)
    extension = QuartSchema(info=Info(title=f"Roster: {title}", version=version, description=description))
    document: Document = Provider(app, extension, contract).schema()
    components = document["components"]
    schemas = Schemas(components["schemas"])
    for struct in contract.structs:
        schemas.of(struct)
    problem = schemas.of(contract.problem) or {}
    components["securitySchemes"] = {**contract.schemes, **contract.other_schemes}
    components["parameters"] = parameter_components()
    components["headers"] = header_components()
    components["responses"] = {
        response_name(status): problem_response(status, problem, kinds=contract.kinds.get(status, ())) for status in sorted(BY_STATUS)
    }
    document["security"] = [{name: []} for name in contract.schemes]
    return contract.complete({**document, "paths": dict(document["paths"])})
