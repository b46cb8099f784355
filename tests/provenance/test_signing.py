"""The signed picture: what others read in it, and how every change shows."""

from __future__ import annotations

import http.server
import io
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from zirelia.domain.persona import Persona
from zirelia.domain.post import Post
from zirelia.errors import ConfigurationError, MediaError
from zirelia.ports import Capabilities
from zirelia.provenance.certificate import Certificate, own_certificate, read_certificate
from zirelia.provenance.jpeg import read_provenance
from zirelia.provenance.manifest import LINEAGE, LoraFacts, manifest
from zirelia.provenance.reading import Examined, SignatureState, examine
from zirelia.provenance.sealer import JpegSealer
from zirelia.provenance.signing import Signer
from zirelia.provenance.xmp import MADE_BY_AI

S = SignatureState
READER = """
import json, sys
import c2pa
with c2pa.Reader("image/jpeg", open(sys.argv[1], "rb")) as reader:
    print(reader.json())
"""


@pytest.fixture
def sealed(picture: bytes, post: Post, mira: Persona, limits: Capabilities, certificate: Certificate) -> bytes:
    facts = LoraFacts(name="mira", sha256=post.attempts[0].provenance.lora_sha256, base_model="flux", dataset_sha256="cd" * 32)
    sealer = JpegSealer(Signer(lambda: certificate), known=lambda sha256: facts if sha256 == facts.sha256 else None)
    return sealer.seal(picture, post=post, persona=mira, limits=limits)


