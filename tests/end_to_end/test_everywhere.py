"""One approved post on every channel at once: a real Mastodon and Bluesky peer, an S3 bucket, emulators of the others; from one
command, read back by other clients than ours, and never twice.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import c2pa
import httpx
import pytest
from PIL import Image
from pydantic import SecretStr

from zirelia.channels.oauth import Found
from zirelia.domain.connection import Grant, Secrets
from zirelia.provenance.xmp import MADE_BY_AI
from zirelia.resources import folder
from zirelia.store.vault import new_key
from zirelia.studio import open_studio
from zirelia.studio.connecting import Account, store
from zirelia.studio.rehearsal import Wanted
from zirelia.studio.rehearsal_page import write_rehearsal_page
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
    pictures = {"folder": (home / "home" / "outbox" / "pub-1-folder.jpg").read_bytes()}
    pictures |= _read_by_others(stages["mastodon"].server, bluesky, caption)
    assert len(pictures) == 2 + BLUESKY
    for picture in pictures.values():
        _opens_elsewhere(picture, home / "read.jpg")
    verified = zirelia("verify", home / "home" / "outbox" / "pub-1-folder.jpg", "--json")
    assert verified.code == 0, verified
    _nothing_secret(stages, bluesky, home, _everything_said(zirelia, home) | {"verify": verified.out})


def _everything_said(zirelia, home):
    """What is shown besides the home's files: by commands, pages, the manifest, a dump, and a daemon."""
    commands = ("status", "show 1", "doctor", "results --page results.html", "costs", "queue", "connect", "replies", "calendar")
    said = {one: str(zirelia(*one.split())) for one in commands}
    with open_studio() as studio:
        start = _now() - timedelta(days=1)
        week = Wanted(name="week", personas=("mira",), start=start, until=start + timedelta(days=7), at=start)
        write_rehearsal_page(studio, week, home / "rehearsal.html")
    said |= {path.name: path.read_text() for path in home.glob("*.html")}
    assert {"results.html", "rehearsal.html"} <= said.keys()
    with (
        (home / "home" / "outbox" / "pub-1-folder.jpg").open("rb") as picture,
        c2pa.Reader("image/jpeg", picture) as reader,
    ):
        said["manifest"] = reader.json()
    with closing(sqlite3.connect(home / "home" / "zirelia.db")) as database:
        said["dump"] = "\n".join(database.iterdump())
    assert "mira" in said["dump"]
    return said | _daemon_said(home)


def _daemon_said(home):
    """The log of a daemon, and its pages."""
    log = home / "daemon.log"
    command = [sys.executable, "-m", "zirelia.cli", "up", "--roles", "clock,web"]
    with log.open("wb") as written:
        running = subprocess.Popen(
            command, cwd=home, env={**os.environ, "ZIRELIA_WEB_PORT": "0"}, stdout=written, stderr=written
        )
        try:
            end = time.monotonic() + 90
            while (
                '"event": "up"' not in log.read_text() or (found := re.search(r"http://127.0.0.1:\d+", log.read_text())) is None
            ):
                assert running.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.1)
            pages = {path: httpx.get(found[0] + path).text for path in ("/healthz", "/readyz", "/metrics")}
        finally:
            running.terminate()
            running.wait(60)
    assert "zirelia_posts" in pages["/metrics"]
    return pages | {log.name: log.read_text()}


def _nothing_secret(stages, bluesky, home, said):
    """In nothing that is said, and in no file of the home: pictures, receipts, cards, database."""
    kept = [stage.server.token for stage in stages.values()] + [BUCKET_SECRET]
    kept += [bluesky[1].access, bluesky[1].refresh] if bluesky else []
    kept += re.findall(r"ZIRELIA_TOKEN_KEY=(\S+)", (home / ".env").read_text())
    files = [path for path in (home / "home").rglob("*") if path.is_file()]
    assert {".jpg", ".json", ".db"} <= {path.suffix for path in files}
    for secret in kept:
        assert len(secret) > 8
        assert not [path.name for path in files if secret.encode() in path.read_bytes()]
        assert not [name for name, words in said.items() if secret in words]


def _opens_elsewhere(picture, path):
    """By libraries that know nothing of ours: signed, unchanged, made by AI."""
    with c2pa.Reader("image/jpeg", io.BytesIO(picture)) as reader:
        assert reader.get_validation_state() == "Valid"
        said = json.loads(reader.json())
    assert MADE_BY_AI in json.dumps(said["manifests"][said["active_manifest"]])
    with Image.open(io.BytesIO(picture)) as image:
        assert MADE_BY_AI in image.info["xmp"].decode()
    if shutil.which("exiftool"):
        path.write_bytes(picture)
        told = subprocess.run(["exiftool", "-j", "-G1", path], capture_output=True, text=True, timeout=60, check=True)
        (tags,) = json.loads(told.stdout)
        assert tags["XMP-iptcExt:DigitalSourceType"] == MADE_BY_AI


def _read_by_others(mastodon, bluesky, caption):
    """The posts as other clients see them; channel → its picture's bytes."""
    from mastodon import Mastodon

    client = Mastodon(access_token=mastodon.token, api_base_url=_accounts().mastodon_peer().url, request_timeout=30)
    (status,) = client.account_statuses(mastodon.account)
    assert caption[:20] in status["content"]
    assert status["media_attachments"][0]["description"]
    pictures = {"mastodon": httpx.get(status["media_attachments"][0]["url"]).raise_for_status().content}
    if bluesky is not None:
        from atproto import Client

        pds, account = bluesky
        reader = Client(base_url=f"{pds.url}/xrpc")
        try:
            found = reader.com.atproto.repo.list_records({"repo": account.did, "collection": "app.bsky.feed.post"})
            (record,) = found.records
            (shown,) = record.value.embed.images
            pictures["bluesky"] = reader.com.atproto.sync.get_blob({"did": account.did, "cid": shown.image.cid.encode()})
        finally:
            reader.request.close()
        assert caption[:20] in record.value.text
        assert shown.alt
    return pictures


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
