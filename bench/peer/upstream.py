"""What both gateways ask in the benchmarks of the hop and of the search: a stand-in for both services that answers any id, and any list
with ten people or teams, as fast as it can.

python -m bench.peer.upstream PORT
"""

import asyncio
import sys
from typing import cast

import httptools
import uvloop

BODY = (
    b'{"id":%d,"username":"ada.abara","email":"ada.abara@roster.example","given_name":"Ada","family_name":"Abara",'
    b'"display_name":"Ada Abara","title":"Chief Executive","department":"Management","division":"Corporate",'
    b'"cost_center":"CC-1001","employee_number":"E0000001","phone":"+00 555 0000001","location":"Lisbon","manager_id":null,'
    b'"status":"active","hired_on":"2010-04-01","left_on":null,"external_id":"synthetic-1","version":1,'
    b'"created_at":"2026-11-22T07:49:09.123456Z","updated_at":"2026-11-22T07:49:09.123456Z"}'
)
TEAM = (
    b'{"id":%d,"slug":"platform","name":"Platform","description":"Keeps the house running","parent_id":1,"external_id":null,"version":1,'
    b'"created_at":"2026-11-22T07:49:09.123456Z","updated_at":"2026-11-22T07:49:09.123456Z"}'
)
PAGES = {
    kind: b'{"items":[%b],"next":null}' % b",".join(item % number for number in range(1, 11))
    for kind, item in ((b"/v1/employees", BODY), (b"/v1/teams", TEAM))
}
HEAD = (
    b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: "1"\r\ncache-control: private, no-cache\r\nvary: Accept\r\n'
    b"x-request-id: 5f0c1b8e8f8e4a3f9d0f6d8c4b1a2e37\r\ncontent-length: %d\r\n\r\n"
)


class Upstream(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        path = url.partition(b"?")[0]
        last = path.rpartition(b"/")[2]
        self._body = PAGES.get(path) or BODY % (int(last) if last.isdigit() else 0)

    def on_message_complete(self) -> None:
        body = self._body
        self._transport.write(HEAD % len(body) + body)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
