"""Files of free prompts: where the trigger word goes, and errors that name file and line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zirelia.definitions.prompt_lines import MOST_PROMPTS, PromptLine, read_prompts
from zirelia.errors import DefinitionError


@pytest.mark.parametrize(
    ("line", "worn", "bare"),
    [
        ("{trigger} woman in a cafe", "mirelo woman in a cafe", "woman in a cafe"),
        ("{trigger}, in a cafe", "mirelo, in a cafe", "in a cafe"),
        ("a woman in a cafe", "mirelo woman in a cafe", "a woman in a cafe"),
        ("The woman, smiling", "mirelo woman, smiling", "The woman, smiling"),
        ("on the beach at night", "mirelo, on the beach at night", "on the beach at night"),
        ("a photo of somebody", "mirelo, a photo of somebody", "a photo of somebody"),
        ("portrait of {trigger} woman", "mirelo, portrait of woman", "portrait of woman"),
        ("portrait of {trigger}, smiling", "mirelo, portrait of, smiling", "portrait of , smiling"),
        ("mirelo woman in a cafe", "mirelo woman in a cafe", "mirelo woman in a cafe"),
        ("a park with MIRELO in it, mirelo", "mirelo park with in it", "a park with MIRELO in it, mirelo"),
        ("{trigger} mirelo woman", "mirelo woman", "mirelo woman"),
    ],
)
def test_the_trigger_word_stands_first_and_once(line, worn, bare):
    assert PromptLine(line, 1).worn("mirelo") == worn
    assert PromptLine(line, 1).bare() == bare


@given(st.text(alphabet="amirelo ,.{}trg", min_size=1, max_size=40), st.booleans())
def test_whatever_is_written(text, placed):
    line = text.replace("{", "").replace("}", "") + (" {trigger}" if placed else "")
    worn = PromptLine(line, 1).worn("mirelo")
    assert worn.startswith("mirelo")
    assert len(re.findall(r"(?<!\w)mirelo(?!\w)", worn)) == 1
    assert "{" not in worn


def test_a_file(home):
    path = home / "prompts.txt"
    path.write_bytes(b"\xef\xbb\xbf# places\r\n\r\n  a cafe,\t daylight \r\n   # not this\r\nin a park\x1b[2J\r\n")
    assert read_prompts(path) == (PromptLine("a cafe, daylight", 3), PromptLine("in a park[2J", 5))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"", "prompts.txt: holds no prompt"),
        (b"# nothing\n\n", "prompts.txt: holds no prompt"),
        (b"a cafe\nin {place}\n", "prompts.txt:2: '{place}' means nothing here"),
        (b"a cafe\n\na } cafe", "prompts.txt:3: '}' means nothing here"),
        (b"{trigger} and {trigger}", "prompts.txt:1: says {trigger} more than once"),
        (b"a cafe\n{trigger}\n", "prompts.txt:2: asks for nothing"),
        (b"a cafe\n---", "prompts.txt:2: asks for nothing"),
        (b"a\n" + b"x" * 501, "prompts.txt:2: has 501 characters"),
        (b"a cafe\n\xff\xfe", "prompts.txt:2: is not UTF-8 text"),
        (b"a cafe\n" * (MOST_PROMPTS + 1), "prompts.txt:101: is prompt 101"),
        (b"x" * 1_000_001, "prompts.txt: has more than 1,000,000 bytes"),
    ],
)
def test_mistakes(home, written, said):
    path = home / "prompts.txt"
    path.write_bytes(written)
    with pytest.raises(DefinitionError, match=re.escape(said)):
        read_prompts(path)


def test_a_file_that_is_not_there(home):
    with pytest.raises(DefinitionError, match="cannot be read: No such file"):
        read_prompts(home / "none.txt")
    with pytest.raises(DefinitionError, match="cannot be read: Is a directory"):
        read_prompts(home)
