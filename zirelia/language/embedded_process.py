"""The child process of the embedded model: loads it, serves it on loopback, and ends when its parent does.

Started by `embedded.py` as a script, with one line of JSON on stdin:
{"model": path, "context": 4096, "threads": 2, "key": "..."}.
Says one line of JSON on stdout, {"address": "http://127.0.0.1:40123"} or {"error": "..."}, then serves until stdin closes.

A process of its own, because the server cannot be stopped within ours while it answers, and writes past Python's stdout.
Imports nothing of zirelia.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # The server's C++ side may print; whatever it prints must not look like our line.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    wanted = json.loads(sys.stdin.readline())
    try:
        server = _serve(wanted)
    except Exception as error:  # reported to the parent, which raises it as one of our own
        said.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        said.flush()
        os._exit(1)
    said.write(json.dumps({"address": server.listening_address}) + "\n")
    said.flush()
    sys.stdin.read()
    # Not a normal exit: the server's destructor waits for ever for a question that is being answered.
    os._exit(0)


def _serve(wanted: dict[str, object]):  # type: ignore[no-untyped-def]  # the server class has no types
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = wanted["model"]
    params.n_ctx = wanted["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = wanted["threads"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [wanted["key"]]
    params.cors_origins = ""
    # a model this small leaves its language without these
    params.sampling.min_p = 0.1
    params.sampling.penalty_repeat = 1.1
    params.warmup = False
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    params.verbosity = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
