"""`python -m shared.healthcheck PORT`: whether a service of this machine is ready, whether it speaks TLS or not. For containers.

It needs no settings, and starts in a moment, since it is run every few seconds. Exit code 0 is yes. Who speaks TLS is not asked to prove
itself: what is asked is oneself, and told nothing.
"""

import http.client
import ssl
import sys
from typing import Final

AT: Final = "127.0.0.1"
WITHIN: Final = 2.0
"""Seconds for each of the two ways."""


def is_ready(port: int) -> bool:
    """Whether 200 is what /readyz says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for connection in (
        http.client.HTTPConnection(AT, port, timeout=WITHIN),
        http.client.HTTPSConnection(AT, port, timeout=WITHIN, context=context),
    ):
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return False


if __name__ == "__main__":
    sys.exit(0 if is_ready(int(sys.argv[1])) else 1)
