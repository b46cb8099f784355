"""The certificates by which servers are believed, read once a process.

    with httpx.Client(verify=trusted()) as client: ...

A client that reads them for itself takes longer for that than for most calls. SSL_CERT_FILE and SSL_CERT_DIR count.
"""

from __future__ import annotations

import ssl
from functools import cache


@cache
def trusted() -> ssl.SSLContext:
    """Shared by all threads."""
    import httpx

    return httpx.create_ssl_context()
