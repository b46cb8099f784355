"""Filling and tightening schemas, and finding JSON in what models say."""

from __future__ import annotations

import json
from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from zirelia.language.reading import Unreadable, object_in
from zirelia.language.schemas import strict_schema
from zirelia.testing.chat_server import INJECTION, schema_filler


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    name: Annotated[str, Field(min_length=30, max_length=32)]
    child: Node | None = None
    children: list[Node] = []


class Many(BaseModel):
    colour: Colour
    kind: Literal["only"]
    slug: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    tag: Annotated[str, Field(pattern=r"^#\w+$")]
    count: Annotated[int, Field(gt=2, multiple_of=5)]
    share: Annotated[float, Field(gt=0, lt=1)]
    cold: Annotated[float, Field(lt=-3)]
    flags: Annotated[set[Colour], Field(min_length=2)]
    names: Annotated[list[str], Field(min_length=3)]
    pair: tuple[int, str]
    node: Node
    either: int | str
    free: dict[str, int]
    title: str


def test_filler_fits_what_pydantic_writes() -> None:
    assert Many.model_validate(schema_filler(Many.model_json_schema()))


def test_filler_takes_values_and_text() -> None:
    filled = schema_filler(Many.model_json_schema(), {"share": 0.25, "slug": "mine"}, text=INJECTION)
    assert (filled["share"], filled["slug"], filled["title"]) == (0.25, "mine", INJECTION)


@pytest.mark.parametrize(
    "schema", [{"type": "string"}, {"type": "object", "properties": {"a": {"type": "odd"}}, "required": ["a"]}]
)
def test_filler_says_what_it_cannot(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="schema"):
        schema_filler(schema)


def test_strict_form() -> None:
    class Small(BaseModel):
        title: Annotated[str, Field(max_length=5)] = "x"
        node: Node

    strict = strict_schema(Small.model_json_schema())
    assert strict is not None
    assert strict["required"] == ["title", "node"]
    assert strict["properties"]["title"] == {"type": "string"}
    assert strict["$defs"]["Node"]["additionalProperties"] is False
    assert strict_schema(Many.model_json_schema()) is None


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=4), st.text(alphabet="abc \n.`", max_size=20))
def test_the_object_is_found_among_words(value: dict[str, object], words: str) -> None:
    assert json.loads(object_in(f"{words}{json.dumps(value)}{words}")) == value


@given(st.text(max_size=200))
def test_any_text_is_an_object_or_unreadable(text: str) -> None:
    try:
        assert isinstance(json.loads(object_in(text)), dict)
    except Unreadable:
        return


def test_deep_and_endless_braces() -> None:
    for text in ("{" * 100_000, '{"a":' * 50_000):
        with pytest.raises(Unreadable):
            object_in(text)
