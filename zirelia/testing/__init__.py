"""Real peers for tests, on loopback, shipped and tested: a program that uses Zirelia can test against them too.

    with ChatServer() as server:
        chat = open_chat("any", base_url=server.base_url)

Knows no adapter of ours: these are the other side of the wire.
"""
