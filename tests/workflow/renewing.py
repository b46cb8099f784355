"""A node that needs a token: renews it where that is due, and says which one it has.

Example: python renewing.py PLACE MEDIA KEY SERVER CHANNEL. Run by test_connections.py, several at once, and killed.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from zirelia.channels.meta_oauth import desk_of
from zirelia.channels.oauth import App
from zirelia.channels.x_oauth import XDesk
from zirelia.errors import ZireliaError
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.store.vault import Vault
from zirelia.workflow.connections import Keeper, usable


def main(place: str, media: str, key: str, server: str, channel: str, app_id: str, app_secret: str) -> None:
    app = App(id=app_id, redirect="http://127.0.0.1:1/", secret=SecretStr(app_secret))
    if channel == "x":
        renew = XDesk(app, timeout=20, address=server).renew
    else:
        renew = desk_of(channel, app, version="v25.0", timeout=20, address=server).renew
    where = place if "://" in place else Path(place)
    with SqlStore(where, MediaStore(Path(media))) as store:
        os.write(1, b"ready\n")
        sys.stdin.readline()
        keeper = Keeper(store, Vault([key]), lambda _connection, secrets: renew(secrets))
        try:
            connection, secrets = usable(keeper, "mira", channel)
        except ZireliaError as error:
            os.write(1, f"failed {type(error).__name__}\n".encode())
            return
        holds = (connection.expires_at or connection.given_at) - connection.given_at > timedelta(0)
        os.write(1, f"has {secrets.access.get_secret_value()} {holds}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
