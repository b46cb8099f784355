"""No secret in words: whatever stands around it, however it is written, wherever it lies."""

from __future__ import annotations

import base64
import json
import math
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from zirelia.engine.masking import LONGEST, MASK, Masking
from zirelia.settings import Settings
from zirelia.settings.tree import NotifySettings, OpenAISettings, ReplicateSettings
from zirelia.store.vault import new_key

KEY, TOKEN, PASSWORD = "kq9-Zx_71vPw", "aB3dE5gH7", "p@ss/w ö\"rd\\'%"
WEBHOOK = "https://hooks.example/services/T0AAA/B0BBB/c1c2c3c4"
SETTINGS = Settings(
    openai=OpenAISettings(api_key=SecretStr(KEY)),
    replicate=ReplicateSettings(api_token=SecretStr(TOKEN)),
    notify=NotifySettings(url=SecretStr(WEBHOOK)),
    database_url=SecretStr(f"postgresql://zirelia:{quote(PASSWORD, safe='')}@db.example/zirelia"),
    passed_on={"ANTHROPIC_API_KEY": SecretStr("anthro-1"), "DEBUG": SecretStr("true"), "POSTGRES_DB": SecretStr("zirelia")},
)
SECRETS = (KEY, TOKEN, PASSWORD, WEBHOOK, "anthro-1")


@pytest.fixture(scope="module")
def mask():
    return Masking(SETTINGS)


@given(before=st.text(), after=st.text(), secret=st.sampled_from(SECRETS))
def test_whatever_stands_around_a_secret(mask, before, after, secret):
    said = mask.text(before + secret + after)
    # of the parts around it nothing may be asked: they may look like a secret themselves
    assert secret not in said
    said.encode("utf-8")


@given(st.recursive(st.sampled_from(SECRETS) | st.integers() | st.floats() | st.binary(), lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(SECRETS) | st.tuples(st.integers()), inner)))  # fmt: skip  # noqa: E501
def test_whatever_it_lies_in(mask, value):
    written = json.dumps(mask.value(value), allow_nan=False, ensure_ascii=False)
    for secret in SECRETS:
        assert secret not in written
        assert json.dumps(secret)[1:-1] not in written


@pytest.mark.parametrize("write", [str, quote, quote_plus, repr, json.dumps, lambda text: f"{text!r:>40}"])
@pytest.mark.parametrize("secret", SECRETS)
def test_however_it_is_written(mask, secret, write):
    said = mask.text(f"seen: {write(secret)}.")
    assert write(secret).strip(" \"'") not in said
    assert MASK in said


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("postgresql+psycopg://ana:pw-1@db.example:5432/x refused", "db.example:5432/x refused"),
        ("postgresql://ana:p@w@d@db.example/x", "db.example/x"),
        ("redis://:hidden@cache", "@cache"),
        ("https://ghuser0token@git.example/x", "git.example/x"),
        ("Authorization: Bearer abcdef.ghijkl", "Authorization: "),
        ("sent with Bearer abcdef.ghijkl!", "Bearer "),
        ("'authorization': 'Basic " + base64.b64encode(b"ana:hidden").decode() + "'", "authorization"),
        ("x-api-key: hidden-77", "api-key"),
        ('{"password": "hid den", "tries": 3}', '"tries": 3'),
        ("{'client_secret': 'hid\\'den', 'tries': 3}", "'tries': 3"),
        ("dbname=x password=hidden host=y", "host=y"),
        ("OPENAI_API_KEY=hidden make up", "make up"),
        ("Set-Cookie: sid=hidden; Path=/\nnext line", "next line"),
        ("GET /v1?key=hidden&page=2", "page=2"),
        ("https://cdn.example/a.png?X-Amz-Signature=hidden&x=1", "x=1"),
        ("wrong key sk-proj-abcDEF123456789 given", "given"),
        ("ghp_abcdefghijklmnop1234, hf_abcdefghijklmnop", MASK),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", MASK),
        ("AKIAABCDEFGHIJKLMNOP", MASK),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY----- after", "after"),
    ],
)
def test_what_looks_like_a_secret(mask, said, kept):
    shown = mask.text(said)
    assert kept in shown
    assert MASK in shown
    for part in ("pw-1", "p@w@d", "hidden", "hid den", "hid\\'den", "ghuser0token", "abcdef.ghijkl", "abcDEF", "abcdefgh", "MIIE", "eyJh", "BCDEFGH"):  # fmt: skip  # noqa: E501
        assert part not in shown


