"""The real Bluesky server on loopback, from its npm packages, and a door in front of one account that misbehaves on demand.

    with PdsServer() as server, PdsDoor(server) as door:              # scripts/pds installs the packages
        BlueskyChannel(Line("bluesky", door.url, token=lambda: door.token), did=door.did, handle=door.handle)
        door.published[0]["text"]
        door.fail("putRecord", after=True, silent=True)

The server keeps accounts, records and pictures and refuses what the protocol refuses; its directory of identities runs beside
it. It has no view of the network: `view` names one. The door adds faults, a clock of its own, and lost bytes. Places of faults
are the methods' last words: getRecord, getSession, uploadBlob, putRecord, resolveHandle, …
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from zirelia.errors import ZireliaError
from zirelia.network.certificates import trusted
from zirelia.testing.http_peer import Reply, Request
from zirelia.testing.peer_process import PeerProcess
from zirelia.testing.social_peer import Route, SocialPeer

VIEW_DID = "did:web:view.test"

_PASSED_ON = ("authorization", "content-type")
_PASSED_BACK = ("retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")
# both servers would listen on every interface, and end with nobody to tell them when their parent is killed
_PROGRAM = """
const net = require('net')
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (first, ...rest) {
  const asked = first && typeof first === 'object' ? first : { port: Number(first || 0) }
  return listen.call(this, { ...asked, host: '127.0.0.1' }, ...rest.filter((one) => typeof one === 'function'))
}
process.stdin.resume().on('end', () => process.exit(0))
const { PlcServer, Database } = require('@did-plc/server')
const { PDS, envToCfg, envToSecrets, readEnv } = require('@atproto/pds')
const main = async () => {
  const directory = await PlcServer.create({ db: Database.mock() }).start()
  process.env.PDS_DID_PLC_URL = 'http://127.0.0.1:' + directory.address().port
  const env = readEnv()
  await (await PDS.create(envToCfg(env), envToSecrets(env))).start()
  console.log('ready')
}
main().catch((error) => { console.error(error); process.exit(1) })
"""


def packages() -> Path | None:
    """The folder with the server's packages, in the virtual environment; None where they, or node, are missing."""
    folder = Path(sys.prefix) / "pds"
    there = all((folder / "node_modules" / name / "package.json").is_file() for name in ("@atproto/pds", "@did-plc/server"))
    return folder if there and shutil.which("node") is not None else None


@dataclass(frozen=True)
class PdsAccount:
    did: str
    handle: str
    password: str
    access: str
    refresh: str


