"""Changes one key of a persona pack and leaves every other character as it was: comments, order, quotes, line ends.

    set_lora(Path("persona/mira/persona.yaml"), LoraChoice(trigger="mirelo", weights="lora/mira.safetensors", scale=0.9))

The new text is read again before it is written; a pack that would mean anything else stays as it was. Knows no LoRA files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from zirelia.definitions.marked_yaml import parse, read_text
from zirelia.domain.lora import LoraChoice
from zirelia.domain.persona import Persona
from zirelia.errors import DefinitionError
from zirelia.files import whole_file

_BOM = b"\xef\xbb\xbf"
_SKETCH = re.compile(r"(?m)^# lora:[ \t]*\r?\n(?:#[ \t]{2,}\S.*(?:\r?\n|\Z))+")
_BEFORE = ("styles", "references", "consent")
_PLAIN = re.compile(r"[A-Za-z_./][\w./-]*")
_WORDS = {"true", "false", "null"}


def set_lora(pack_file: Path, choice: LoraChoice) -> None:
    """Writes the choice into the pack, whole or not at all.

    Raises DefinitionError when the pack does not load, or when the change would alter anything but `lora`.
    """
    changed = checked(pack_file, choice)
    _write(pack_file, changed)


def _write(pack_file: Path, changed: str) -> None:
    mark = _BOM if pack_file.read_bytes().startswith(_BOM) else b""
    mode = pack_file.stat().st_mode & 0o777
    with whole_file(pack_file.resolve(), mode=mode) as part:
        part.write_bytes(mark + changed.encode("utf-8"))


def checked(pack_file: Path, choice: LoraChoice) -> str:
    """The text that `set_lora` would write, read again and compared. Raises DefinitionError as it does; writes nothing."""
    text = read_text(pack_file)
    before = _persona(text, pack_file)
    changed = with_lora(text, choice, pack_file)
    after = _persona(changed, pack_file)
    if after != before.model_copy(update={"lora": choice}):
        raise DefinitionError(
            "'lora' cannot be set without changing something else", path=pack_file, key="lora", hint="write it by hand"
        )
    return changed


def set_references(pack_file: Path, names: Sequence[str]) -> None:
    """Writes the reference pictures into the pack, whole or not at all. Raises DefinitionError as `set_lora` does."""
    text = read_text(pack_file)
    before = _persona(text, pack_file)
    changed = with_references(text, names, pack_file)
    if _persona(changed, pack_file) != before.model_copy(update={"references": tuple(names)}):
        raise DefinitionError(
            "'references' cannot be set without changing something else",
            path=pack_file,
            key="references",
            hint="write them by hand",
        )
    _write(pack_file, changed)


def with_references(text: str, names: Sequence[str], path: Path) -> str:
    """The text with those names under `references`, in place of what stood there."""
    end = "\r\n" if "\r\n" in text else "\n"
    block = "".join([f"references:{end}", *(f"  - {_scalar(name)}{end}" for name in names)])
    entry = _entry(text, "references", path)
    if entry is None:
        return text + ("" if text.endswith(end) else end) + block
    key, value = entry
    last = value.value[-1] if isinstance(value, yaml.SequenceNode) and value.value and not value.flow_style else value
    stop = last.end_mark.index if last.end_mark.index > key.end_mark.index else key.end_mark.index + 1
    return text[: key.start_mark.index] + block.removesuffix(end) + text[stop:]


def with_lora(text: str, choice: LoraChoice, path: Path) -> str:
    """The text with that choice under `lora`. What stood there is changed value by value, a commented sketch comes to life."""
    end = "\r\n" if "\r\n" in text else "\n"
    wanted = {"trigger": choice.trigger, "weights": choice.weights, "scale": choice.scale}
    entry = _entry(text, "lora", path)
    if entry is None:
        block = _block(wanted, end)
        if sketch := _SKETCH.search(text):
            return text[: sketch.start()] + block + text[sketch.end() :]
        at = next((found[0].start_mark.index for key in _BEFORE if (found := _entry(text, key, path))), len(text))
        at = _above_comments(text, at)
        gap = "" if at == 0 or text[:at].endswith(end) else end
        return text[:at] + gap + block + end + text[at:]
    key, value = entry
    if isinstance(value, yaml.MappingNode) and value.value:
        return _changed_values(text, value, wanted, end)
    # nothing stands there, or null: the key's own line becomes the block
    stop = value.end_mark.index if value.end_mark.line == key.start_mark.line else key.end_mark.index + 1
    return text[: key.start_mark.index] + _block(wanted, end).removesuffix(end) + text[stop:]


def _changed_values(text: str, node: yaml.MappingNode, wanted: Mapping[str, object], end: str) -> str:
    """Old values replaced in place, from the last to the first so that marks stay true; new keys after the last one."""
    stands = {str(key.value): value for key, value in node.value}
    edits = [
        (stands[name].start_mark.index, stands[name].end_mark.index, "null" if value is None else _scalar(value))
        for name, value in wanted.items()
        if name in stands
    ]
    last = max(value.end_mark.index for value in stands.values())
    indent = " " * node.value[0][0].start_mark.column
    for name, value in wanted.items():
        if name not in stands and value is not None:
            written = f"{name}: {_scalar(value)}"
            edits.append((last, last, f", {written}" if node.flow_style else f"{end}{indent}{written}"))
    edits.sort(key=lambda edit: edit[0])
    # from the last to the first, so that the marks before stay true
    for start, stop, new in edits[::-1]:
        text = text[:start] + new + text[stop:]
    return text


def _entry(text: str, key: str, path: Path) -> tuple[yaml.Node, yaml.Node] | None:
    parse(text, path)  # the marks of a text that is not ours to read would mislead
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise DefinitionError("is no block of keys", path=path, line=1)
    return next(((name, value) for name, value in root.value if name.value == key), None)


def _above_comments(text: str, at: int) -> int:
    """The beginning of the comment lines that stand right above a place: they belong to what follows."""
    while at > 0:
        start = text.rfind("\n", 0, at - 1) + 1
        if not text[start:at].startswith("#"):
            return at
        at = start
    return at


def _block(wanted: Mapping[str, object], end: str) -> str:
    return "".join(
        [f"lora:{end}", *(f"  {name}: {_scalar(value)}{end}" for name, value in wanted.items() if value is not None)]
    )


def _scalar(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.12g}" if "." in f"{value:.12g}" else f"{value:.1f}"
    said = str(value)
    plain = _PLAIN.fullmatch(said) and said.lower() not in _WORDS
    return said if plain else "'" + said.replace("'", "''") + "'"


def _persona(text: str, path: Path) -> Persona:
    try:
        return Persona.model_validate(parse(text, path).value)
    except ValueError as error:
        raise DefinitionError("is no pack that loads", path=path, hint="zirelia persona check names every problem") from error
