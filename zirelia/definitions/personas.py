"""Persona packs: a folder with persona.yaml, reference pictures and LoRA weights → a checked Persona.

    loaded = load_persona("mira")                    # a name, a folder or a persona.yaml
    loaded.persona.display_name
    loaded.missing_files()                           # named in the pack, not there
    override_persona(loaded.persona, timezone="Asia/Tokyo")

Every problem of a file is reported at once, with its line and dotted key. Knows no pictures and no weights, only their paths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from pydantic import ValidationError

from zirelia import resources
from zirelia.definitions.complaints import Problem, dotted, near_miss, problems_in, refusal
from zirelia.definitions.disclosure import disclosure_words
from zirelia.definitions.marked_yaml import Located, parse, read_text
from zirelia.domain.arc import complaints
from zirelia.domain.persona import Persona
from zirelia.errors import ConfigurationError, DefinitionError, NotFound

FILE = "persona.yaml"
_NAME = re.compile(r"^[a-z][a-z0-9-]{0,39}$")


@dataclass(frozen=True)
class LoadedPersona:
    """A pack that fits its schema. `folder` is absolute; `sources` says where each dotted key stands ("file:line")."""

    persona: Persona
    folder: Path
    sources: dict[str, str]

    def reference_paths(self) -> tuple[Path, ...]:
        """The reference pictures, whether they are there or not."""
        return tuple(self.folder / name for name in self.persona.references)

    def lora_path(self) -> Path | None:
        """The LoRA's weights; None without a LoRA or when a hosted model has them built in."""
        lora = self.persona.lora
        return self.folder / lora.weights if lora and lora.weights else None

    def style_paths(self) -> tuple[Path, ...]:
        """The weights of the pack's styles, in its order."""
        return tuple(self.folder / style.weights for style in self.persona.styles)

    def missing_files(self) -> tuple[Path, ...]:
        """Files that the pack names and that are not there."""
        named = (*self.reference_paths(), *filter(None, (self.lora_path(),)), *self.style_paths())
        return tuple(path for path in named if not path.is_file())


def persona_homes() -> tuple[Path, ...]:
    """Where packs are looked for by name: ./persona first, then the shipped ones."""
    own, shipped = Path.cwd() / "persona", resources.folder("persona")
    return (own, shipped) if own.is_dir() and own.resolve() != shipped.resolve() else (shipped,)


def persona_names() -> tuple[str, ...]:
    """Names of all packs that `load_persona` finds by name, in order of the alphabet."""
    return tuple(sorted({path.parent.name for home in persona_homes() for path in home.glob(f"*/{FILE}")}))


def load_persona(name_or_path: str | Path) -> LoadedPersona:
    """The pack of that name, in that folder, or of that file.

    Raises NotFound when there is none, and DefinitionError with every problem of the file when it does not fit.
    """
    path = _file_of(name_or_path)
    located = parse(read_text(path), path)
    if not isinstance(located.value, dict):
        raise DefinitionError("is empty or not a mapping of keys", path=path, line=1)
    try:
        persona = Persona.model_validate(located.value)
    except ValidationError as error:
        raise refusal(path, problems_in(located, error, Persona)) from error
    problems = _beyond_the_schema(persona, located, by_name=_is_name(name_or_path))
    if problems:
        raise refusal(path, sorted(problems))
    sources = {dotted(place): f"{path}:{line}" for place, line in located.lines.items() if place}
    if "visible_line" not in persona.disclosure.model_fields_set:
        line = disclosure_words(persona.voice.language).line
        persona = persona.model_copy(update={"disclosure": persona.disclosure.model_copy(update={"visible_line": line})})
    return LoadedPersona(persona=persona, folder=path.resolve().parent, sources=sources)


