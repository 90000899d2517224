"""What the table lets through, and that a path means one thing."""

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map
from werkzeug.routing import Rule as WerkzeugRule

from gateway.clients import UPSTREAMS, public_rules
from gateway.edge.framing import check_path
from gateway.edge.table import Route, Table, allow_header, routes_of
from gateway.forward import safe_target
from shared import converters
from shared.errors import BadRequest
from shared.operations import READ

DETOURS = [Route("one", "GET", rule.path, READ) for _, rule in public_rules() if rule.detour]
TABLE = Table(routes_of(DETOURS))

SPELLINGS = ("v1", "employees", "teams", "members", "reports", "import", "7", "0", "007", "-1", "+1", "1.0", "9223372036854775807")
ODD = ("9223372036854775808", "", ".", "..", "%2e%2e", "%2f", "%5c", "\\", "%00", "..;", "٣", "１", "a b", "é", "@", "x" * 300)
segments = st.sampled_from([*SPELLINGS, *ODD])
paths = st.one_of(
    st.lists(segments, max_size=8).map(lambda parts: "/" + "/".join(parts)), st.text(max_size=40).map(lambda text: "/" + text)
)


def werkzeug_map() -> Any:
    url_map = Map()
    converters.install(url_map)
    for _, rule in public_rules():
        url_map.add(WerkzeugRule(rule.path, endpoint=rule.name, methods=[rule.method]))
    return url_map.bind("gateway")


WERKZEUG = werkzeug_map()


@given(paths)
def test_what_is_let_through_is_a_route_of_its_owner_spelled_the_only_way(path: str) -> None:
    raw = path.encode()
    methods = TABLE.methods(raw)
    if methods is None:
        return
    assert unquote(path) == path
    assert safe_target(raw, b"") == raw
    check_path(raw)
    for method, route in methods.items():
        endpoint, values = WERKZEUG.match(path, method=method)
        assert endpoint == route.name
        assert WERKZEUG.build(endpoint, values, method=route.method) == path


@given(paths)
def test_what_its_owner_would_take_is_in_the_table(path: str) -> None:
    try:
        endpoint, _ = WERKZEUG.match(path, method="GET")
    except HTTPException:
        return
    methods = TABLE.methods(path.encode())
    assert methods is not None
    assert methods["GET"].name == endpoint


SEGMENTS = (b"/v1/../x", b"/..", b"/v1/.", b"/v1//x", b"/v1/a%41/..", b"/v1/%2e%2e/x", b"/v1/%2E")
ESCAPES = (b"/v1/a%2fb", b"/v1/a%5Cb", b"/v1/%00", b"/v1/%0a", b"/v1/%7f", b"/v1/%zz", b"/v1/%")
BYTES = (b"/v1/a\\b", b"/v1/\x00", b"/v1/\x7f", b"/v1/a b", b"/v1/\xc3\xa9", b'/v1/"', b"/v1/<x>")


@pytest.mark.parametrize("path", [*SEGMENTS, *ESCAPES, *BYTES])
def test_paths_with_two_readings_are_refused(path: bytes) -> None:
    with pytest.raises(BadRequest):
        check_path(path)


@pytest.mark.parametrize("path", [b"/", b"/v1/employees/7", b"/v1/teams/", b"/v1/%41bc", b"/v1/a-b_c.d~e:f", b"/v1/...", b"/v1/a..b"])
def test_plain_paths_are_only_unknown(path: bytes) -> None:
    check_path(path)


def test_allow_names_every_method_of_a_path() -> None:
    methods = TABLE.methods(b"/v1/employees/7")
    assert methods is not None
    assert allow_header(methods) == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (b"", "get_employee"),
        (b"expand=teams", "one"),
        (b"a=1&expand=", "one"),
        (b"expand", "one"),
        (b"fields=expand", "get_employee"),
        (b"xexpand=1", "get_employee"),
    ],
)
def test_a_detour_is_taken_by_its_parameter_alone(query: bytes, name: str) -> None:
    methods = TABLE.methods(b"/v1/employees/7")
    assert methods is not None
    assert methods["GET"].chosen(query).name == name


def test_nothing_is_answered_twice() -> None:
    own = [Route("mine", "GET", "/v1/employees", READ), *DETOURS]
    with pytest.raises(ValueError, match="answered twice"):
        routes_of(own)


def test_what_services_keep_to_themselves_is_not_public() -> None:
    for path in (b"/v1/changes", b"/metrics", b"/livez", b"/openapi.json"):
        assert TABLE.methods(path) is None


def test_every_rule_is_closed() -> None:
    for rules in UPSTREAMS.values():
        for rule in rules:
            assert "<" not in rule.path.replace("<int:", "")
            assert rule.allow.role is not None