@pytest.mark.parametrize(
    "said",
    [
        "post 7 of mira is held: identity failed",
        "published at http://127.0.0.1:8080/@mira/1 and https://example.social/@mira/2",
        "the token limit of 4096 tokens is reached; tokens_in=12",
        "slot mira:2026-11-28:noon opened, basic light, true, zirelia",
        "http://127.0.0.1:8750/healthz",
        "monkey=1 turkey: brown",
    ],
)
def test_what_is_no_secret_stays(mask, said):
    assert mask.text(said) == said


def test_names_of_fields_speak_for_themselves(mask):
    shown = mask.value({"api_token": "x1", "Set-Cookie": "x2", "password": b"x3", "tokens": 5, "token": 7, "nested": [{"secret": "x4"}]})  # fmt: skip  # noqa: E501
    assert shown == {
        "api_token": MASK, "Set-Cookie": MASK, "password": MASK, "tokens": 5, "token": 7, "nested": [{"secret": MASK}],
    }  # fmt: skip


def test_what_json_does_not_know_becomes_words(mask):
    class Broken:
        def __str__(self):
            raise RuntimeError("no words")

    circle: list[object] = []
    circle.append(circle)
    shown = mask.value({"nan": math.nan, "of": (Broken(), {1: math.inf}), "circle": circle, ("a", 1): b"\xff"})
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    assert shown["nan"] == "nan"
    assert shown["of"] == ["<Broken>", {"1": "inf"}]


def test_control_characters_and_broken_surrogates_reach_nobody(mask):
    assert mask.text("a\x1b[31mred\x00 \u202eevil \ud800b") == "a[31mred evil ?b"
    # what is taken out must not join the halves of a secret
    assert KEY not in mask.text(KEY[:4] + "\x00" + KEY[4:])


def test_long_texts_are_cut_after_they_were_searched(mask):
    said = mask.text("x" * (LONGEST - 3) + KEY + "y" * 1000)
    assert KEY[:3] not in said
    assert said.endswith("more characters")
    assert len(said) < LONGEST + 50


@pytest.mark.parametrize("part", ["://", "a-", "token:", "://a:", "[?&]key=", '"password": "\\', "eyJ", "-----BEGIN A PRIVATE KEY-----", "@", "bearer "])  # fmt: skip  # noqa: E501
def test_no_text_takes_long(mask, part):
    import time

    began = time.process_time()
    mask.text(part * (LONGEST // len(part)))
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("between", [",", ", ", " ,\t"])
def test_each_of_several_keys_is_a_secret(between):
    older, oldest, others = new_key(), new_key(), ("gateway-1-abcdefgh", "gateway-2-abcdefgh")
    mask = Masking(
        Settings(
            token_keys=SecretStr(f"{older}{between}{oldest}{between}odd-1"),
            passed_on={"GATEWAY_KEYS": SecretStr(between.join(others)), "LANGUAGES": SecretStr("english,german")},
        )
    )
    for secret in (older, oldest, "odd-1", *others):
        assert mask.text(f"sealed with {secret}.") == f"sealed with {MASK}."
    assert mask.text("english and german") == "english and german"


def test_the_password_that_libpq_reads_by_itself(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "libpq-own")
    assert Masking(Settings()).text("for libpq-own!") == f"for {MASK}!"
