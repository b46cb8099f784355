"""Settings for people: the page of the docs, .env.example, and the values in force with secrets hidden.

    Path("docs/settings.md").write_text(settings_page())
    masked(settings)["openai.api_key"]      # "•••• (51 characters)"

Generated from the tree, so that no setting can lack its line; a test compares the files.
"""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from zirelia.settings.tree import Leaf, Settings, leaves

_HEAD = """# Settings

Generated from the settings tree by `make docs`; do not edit.

A setting is looked for in `.env`, then in the environment, then in the file of `config/` that `ZIRELIA_CONFIG` names (such as
`production`), then in `config/default.toml`. The first that has it wins; an empty value counts as not set. Secrets belong in
`.env` or the environment only. `zirelia doctor` shows what is in force. All problems are reported at once, with file and line.
"""

_INTRO = """# Copy to .env and fill in what you have; everything is optional. What stands here wins over the
# environment and config/*.toml. An empty value counts as not set. docs/settings.md explains each setting.
"""


def settings_page() -> str:
    """docs/settings.md."""
    parts = [_HEAD]
    for group, members in _groups():
        title = group or "General"
        about = _about(group)
        parts.append(f"## {title}\n" + (f"\n{about}\n" if about else ""))
        parts.append("| .env and environment | TOML | values | default | meaning |\n|---|---|---|---|---|")
        parts[-1] += "".join(f"\n{_row(leaf)}" for leaf in members) + "\n"
    return "\n".join(parts)


def env_example() -> str:
    """.env.example: the names that users know as they are, ours commented out with their defaults."""
    lines = [_INTRO]
    for group, members in _groups():
        lines.append(f"# --- {group or 'general'}" + (f": {_about(group)}" if group else ""))
        for leaf in members:
            lines.append(f"# {_meaning(leaf)}")
            shown = _default(leaf)
            lines.append(f"# {leaf.env}={shown}" if leaf.env.startswith("ZIRELIA_") else f"{leaf.env}={shown}")
        lines.append("")
    lines += ["# a file of config/ that is laid over config/default.toml", "# ZIRELIA_CONFIG=production", ""]
    return "\n".join(lines)


def masked(settings: Settings) -> dict[str, str]:
    """Dotted setting → its value for display; of a secret only that it is there."""
    shown = {}
    for leaf in leaves():
        value: Any = settings
        for part in leaf.place:
            value = getattr(value, part)
        shown[leaf.dotted] = _shown(value)
    for name in settings.passed_on:
        shown[name] = _shown(settings.passed_on[name])
    return shown


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return f"•••• ({len(value.get_secret_value())} characters)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _groups() -> list[tuple[str, list[Leaf]]]:
    groups: dict[str, list[Leaf]] = {}
    for leaf in leaves():
        groups.setdefault(leaf.group, []).append(leaf)
    return list(groups.items())


def _about(group: str) -> str:
    annotation = Settings.model_fields[group].annotation if group else None
    return inspect.cleandoc(annotation.__doc__ or "") if annotation is not None else ""


def _row(leaf: Leaf) -> str:
    toml = "no: secret" if leaf.secret else f"`{leaf.dotted}`"
    default = _default(leaf)
    return f"| `{leaf.env}` | {toml} | {_values(leaf)} | {f'`{default}`' if default else ''} | {_meaning(leaf)} |"


def _meaning(leaf: Leaf) -> str:
    return leaf.field.description or ""


def _default(leaf: Leaf) -> str:
    value = leaf.field.default
    if value is None:
        return ""
    return ("1" if value else "0") if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _values(leaf: Leaf) -> str:
    choices = _literal(leaf.field.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    if leaf.secret:
        return "secret"
    kinds = {bool: "0 or 1", int: "whole number", float: "number", Path: "path"}
    annotation = leaf.field.annotation
    found = [kinds[kind] for kind in (annotation, *typing.get_args(annotation), *_inner(annotation)) if kind in kinds]
    limits = _limits(leaf)
    return (found[0] if found else "text") + (f", {limits}" if limits else "")


def _literal(annotation: Any) -> tuple[str, ...]:
    if typing.get_origin(annotation) is typing.Literal:
        return tuple(map(str, typing.get_args(annotation)))
    return ()


def _inner(annotation: Any) -> list[Any]:
    """The types under Annotated within an optional."""
    return [typing.get_args(one)[0] for one in typing.get_args(annotation) if hasattr(one, "__metadata__")]


def _limits(leaf: Leaf) -> str:
    metadata = list(leaf.field.metadata)
    for one in typing.get_args(leaf.field.annotation):
        for extra in getattr(one, "__metadata__", ()):
            metadata += getattr(extra, "metadata", [extra])
    texts = []
    for sign, name in (("≥", "ge"), (">", "gt"), ("≤", "le"), ("multiple of", "multiple_of")):
        bound = next((getattr(one, name) for one in metadata if getattr(one, name, None) is not None), None)
        if bound is not None:
            texts.append(f"{sign} {bound}")
    return ", ".join(texts)
