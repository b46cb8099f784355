"""Where posts go. Each module is one platform's adapter of `ports.Channel`; one contract suite tests them all.

    channel = FolderChannel(home / "outbox")        # zirelia.channels.folder

Channels know nothing of each other, of the store or of how a picture is labelled: the plan carries the final bytes.
"""
