"""A picture put where platforms fetch it, on real peers: moto_server, s3rver where it is installed, and our own role web."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import socket
import sys
import time
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette

from zirelia.channels import hosting
from zirelia.channels.hosting import OwnHost, S3Host, nowhere
from zirelia.channels.instagram import InstagramChannel
from zirelia.domain.publication import Receipt
from zirelia.errors import ConfigurationError, ProviderError, ProviderRefused
from zirelia.settings import Settings, load_settings
from zirelia.settings.tree import HostingSettings
from zirelia.studio.hosting import host_of, sweep
from zirelia.testing.http_peer import LoopbackPeer, Reply
from zirelia.testing.peer_process import PeerProcess

from .conftest import NOW, beside

JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 40
ACCESS, SECRET = "AKIAPLANTEDACCESSKEY", "plantedSecretKey/0123456789+abcdefghijkl"
BUCKET = "mira-pictures"
S3RVER = Path(sys.prefix) / "s3rver" / "node_modules" / "s3rver" / "bin" / "s3rver.js"


class S3rver(PeerProcess):
    """Checks whose a signature is and when it ends, which moto does not."""

    name = "s3rver"

    def command(self):
        data, port = self.folder / "data", str(self.port)
        return ["node", str(S3RVER), "-a", "127.0.0.1", "-d", str(data), "--configure-bucket", BUCKET, "-p", port]

    def answers(self):
        return "S3rver listening" in self.log()


@pytest.fixture(scope="module")
def moto():
    return beside("meta_accounts").moto_bucket(BUCKET)


def opened(url):
    """Everybody may read the bucket's objects, as behind a public address."""
    allowed = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    bucket(url)._client.put_bucket_policy(Bucket=BUCKET, Policy=policy)


@pytest.fixture(scope="module")
def s3rver():
    if shutil.which("node") is None or not S3RVER.is_file():
        pytest.skip("s3rver is not there: npm install --prefix .venv/s3rver --ignore-scripts s3rver@3.7.1")
    with S3rver() as peer:
        yield peer.url


def bucket(url, **changes):
    keys = {"access_key": SecretStr(ACCESS), "secret_key": SecretStr(SECRET)}
    return S3Host(BUCKET, endpoint=url, **({"sleep": lambda _: None} | keys | changes))


def of_s3rver(url, **changes):
    return bucket(url, access_key=SecretStr("S3RVER"), secret_key=SecretStr("S3RVER"), **changes)


def fetched(url):
    return httpx.get(url, trust_env=False)


@pytest.mark.parametrize("public", [True, False])
def test_a_picture_is_put_and_fetched_by_anybody_who_knows_where(moto, public):
    if public:
        opened(moto)
    host = bucket(moto, public_url=f"{moto}/{BUCKET}" if public else None)
    with host(JPEG, "image/jpeg") as url, host(JPEG, "image/jpeg") as other:
        answer = fetched(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert hashlib.sha256(answer.content).digest() == hashlib.sha256(JPEG).digest()
        assert urlsplit(url).path != urlsplit(other).path
        name = urlsplit(url).path.rpartition("/")[2]
        assert len(name.removesuffix(".jpg")) == 32  # 24 random bytes
        assert ("X-Amz-Signature" in url) is not public
    assert fetched(url).status_code == 200  # platforms may come late
    if not public:
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == [str(25 * 3600)]


def test_a_signed_address_holds_on_a_server_that_checks_it_and_ends(s3rver, monkeypatch):
    with of_s3rver(s3rver)(JPEG, "image/jpeg") as url:
        assert fetched(url).content == JPEG
    assert fetched(url.replace("Credential=S3RVER", "Credential=OTHER")).status_code == 403
    long_ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=26)
    host, real = of_s3rver(s3rver), hosting.S3Host._put

    def put_then_sign_in_the_past(self, name, data):
        real(self, name, data)
        with monkeypatch.context() as past:
            past.setattr("botocore.auth.get_current_datetime", lambda *_, **__: long_ago)
            return self._client.generate_presigned_url(
                "get_object", Params={"Bucket": BUCKET, "Key": f"zirelia/{name}"}, ExpiresIn=25 * 3600
            )

    monkeypatch.setattr(hosting.S3Host, "_put", put_then_sign_in_the_past)
    with pytest.raises(ProviderError, match="HTTP 403") as error, host(JPEG, "image/jpeg"):
        pass
    assert "may everybody read" in error.value.hint
    assert "X-Amz" not in str(error.value)