def override_persona(
    persona: Persona,
    *,
    trigger: str | None = None,
    min_daily: int | None = None,
    max_daily: int | None = None,
    timezone: str | None = None,
) -> Persona:
    """The persona with what the settings say in place of what the pack says; None leaves the pack's own.

    A trigger for a pack without a LoRA makes one whose weights are built into a hosted model. Raises ConfigurationError
    when the whole does not fit together, such as more daily posts than windows.
    """
    document = persona.model_dump(mode="json")
    if trigger is not None:
        document["lora"] = (document["lora"] or {}) | {"trigger": trigger}
    asked = {"min_daily": min_daily, "max_daily": max_daily, "timezone": timezone}
    document["cadence"] |= {key: value for key, value in asked.items() if value is not None}
    if min_daily is not None and max_daily is None:
        document["cadence"]["max_daily"] = max(min_daily, persona.cadence.max_daily)
    if max_daily is not None and min_daily is None:
        document["cadence"]["min_daily"] = min(max_daily, persona.cadence.min_daily)
    try:
        return Persona.model_validate(document)
    except ValidationError as error:
        said = "; ".join(f"{dotted(one['loc'])}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors())
        raise ConfigurationError(
            f"the settings do not fit the persona '{persona.name}': {said}",
            hint="correct LORA_TRIGGER_WORD, MIN_DAILY_POSTS, MAX_DAILY_POSTS or TIMEZONE, or the pack's cadence",
        ) from error


def _is_name(name_or_path: str | Path) -> bool:
    return isinstance(name_or_path, str) and _NAME.fullmatch(name_or_path) is not None


def _file_of(name_or_path: str | Path) -> Path:
    if _is_name(name_or_path):
        for home in persona_homes():
            if (home / name_or_path / FILE).is_file():
                return home / name_or_path / FILE
        names = persona_names()
        raise NotFound(
            f"there is no persona '{name_or_path}'{near_miss(str(name_or_path), names)}",
            hint=f"there are: {', '.join(names) or 'none'}; make one with zirelia persona new {name_or_path}",
        )
    try:
        path = Path(name_or_path).expanduser()
    except RuntimeError as error:
        raise NotFound(f"there is no user whose home is in '{name_or_path}'") from error
    file = path if path.suffix in (".yaml", ".yml") else path / FILE
    if not file.is_file():
        raise NotFound(f"there is no persona pack at {path}", hint=f"a pack is a folder with a {FILE}")
    return file


def _beyond_the_schema(persona: Persona, located: Located, *, by_name: bool) -> list[Problem]:
    """What the schema cannot know: the folder's name, that paths stay inside the pack, and that arcs do not wait in vain."""
    problems = []
    if by_name and persona.name != located.path.parent.name:
        problems.append(
            Problem(located.line_of(("name",)), "name", f"is '{persona.name}' in the folder '{located.path.parent.name}'")
        )
    for index, name in enumerate(persona.references):
        if not stays_inside(name):
            place = ("references", index)
            problems.append(Problem(located.line_of(place), dotted(place), f"'{name}' is not a path inside the pack"))
    for within, wrong in complaints(persona.arcs):
        at = ("arcs", *within)
        problems.append(Problem(located.line_of(at), dotted(at), wrong))
    named: list[tuple[tuple[str | int, ...], str]] = []
    if persona.lora and persona.lora.weights is not None:
        named.append((("lora", "weights"), persona.lora.weights))
    named += [(("styles", index, "weights"), style.weights) for index, style in enumerate(persona.styles)]
    for spot, weights in named:
        if not weights.endswith(".safetensors"):
            problems.append(Problem(located.line_of(spot), dotted(spot), "weights are .safetensors files only"))
        elif not Path(weights).is_absolute() and not stays_inside(weights):
            problems.append(Problem(located.line_of(spot), dotted(spot), f"'{weights}' leaves the pack's folder"))
    return problems


def stays_inside(name: str) -> bool:
    """Whether a path written in a pack is relative and never climbs out of its folder, on any system."""
    return not (
        PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in re.split(r"[/\\]", name) or "\x00" in name
    )
