"""The shipped posts in other voices, and what a wrong file is told."""

from __future__ import annotations

import pytest

from zirelia.definitions.voices import LEAST_POSTS, load_voices, read_voices
from zirelia.errors import DefinitionError

PRONOUNS = "first_person: [i]\nreader: [you]\ngroup: [we]\n"


def test_the_shipped_file():
    voices = load_voices("en-GB")
    assert voices.language == "en"
    assert len(set(voices.posts)) == len(voices.posts) >= LEAST_POSTS
    assert "im" in voices.pronouns.first_person


@pytest.mark.parametrize("language", ["xx", "../en", ""])
def test_a_language_without_a_file(language):
    assert load_voices(language) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        (f"language: yy\n{PRONOUNS}posts: [{', '.join(f'p{n}' for n in range(LEAST_POSTS))}]\n", "but says 'yy'"),
        (f"language: xx\n{PRONOUNS}posts: [one]\n", "posts"),
        (f"language: xx\n{PRONOUNS}colour: red\nposts: [one]\n", "colour"),
    ],
)
def test_a_wrong_file_is_told(tmp_path, text, complaint):
    path = tmp_path / "xx.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match=complaint) as caught:
        read_voices(path)
    assert "xx.yaml" in str(caught.value)