@pytest.mark.parametrize("peer", ["moto", "s3rver"])
def test_what_is_over_is_deleted_and_nothing_else(request, peer):
    url = request.getfixturevalue(peer)
    host = bucket(url) if peer == "moto" else of_s3rver(url)
    host.sweep(datetime.now(UTC) + timedelta(days=30))
    others = ["zirelia/notes.txt", "somebody-else.jpg", f"zirelia/sub/{'x' * 32}.jpg"]
    for key in others:
        host._client.put_object(Bucket=BUCKET, Key=key, Body=b"mine")
    for _ in range(3):
        with host(JPEG, "image/jpeg") as where:
            pass
    now = datetime.now(UTC)
    assert host.sweep(now + timedelta(hours=24, minutes=30)) == 0
    assert fetched(where).status_code == 200
    assert host.sweep(now + timedelta(hours=25, minutes=1)) == 3
    assert fetched(where).status_code == 404
    kept = {entry["Key"] for entry in host._client.list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert kept == set(others)


def test_wrong_keys_are_refused_with_a_hint(s3rver):
    host = bucket(s3rver, access_key=SecretStr("WRONGKEY"))
    with pytest.raises(ProviderRefused, match="InvalidAccessKeyId") as error, host(JPEG, "image/jpeg"):
        pass
    assert "ZIRELIA_HOSTING" in error.value.hint
    assert "WRONGKEY" not in str(error.value)


def test_a_bucket_that_is_not_there_is_named_as_such(moto):
    host = S3Host("no-such-bucket", endpoint=moto, access_key=SecretStr(ACCESS), secret_key=SecretStr(SECRET))
    with pytest.raises(ProviderRefused, match="NoSuchBucket"), host(JPEG, "image/jpeg"):
        pass
    with pytest.raises(ProviderRefused, match="NoSuchBucket"):
        host.sweep(datetime.now(UTC))


def test_instagram_fetches_it_from_there(moto, plan, envelope):
    with beside("meta_accounts").staged("instagram", lambda: NOW) as stage:
        known = stage.open()
        channel = InstagramChannel(known._line, version="v25.0", account=stage.server.account, host=bucket(moto))
        assert isinstance(channel.submit(plan(channel="instagram"), envelope().sending()), Receipt)
        with pytest.raises(ProviderRefused, match="no place is set"):
            InstagramChannel(known._line, version="v25.0", account=stage.server.account, host=nowhere).submit(
                plan(2, channel="instagram"), envelope().sending()
            )
        assert len(stage.server.published) == 1


class Odd(LoopbackPeer):
    """Takes pictures, and gives others."""

    reply = Reply(200, JPEG, "image/jpeg")
    failures = 0

    def answer(self, request):
        if self.failures and request.method == "GET":
            self.failures -= 1
            return Reply(503)
        return self.reply


@pytest.mark.parametrize(
    ("reply", "message", "retryable"),
    [
        (Reply(404, b"no", "text/plain"), "HTTP 404", False),
        (Reply(403, b"no", "text/plain"), "HTTP 403", False),
        (Reply(302, headers={"Location": "https://elsewhere.example/"}), "HTTP 302", False),
        (Reply(503), "HTTP 503", True),
        (Reply(200, JPEG, "text/html"), "as text/html, not as image/jpeg", False),
        (Reply(200, JPEG[:-1], "image/jpeg"), f"{len(JPEG) - 1} bytes of {len(JPEG)}", True),
        (Reply(200, JPEG + b"x" * 10_000_000, "image/jpeg"), f"bytes of {len(JPEG)}", True),
        (Reply(200, JPEG[:-1] + b"x", "image/jpeg"), "gives another picture", False),
        (Reply(200, JPEG, "image/jpeg", announced=len(JPEG) + 5), "connection failed", True),
        (Reply(silent=True), "connection failed", True),
    ],
)
def test_what_would_not_be_fetched_as_it_is_is_not_handed_out(tmp_path, reply, message, retryable):
    slept = []
    with Odd() as odd:
        odd.reply = reply
        host = OwnHost(tmp_path / "hosted", public_url=odd.url, sleep=slept.append)
        with pytest.raises(ProviderError, match=message) as error, host(JPEG, "image/jpeg"):
            pytest.fail("it was handed out")
        assert error.value.retryable is retryable
        assert len(odd.requests) == (3 if retryable else 1)
        assert odd.requests[0].path not in str(error.value)


def test_a_place_that_comes_up_a_little_later_is_waited_for(tmp_path):
    with Odd() as odd:
        odd.failures = 2
        with OwnHost(tmp_path / "hosted", public_url=odd.url, sleep=lambda _: None)(JPEG, "image/jpeg"):
            assert len(odd.requests) == 3


@pytest.mark.parametrize(("data", "kind"), [(JPEG, "image/png"), (b"\x89PNG", "image/jpeg"), (b"", "image/jpeg")])
def test_only_jpegs_are_put_anywhere(tmp_path, data, kind):
    folder = tmp_path / "hosted"
    with pytest.raises(ProviderRefused, match="must be a JPEG"), OwnHost(folder, public_url="https://a.example")(data, kind):
        pass
    assert not folder.exists()


def test_no_key_is_shown(moto, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    host = bucket(moto)
    said = [repr(host), repr(vars(host)), str(HostingSettings(access_key=SecretStr(ACCESS), secret_key=SecretStr(SECRET)))]
    with host(JPEG, "image/jpeg"):
        host.sweep(datetime.now(UTC))
    with Odd() as odd:  # says the keys back, as no server should
        xml = f"<Error><Code>Nope</Code><Message>{ACCESS} {SECRET} no</Message></Error>"
        for status in (403, 404, 500):
            odd.reply = Reply(status, xml.encode(), "application/xml")
            for call in (
                lambda: bucket(odd.url)(JPEG, "image/jpeg").__enter__(),
                lambda: bucket(odd.url).sweep(datetime.now(UTC)),
            ):
                with pytest.raises(ProviderError) as error:
                    call()
                said += [str(error.value), "".join(traceback.format_exception(error.value))]
    with pytest.raises(ProviderError, match="connection failed") as down:
        bucket("http://127.0.0.1:9", timeout=1.0).sweep(datetime.now(UTC))
    assert down.value.retryable
    said += ["".join(traceback.format_exception(down.value)), caplog.text]
    assert not [words for words in said if ACCESS in words or SECRET in words or "X-Amz-Signature" in words]


@pytest.mark.parametrize("url", ["http://pictures.example", "ftp://pictures.example", "pictures.example"])
def test_an_address_in_the_clear_is_refused(tmp_path, url):
    with pytest.raises(ConfigurationError, match="not reached by https"):
        OwnHost(tmp_path, public_url=url)
    for place in ({"endpoint": url}, {"public_url": url}):
        with pytest.raises(ConfigurationError, match="not reached by https"):
            S3Host(BUCKET, access_key=SecretStr(ACCESS), secret_key=SecretStr(SECRET), **place)


@pytest.mark.parametrize("keep", [timedelta(), timedelta(days=8)])
def test_pictures_are_not_kept_for_ever(tmp_path, keep):
    with pytest.raises(ConfigurationError, match="7 days"):
        OwnHost(tmp_path, public_url="https://a.example", keep=keep)


# ---- the role web


@pytest.fixture
def web(tmp_path):
    """The routes of the role web on a real server, and settings of a home beside which other things lie."""
    import threading

    import uvicorn

    from zirelia.web.health import HEADERS, _Headers
    from zirelia.web.pictures import picture_routes

    home = tmp_path / "home"
    (home / "media").mkdir(parents=True)
    (home / "zirelia.db").write_text("the database")
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    settings = Settings(home=home, hosting=HostingSettings(backend="own", public_url=url))
    app = Starlette(routes=list(picture_routes(settings)))
    server = uvicorn.Server(uvicorn.Config(_Headers(app), http="h11", ws="none", lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield settings, url, HEADERS
    server.should_exit = True
    thread.join(10)
    bound.close()


def raw(url, target):
    """The status of a path that no client would send as it is."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as line:
        line.sendall(f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        said = b""
        while chunk := line.recv(65536):
            said += chunk
    return int(said.split()[1]), said


def test_the_role_web_shows_a_picture_and_only_that(web):
    settings, url, headers = web
    with host_of(settings)(JPEG, "image/jpeg") as where:
        answer = fetched(where)
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, JPEG, "image/jpeg")
        assert {name: answer.headers[name] for name in headers} == headers
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert httpx.head(where).status_code == 200
        assert httpx.post(where).status_code == 405
        (file,) = (settings.home / "hosted").iterdir()
        assert file.stat().st_mode & 0o077 == 0
    assert fetched(where).status_code == 200
    for path in ("/media/", "/media", "/media/" + "x" * 32 + ".jpg", "/hosted/" + file.name, "/" + file.name):
        assert fetched(url + path).status_code in {404, 405}


@pytest.mark.parametrize(
    "target",
    [
        "/media/../zirelia.db",
        "/media/..%2fzirelia.db",
        "/media/%2e%2e/zirelia.db",
        "/media/..%5czirelia.db",
        "/media/%2e%2e%2f%2e%2e%2fzirelia.db",
        "/media/....//zirelia.db",
        "/media//etc/passwd",
        "/media/%2fetc%2fpasswd",
        "/media/zirelia.db",
        "/media/zirelia.db%00.jpg",
        "/media/.part-abc",
        "/media/link-to-the-database-0123456789.jpg",
        "/media/folder-with-a-good-name-01234567.jpg",
        "//media/zirelia.db",
    ],
)
def test_nothing_else_of_the_home_is_reached(web, target):
    settings, url, _ = web
    folder = settings.home / "hosted"
    folder.mkdir()
    (folder / ".part-abc").write_bytes(JPEG)
    (folder / "zirelia.db").write_text("the database")
    (folder / "link-to-the-database-0123456789.jpg").symlink_to(settings.home / "zirelia.db")
    (folder / f"{'l' * 32}.jpg").symlink_to(settings.home / "zirelia.db")
    (folder / f"{'d' * 32}.jpg").mkdir()
    os.mkfifo(folder / f"{'f' * 32}.jpg")
    for path in (target, *(f"/media/{letter * 32}.jpg" for letter in "ldf")):
        status, said = raw(url, path)
        assert status == 404
        assert b"the database" not in said
        assert b"root:" not in said


def test_a_picture_of_ones_own_ends(web):
    settings, _, _ = web
    with host_of(settings)(JPEG, "image/jpeg") as where:
        pass
    folder = settings.home / "hosted"
    (file,) = folder.iterdir()
    (folder / ".part-left").write_bytes(b"half")
    (folder / "notes.txt").write_text("mine")
    now = datetime.now(UTC)
    assert sweep(settings, now + timedelta(hours=24, minutes=30)) == 0
    # over, though nobody swept
    for path in folder.iterdir():
        os.utime(path, (time.time() - 26 * 3600,) * 2)
    assert fetched(where).status_code == 404
    assert file.exists()
    assert sweep(settings, now) == 2
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "hosted").write_text("a file")
    with (
        pytest.raises(ProviderError, match="cannot be written"),
        OwnHost(tmp_path / "hosted", public_url="https://a.example")(JPEG, "image/jpeg"),
    ):
        pass


# ---- the settings


def test_without_a_place_nothing_is_published_and_the_hint_says_what_to_set(tmp_path):
    settings = Settings(home=tmp_path)
    assert host_of(settings) is nowhere
    assert sweep(settings, datetime.now(UTC)) == 0
    with pytest.raises(ProviderRefused, match="no place is set") as error, host_of(settings)(JPEG, "image/jpeg"):
        pass
    assert "ZIRELIA_HOSTING_BACKEND" in error.value.hint


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("ZIRELIA_HOSTING_BACKEND=s3", "s3 needs bucket, access_key and secret_key"),
        ("ZIRELIA_HOSTING_BACKEND=own", "own needs public_url"),
        ("ZIRELIA_HOSTING_BACKEND=ftp", "'none', 's3' or 'own'"),
        ("ZIRELIA_HOSTING_KEEP_HOURS=0", "keep_hours|KEEP_HOURS"),
        ("ZIRELIA_HOSTING_BUCKET=../other", "BUCKET"),
    ],
)
def test_settings_that_cannot_work_are_named(tmp_path, lines, message):
    (tmp_path / ".env").write_text(lines + "\n")
    with pytest.raises(ConfigurationError) as error:
        load_settings(tmp_path, {})
    assert re.search(message, str(error.value))


def test_the_settings_choose_the_place(tmp_path, moto):
    (tmp_path / ".env").write_text(
        f"ZIRELIA_HOSTING_BACKEND=s3\nZIRELIA_HOSTING_ENDPOINT={moto}\nZIRELIA_HOSTING_BUCKET={BUCKET}\n"
        f"ZIRELIA_HOSTING_ACCESS_KEY={ACCESS}\nZIRELIA_HOSTING_SECRET_KEY={SECRET}\nZIRELIA_HOSTING_KEEP_HOURS=2\n"
    )
    settings = load_settings(tmp_path, {})
    host = host_of(settings)
    assert isinstance(host, S3Host)
    with host(JPEG, "image/jpeg") as url:
        assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == [str(3 * 3600)]
    assert sweep(settings, datetime.now(UTC) + timedelta(hours=4)) >= 1
