"""JSON for the framework by msgspec: Structs and dataclasses included, nothing else guessed."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
from quart import Response
from quart.json.provider import JSONProvider

encoder = msgspec.json.Encoder()
encode: Callable[[Any], bytes] = encoder.encode


class MsgspecProvider(JSONProvider):
    """What `quart.json`, `jsonify` and test clients use."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        if kwargs:  # an indent or a separator was asked for: not on a request's way
            return json.dumps(msgspec.to_builtins(obj), **kwargs)
        return encode(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return msgspec.json.decode(s)

    def response(self, *args: Any, **kwargs: Any) -> Any:
        return Response(encode(self._prepare_response_obj(args, kwargs)), mimetype="application/json")
