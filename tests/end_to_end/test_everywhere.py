"""One approved post on every channel at once: a real Mastodon and Bluesky peer, an S3 bucket, emulators of the others; from one
command, read back by other clients than ours, and never twice.
"""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from zirelia.channels.oauth import Found
from zirelia.domain.connection import Grant, Secrets
from zirelia.resources import folder
from zirelia.store.vault import new_key
from zirelia.studio import open_studio
from zirelia.studio.connecting import Account, store
from zirelia.testing.pds_server import PdsServer, packages

EMULATED = ("instagram", "threads", "facebook", "mastodon", "x")
BUCKET_SECRET = "planted-bucket-secret-5d1f"
BLUESKY = packages() is not None
NAMES = ("folder", *EMULATED, *(("bluesky",) if BLUESKY else ()))


def _now():
    return datetime.now(UTC)


def _accounts():
    path = Path(__file__).parents[1] / "channels" / "meta_accounts.py"
    spec = importlib.util.spec_from_file_location("channels_meta_accounts", path)
    module = sys.modules.setdefault("channels_meta_accounts", importlib.util.module_from_spec(spec))
    if not hasattr(module, "staged"):
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def world(env, write_env, home, zirelia):
    """Every account on its peer, connected to mira, whose pack names them all; a post of hers that waits for a person."""
    shutil.copytree(folder("persona") / "mira", home / "persona" / "mira")
    pack = home / "persona" / "mira" / "persona.yaml"
    pack.write_text(re.sub(r"^channels:.*$", f"channels: [{', '.join(NAMES)}]", pack.read_text(), flags=re.M))
    with ExitStack() as stack:
        stages = {name: stack.enter_context(_accounts().staged(name, _now)) for name in EMULATED}
        bucket = f"mira-{secrets.token_hex(4)}"
        pds = PdsServer.shared() if BLUESKY else None
        names = {
            "ZIRELIA_TOKEN_KEY": new_key(),
            "ZIRELIA_HOSTING_BACKEND": "s3",
            "ZIRELIA_HOSTING_ENDPOINT": _accounts().moto_bucket(bucket),
            "ZIRELIA_HOSTING_BUCKET": bucket,
            "ZIRELIA_HOSTING_ACCESS_KEY": "access",
            "ZIRELIA_HOSTING_SECRET_KEY": BUCKET_SECRET,
        }
        names |= {f"ZIRELIA_CHANNELS_{n.upper()}_URL": stages[n].server.url for n in ("instagram", "threads", "facebook", "x")}
        write_env(env | names)
        with open_studio() as studio:
            for name, stage in stages.items():
                server = stage.server
                account = server.page if name == "facebook" else server.user if name == "x" else server.account
                grant = Grant(secrets=Secrets(access=SecretStr(server.token)))
                store(studio, "mira", name, Account(Found(str(account), "mira", grant), server.url))
            if pds is not None:
                one = pds.new_account()
                grant = Grant(secrets=Secrets(access=SecretStr(one.access), refresh=SecretStr(one.refresh)))
                store(studio, "mira", "bluesky", Account(Found(one.did, one.handle, grant), pds.url))
        assert zirelia("produce").code == 0
        yield stages, pds and (pds, one)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pydantic.warnings.PydanticDeprecatedSince20")
def test_one_command_publishes_everywhere_once(world, zirelia, home):
    stages, bluesky = world
    said = zirelia("approve-and-post", 1, "--by", "ana")
    assert said.code == 0, said
    publications = {one["channel"]: one for one in zirelia("post", 1, "--json").json["publications"]}
    assert {name: one["state"] for name, one in publications.items()} == dict.fromkeys(NAMES, "published")
    caption = zirelia("show", 1, "--json").json["draft"]["caption"]
    for name, stage in stages.items():
        ours = [one for one in stage.server.published if one.get("kind", name) == name]
        assert len(ours) == 1, name
        assert caption[:20] in str(ours[0]["text"]), name
    assert stages["x"].server.published[0]["ai"] is True
    assert stages["instagram"].server.published[0]["ai"] is True
    _read_by_others(stages["mastodon"].server, bluesky, caption)
    _nothing_secret(
        stages, bluesky, home, [zirelia(*one.split()) for one in ("status", "show 1", "doctor", "results", "costs")]
    )
    verified = zirelia("verify", home / "home" / "outbox" / "pub-1-folder.jpg", "--json")
    assert verified.code == 0, verified


def _nothing_secret(stages, bluesky, home, said):
    """Not in what commands say, not in a file of the home: pictures, receipts, cards, database, logs."""
    kept = [stage.server.token for stage in stages.values()] + [BUCKET_SECRET]
    kept += [bluesky[1].access, bluesky[1].refresh] if bluesky else []
    kept += re.findall(r"ZIRELIA_TOKEN_KEY=(\S+)", (home / ".env").read_text())
    files = [path for path in (home / "home").rglob("*") if path.is_file()]
    assert {".jpg", ".json", ".db"} <= {path.suffix for path in files}
    for secret in kept:
        assert len(secret) > 8
        assert not [path.name for path in files if secret.encode() in path.read_bytes()]
        assert not [one for one in said if secret in one.out + one.err]


def _read_by_others(mastodon, bluesky, caption):
    from mastodon import Mastodon

    client = Mastodon(access_token=mastodon.token, api_base_url=_accounts().mastodon_peer().url, request_timeout=30)
    (status,) = client.account_statuses(mastodon.account)
    assert caption[:20] in status["content"]
    assert status["media_attachments"][0]["description"]
    if bluesky is not None:
        from atproto import Client

        pds, account = bluesky
        reader = Client(base_url=f"{pds.url}/xrpc")
        try:
            found = reader.com.atproto.repo.list_records({"repo": account.did, "collection": "app.bsky.feed.post"})
        finally:
            reader.request.close()
        (record,) = found.records
        assert caption[:20] in record.value.text
        assert record.value.embed.images[0].alt


@pytest.mark.slow
def test_two_terminals_at_once_publish_once(world, zirelia, home):
    stages, _ = world
    script = "import sys\nfrom zirelia.cli import run\nsys.exit(run(['approve-and-post', '1', '--by', sys.argv[1]]))"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, who], env=dict(os.environ), cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for who in ("ana", "ben")
    ]
    ends = [(one.communicate(timeout=180), one.returncode) for one in both]
    assert 0 in [code for _, code in ends], ends
    assert zirelia("post", 1).code == 0
    for name, stage in stages.items():
        assert len([one for one in stage.server.published if one.get("kind", name) == name]) == 1, name
    history = zirelia("show", 1, "--json").json
    assert [event["after"] for event in history["events"]].count("published") == 1
