"""The tables and the media files: what Zirelia remembers.

    media = MediaStore(home / "media")                    # zirelia.store.media
    store = SqlStore(home / "zirelia.db", media)          # zirelia.store.sql

Implements `ports.Store` and `ports.Media`. Knows nothing of models, channels or workflows; `studio` opens it.
"""