def read_elsewhere(path: Path) -> dict[str, Any]:
    """As somebody reads it who has nothing of ours: another process, the library alone, its own settings."""
    told = subprocess.run([sys.executable, "-c", READER, path], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(told.stdout)


def test_an_outside_reader_sees_who_made_it_and_how(sealed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    path.write_bytes(sealed)
    report = read_elsewhere(path)
    assert report["validation_state"] == "Valid"
    active = report["manifests"][report["active_manifest"]]
    said = {one["label"]: one["data"] for one in active["assertions"]}
    (created,) = said["c2pa.actions.v2"]["actions"]
    assert (created["action"], created["digitalSourceType"]) == ("c2pa.created", MADE_BY_AI)
    assert created["softwareAgent"]["name"] == "Zirelia"
    assert created["when"] == "2026-11-21T09:00:00Z"
    assert {one["use"] for one in said["cawg.training-mining"]["entries"].values()} == {"notAllowed"}
    lineage = said[LINEAGE]
    assert lineage["lora"] == {
        "sha256": "5e1c" * 16,
        "name": "mira",
        "base_model": "flux",
        "dataset_sha256": "cd" * 32,
        "scale": 1.0,
    }
    assert (lineage["model"], lineage["seed"], lineage["steps"]) == ("flux-dev", 7, 16)
    assert "thumbnail" not in active
    # nothing of the prompt, and nothing of this machine
    for hidden in (b"secret plan", b"/home/ana", b"PRIVATE"):
        assert hidden not in sealed


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_reads_label_and_manifest(sealed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    path.write_bytes(sealed)
    told = subprocess.run(["exiftool", "-j", "-G1", path], capture_output=True, text=True, timeout=60, check=True)
    (tags,) = json.loads(told.stdout)
    assert tags["XMP-iptcExt:DigitalSourceType"] == MADE_BY_AI
    assert tags["XMP-iptcCore:AltTextAccessibility"] == "A woman with tea"
    assert tags["CBOR:ActionsDigitalSourceType"] == MADE_BY_AI


def test_the_label_inside_says_which_system_drew_it(sealed: bytes) -> None:
    label = read_provenance(sealed)
    assert label is not None
    assert (label.ai_system, label.ai_system_version, label.creator) == ("flux-dev", "1", "Mira, a virtual character")


def test_who_knows_the_signer_trusts_it_and_nobody_else(sealed: bytes, certificate: Certificate, tmp_path: Path) -> None:
    assert examine(sealed).state is S.VALID
    assert examine(sealed, known=[certificate.chain]).state is S.TRUSTED
    stranger = own_certificate(tmp_path / "other")
    seen = examine(sealed, known=[stranger.chain])
    assert (seen.state, seen.signer) == (S.VALID, "Zirelia home · Zirelia (self-signed)")
    assert seen.says_made_by_ai
    assert seen.training["cawg.data_mining"] == "notAllowed"


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_every_change_shows(sealed: bytes, certificate: Certificate) -> None:
    known = [certificate.chain]
    pixels = examine(_flipped(sealed, len(sealed) - 200), known=known)
    assert (pixels.state, pixels.problems) == (S.INVALID, ("the picture was changed after it was signed",))
    label = examine(_flipped(sealed, sealed.index(b"A woman with tea")), known=known)
    assert label.state is S.INVALID
    statement = examine(_flipped(sealed, sealed.index(b"notAllowed")), known=known)
    assert (statement.state, statement.problems) == (S.INVALID, ("a statement was changed after it was signed",))
    appended = examine(sealed + b"more", known=known)
    assert appended.state is S.INVALID


def test_a_stripped_picture_says_nothing(sealed: bytes) -> None:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(sealed)) as opened:
        opened.convert("RGB").save(buffer, "JPEG")
    assert examine(buffer.getvalue()) == Examined(state=S.NONE)
    assert not examine(buffer.getvalue()).says_made_by_ai


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"%PDF-1.7"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError):
        examine(data)


def test_a_cut_file_is_never_valid(sealed: bytes, certificate: Certificate) -> None:
    for end in range(0, len(sealed) - 1, max(1, len(sealed) // 40)):
        try:
            seen = examine(sealed[:end], known=[certificate.chain])
        except MediaError:
            continue
        assert seen.state in {S.INVALID, S.NONE}


def test_the_same_picture_signed_twice_has_the_same_pixels(
    picture: bytes, post: Post, mira: Persona, limits: Capabilities, certificate: Certificate
) -> None:
    sealer = JpegSealer(Signer(lambda: certificate))
    first, second = (sealer.seal(picture, post=post, persona=mira, limits=limits) for _ in range(2))
    assert first != second
    assert len(first) == len(second)
    assert Image.open(io.BytesIO(first)).tobytes() == Image.open(io.BytesIO(second)).tobytes()
    lineage = examine(first).lineage
    assert lineage is not None
    assert lineage["lora"] == {"sha256": "5e1c" * 16, "scale": 1.0}  # of an unknown LoRA only what is certain


def test_a_limit_holds_with_the_signature_inside(post: Post, mira: Persona, certificate: Certificate) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((600, 400), 120).convert("RGB").save(buffer, "PNG")
    for limit in (120_000, 60_000):
        limits = Capabilities(2200, 30, 1000, limit, ai_label=True)
        made = JpegSealer(Signer(lambda: certificate)).seal(buffer.getvalue(), post=post, persona=mira, limits=limits)
        assert len(made) <= limit
        assert examine(made, known=[certificate.chain]).state is S.TRUSTED


@pytest.mark.parametrize("kind", ["p-256", "p-384", "ed25519", "rsa"])
def test_a_brought_certificate_signs(
    kind: str, brought: Callable[..., tuple[Path, Path]], picture: bytes, post: Post, mira: Persona, limits: Capabilities
) -> None:
    certificate = read_certificate(*brought(kind))
    made = JpegSealer(Signer(lambda: certificate)).seal(picture, post=post, persona=mira, limits=limits)
    seen = examine(made, known=[certificate.chain])
    assert (seen.state, seen.signer) == (S.TRUSTED, "Ana · Ana Ltd")


def test_a_certificate_that_may_not_sign_is_refused_before_anything_goes_out(
    brought: Callable[..., tuple[Path, Path]], picture: bytes, post: Post, mira: Persona, limits: Capabilities
) -> None:
    for options, says in (({"days": -1}, "ended on"), ({"usage": False}, "cannot sign pictures")):
        certificate = read_certificate(*brought(**options))
        with pytest.raises(ConfigurationError, match=says) as refused:
            JpegSealer(Signer(lambda given=certificate: given)).seal(picture, post=post, persona=mira, limits=limits)
        assert certificate.key.get_secret_value()[40:80] not in str(refused.value)


def test_what_is_no_jpeg_is_not_signed(certificate: Certificate, post: Post) -> None:
    with pytest.raises(MediaError, match="could not be signed"):
        Signer(lambda: certificate).sign(b"\xff\xd8\xffnothing", manifest(post))


def test_a_manifest_elsewhere_is_not_fetched(picture: bytes, certificate: Certificate, post: Post) -> None:
    from c2pa import Builder, C2paSignerInfo, Context
    from c2pa import Signer as Native

    asked: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        info = C2paSignerInfo(b"es256", certificate.chain.encode(), certificate.key.get_secret_value().encode(), None)
        settings = {"version": 1, "verify": {"verify_after_sign": False}}
        native = Native.from_info(info)
        with Context.from_dict(settings, signer=native) as context, Builder(manifest(post), context=context) as builder:
            builder.set_no_embed()
            builder.set_remote_url(f"http://127.0.0.1:{server.server_port}/manifest.c2pa")
            out = io.BytesIO()
            builder.sign("image/png", io.BytesIO(picture), out)
        seen = examine(out.getvalue())
        server.shutdown()
    assert (seen.state, seen.notes) == (S.NONE, ("its manifest lies elsewhere, and is not fetched",))
    assert asked == []
