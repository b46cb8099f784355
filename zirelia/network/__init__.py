"""What every caller of a network shares: the offline switch, retries, error mapping and safe downloads.

    forbid_outside_connections()                          # ZIRELIA_OFFLINE=1: loopback only, enforced at the socket
    answer = call_with_retry(lambda: ask(question))       # full jitter; only for a ProviderError that is retryable
    picture = fetch_bytes(url, provider="replicate", limit=20_000_000, media_types={"image/png"}, timeout=30)

Knows no provider's protocol; httpx and tenacity are imported at the first call that needs them.
"""

from __future__ import annotations

from zirelia.network.failures import call_with_retry, cleaned, map_http_error, map_transport_error
from zirelia.network.fetch import fetch_bytes
from zirelia.network.offline import connections_outside, forbid_outside_connections, is_loopback_url, outside_allowed

__all__ = [
    "call_with_retry",
    "cleaned",
    "connections_outside",
    "fetch_bytes",
    "forbid_outside_connections",
    "is_loopback_url",
    "map_http_error",
    "map_transport_error",
    "outside_allowed",
]