class PdsServer(PeerProcess):
    """The process, for one block. Raises ZireliaError when it is not installed.

    Args:
        view: address of a server that answers for the whole network; None: nobody does.
    """

    name = "the Bluesky server"
    patience = 120.0

    def __init__(self, *, view: str | None = None) -> None:
        super().__init__()
        found = packages()
        if found is None:
            raise ZireliaError("the packages of the Bluesky server are not there", hint="scripts/pds, or make pds")
        self._packages, self._view = found, view
        self._secret, self._admin = secrets.token_hex(16), secrets.token_hex(12)

    def command(self) -> Sequence[str]:
        return [shutil.which("node") or "node", "-e", _PROGRAM]

    def working_folder(self) -> Path:
        return self._packages

    def environment(self) -> Mapping[str, str]:
        blobs = self.folder / "blobs"
        blobs.mkdir()
        told = {
            "LOG_ENABLED": "false",
            "PDS_HOSTNAME": "localhost",
            "PDS_PORT": str(self.port),
            "PDS_DATA_DIRECTORY": str(self.folder),
            "PDS_BLOBSTORE_DISK_LOCATION": str(blobs),
            "PDS_DEV_MODE": "true",
            "PDS_INVITE_REQUIRED": "false",
            "PDS_ENABLE_DID_DOC_WITH_SESSION": "true",
            "PDS_JWT_SECRET": self._secret,
            "PDS_ADMIN_PASSWORD": self._admin,
            "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX": secrets.token_hex(32),
        }
        view = {} if self._view is None else {"PDS_BSKY_APP_VIEW_URL": self._view, "PDS_BSKY_APP_VIEW_DID": VIEW_DID}
        return told | view

    def answers(self) -> bool:
        return "ready" in self.log().splitlines()

    def call(self, method: str, *, token: str | None = None, body: Any = None, **params: str) -> Any:
        """The answer of the server itself; POST with a body. Raises httpx.HTTPStatusError."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        kind = "GET" if body is None else "POST"
        options: dict[str, Any] = {"headers": headers, "params": params, "json": body, "timeout": 60.0, "trust_env": False}
        answer = httpx.request(kind, f"{self.url}/xrpc/{method}", **options).raise_for_status()
        return answer.json() if answer.content else {}

    def new_account(self) -> PdsAccount:
        handle, password = f"mira-{secrets.token_hex(4)}.test", secrets.token_hex(12)
        asked = {"handle": handle, "email": f"{handle}@example.org".replace(".test@", "@"), "password": password}
        made = self.call("com.atproto.server.createAccount", body=asked)
        return PdsAccount(made["did"], handle, password, made["accessJwt"], made["refreshJwt"])

    def posts(self, did: str) -> list[dict[str, Any]]:
        """The records of an account, as everybody may read them: `uri`, `cid`, `value`."""
        asked = {"repo": did, "collection": "app.bsky.feed.post", "limit": "100"}
        found: list[dict[str, Any]] = []
        while page := self.call("com.atproto.repo.listRecords", **asked):
            found += page["records"]
            if not page.get("cursor"):
                break
            asked["cursor"] = page["cursor"]
        return found

    def take_down(self, uri: str, cid: str) -> None:
        """As a moderator hides a record."""
        subject = {"$type": "com.atproto.repo.strongRef", "uri": uri, "cid": cid}
        body = {"subject": subject, "takedown": {"applied": True, "ref": "1"}}
        path = f"{self.url}/xrpc/com.atproto.admin.updateSubjectStatus"
        httpx.post(path, json=body, auth=("admin", self._admin), timeout=60.0, trust_env=False).raise_for_status()

    def expired(self, token: str) -> str:
        """The same token, signed by the server, as if its time had come."""
        head, told = token.split(".")[:2]
        claims = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
        claims["exp"] = claims["iat"] - 60
        signed = f"{head}.{_encoded(json.dumps(claims).encode())}"
        return f"{signed}.{_encoded(hmac.digest(self._secret.encode(), signed.encode(), hashlib.sha256))}"


class PdsDoor(SocialPeer):
    """The door to a new account. `did`, `handle` and `account` say whose it is; the next picture loses `loses` bytes."""

    def __init__(self, server: PdsServer, **options: Any) -> None:
        super().__init__(**options)
        self.account = server.new_account()
        self.did, self.handle, self.token = self.account.did, self.account.handle, self.account.access
        self.loses = 0
        self._pds = server
        self._behind = httpx.Client(base_url=server.url, timeout=60.0, verify=trusted(), trust_env=False)

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self._behind.close()

    @property
    def published(self) -> tuple[dict[str, Any], ...]:
        """As the server itself tells everybody, by the time that each says of itself."""
        shown = ({"id": one["uri"], "cid": one["cid"], **one["value"]} for one in self._pds.posts(self.did))
        return tuple(sorted(shown, key=lambda one: str(one["createdAt"])))

    def picture(self, number: int = 0) -> bytes:
        """The bytes of a post's picture, as everybody gets them."""
        link = self.published[number]["embed"]["images"][0]["image"]["ref"]["$link"]
        asked = {"did": self.did, "cid": link}
        return self._behind.get("/xrpc/com.atproto.sync.getBlob", params=asked).raise_for_status().content

    def refused(self, token: str) -> Reply:
        asked = {"Authorization": f"Bearer {token}"}
        return _reply(self._behind.get("/xrpc/com.atproto.server.getSession", headers=asked))

    def route(self, request: Request) -> Route:
        return request.path.rpartition(".")[2], lambda: self._passed(request)

    def _passed(self, request: Request) -> Reply:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        path, body = request.path + (f"?{request.query}" if request.query else ""), request.body
        if self.loses and path.endswith("uploadBlob"):
            body, self.loses = body[: -self.loses], 0
        return _reply(self._behind.request(request.method, path, headers=headers, content=body))


def _reply(answer: httpx.Response) -> Reply:
    headers = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
    return Reply(answer.status_code, answer.content, answer.headers.get("content-type", "application/json"), headers)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
