"""Pages: what they hold, that they ask for nothing from outside, and that no word of anybody's becomes markup."""

from __future__ import annotations

import base64
import hashlib
import io
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from PIL import Image

from zirelia.domain.value import printable
from zirelia.reports.judgement import HEADINGS, judgement_page
from zirelia.reports.page import data_uri, render
from zirelia.reports.sheet import Figure, Line, Table, cell, sheet_page

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><style>body{display:none}</style>",
    "</title><h1>x</h1>",
    '" onerror="alert(1)" x="',
    "' onload='alert(1)",
    "{{ 7*7 }}{% include 'style.css' %}",
    "<img src=https://example.org/x.png>",
    "&lt;b&gt;",
    "\x1b[2J\x00\x07bell",
    "<!-- -->",
    "]]><svg/onload=alert(1)>",
    "‮evil",
    "日本語 – “é”",
)
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "p", "h1", "h2", "h3", "span", "dl", "dt", "dd", "div",
    "small", "section", "figure", "svg", "line", "text", "polyline", "circle", "ul", "li", "table", "thead", "tbody", "tr",
    "th", "td", "img", "ol",
}  # fmt: skip


def check_safe(html, page):
    """Nothing runs, nothing is fetched, and only our own elements are there."""
    assert {tag for tag, _ in page.elements} <= ALLOWED
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"style", "href", "srcset", "action"}]
        if tag == "img":
            assert attributes["src"].startswith("data:image/jpeg;base64,")
    policy = next(a["content"] for a in page.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert "url(" not in style
    assert "@import" not in style
    assert html.isascii()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", html)


def test_the_judgement_is_all_there(judged, picture, read):
    html = judgement_page(judged(), picture=picture, training=[("steps", "300")], made=[("written by", "zirelia 1")])
    page = read(html)
    check_safe(html, page)
    assert "Step 200 at scale 1" in page.text
    assert "It keeps the floors. Chosen because: earliest within one standard error" in page.text
    assert "A good fit: identity reaches" in page.text
    assert "93% of real pictures (0.75)" in page.text
    for heading in (*HEADINGS, "How it grew", "Everybody else", "How strongly to wear it", "The training", "written by"):
        assert heading in page.text
    # base 2, faces 3 steps x 2 less the one not drawn, leaks 3 x 2, sweep 4 of the scale that was drawn in full
    assert len(page.named("img")) == 2 + 5 + 6
    assert sum(a.get("class") == "empty" for a in page.named("span")) == 1
    assert "Nothing here could measure: diversity, nearest training picture, faulty." in page.text
    assert len(page.named("figure")) == 4


def test_the_chosen_column_is_pointed_out(judged, picture, read):
    page = read(judgement_page(judged(), picture=picture))
    chosen = [a for a in page.named("th") if a.get("class") == "chosen"]
    assert len(chosen) == 3  # of faces, of others, of the sweep
    assert "The training" not in page.text


def test_one_that_fails_says_so(judged, picture, read):
    good = judged()
    worse = good.choice.model_copy(update={"passed": False, "because": "the best compromise"})
    text = read(judgement_page(judged(choice=worse, sweep=()), picture=picture)).text
    assert "It does not keep the floors. Chosen because: the best compromise." in text
    assert "How strongly" not in text


@pytest.mark.parametrize("words", HOSTILE)
def test_no_word_becomes_markup(judged, picture, read, words):
    html = judgement_page(judged(f"x{words}"), picture=picture, training=[(words, words)], made=[(words, words)])
    page = read(html)
    check_safe(html, page)
    plain = judgement_page(judged(), picture=picture, training=[("a", "a")], made=[("a", "a")])
    assert len(page.elements) == len(read(plain).elements)
    assert " ".join(printable(words).split()) in page.text


@pytest.mark.parametrize("words", HOSTILE)
def test_nor_in_a_sheet(picture, read, words):
    html = _sheet(words)
    page = read(html)
    check_safe(html, page)
    assert len(page.elements) == len(read(_sheet("plain")).elements)


@given(words=st.text(min_size=1, max_size=40))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written(read, words):
    html = _sheet(words)
    check_safe(html, read(html))
    assert len(read(html).elements) == len(read(_sheet("plain")).elements)


def _sheet(words: str) -> str:
    picture = Image.new("RGB", (32, 32), "teal")
    row = Line(words, [cell(picture, words, alt=words, tone="good"), None])
    return sheet_page(
        words,
        words,
        eyebrow=words,
        tables=[Table(words, [words, words], [row], chosen=0)],
        figures=[Figure(words, words, words)],
        facts=[(words, words)],
    )


def test_pictures_are_small_and_say_nothing_of_their_maker():
    image = Image.effect_noise((2000, 1000), 50).convert("RGBA")
    image.info["parameters"] = "secret prompt"
    uri = data_uri(image, side=160)
    inside = Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))
    assert (inside.format, inside.size, inside.mode) == ("JPEG", (160, 80), "RGB")
    assert b"secret" not in base64.b64decode(uri.split(",", 1)[1])
    assert len(uri) < 20_000


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError):
        render("sheet.html", title="t")
