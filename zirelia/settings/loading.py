"""Reads the settings: .env over the environment over config/<ZIRELIA_CONFIG>.toml over config/default.toml.

    load_settings()                                         # the current folder's .env, this process's environment
    load_settings(tmp_path, {"ZIRELIA_OFFLINE": "1"})       # in a test

Every problem of every place is collected into one ConfigurationError, each on its own line with file, line and name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from zirelia import resources
from zirelia.errors import ConfigurationError
from zirelia.settings.conflicts import conflicts
from zirelia.settings.layers import Given, Layer, env_file, environment, toml_file
from zirelia.settings.tree import CONFIG_NAME, Settings, leaves


def load_settings(root: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings, with `home`, the outbox and the critic's folders made absolute.

    Args:
        root: the folder of .env, and of config/ where it has one (else the shipped config/ is read); the current one.
        environ: in place of the process's environment.

    Raises ConfigurationError that lists every problem.
    """
    root = (root or Path.cwd()).resolve()
    layers, problems = _layers(root, os.environ if environ is None else environ)
    settings, wrong = _build(layers)
    problems += wrong
    if settings is not None:
        settings = _absolute(settings, root)
        problems += _unusable_folders(settings)
        # with unknown or wrong values reported already, a conflict could be a mere consequence of them
        problems += [] if problems else conflicts(settings)
    if problems or settings is None:
        count = f"{len(problems)} problems" if len(problems) != 1 else "a problem"
        raise ConfigurationError(f"{count} in the settings", hint="\n  ".join(problems))
    return settings


def _layers(root: Path, environ: Mapping[str, str]) -> tuple[list[Layer], list[str]]:
    """The layers, strongest first."""
    dotenv, problems = env_file(root / ".env")
    process, more = environment(environ)
    problems += more
    folder = root / "config" if (root / "config" / "default.toml").is_file() else resources.folder("config")
    files = [folder / "default.toml"]
    chosen = dotenv.config or process.config
    if chosen is not None:
        overlay = _overlay(chosen, folder, root)
        if overlay.is_file():
            files.insert(0, overlay)
        else:
            there = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
            problems.append(f"{chosen.where}: {CONFIG_NAME}: there is no file {overlay.name}; there are: {there}")
    layers = [dotenv, process]
    for file in files:
        layer, more = toml_file(file)
        layers.append(layer)
        problems += more
    return layers, problems


def _overlay(chosen: Given, folder: Path, root: Path) -> Path:
    said = str(chosen.value)
    return root / said if said.endswith(".toml") else folder / f"{said}.toml"


class _LayerSource(PydanticBaseSettingsSource):
    """One layer for pydantic-settings, which merges them by strength."""

    def __init__(self, settings_cls: type[BaseSettings], layer: Layer) -> None:
        super().__init__(settings_cls)
        self.layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        return self.layer.nested().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self.layer.nested()


def _build(layers: Sequence[Layer]) -> tuple[Settings | None, list[str]]:
    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, *(_LayerSource(settings_cls, layer) for layer in layers)

    passed_on = {name: SecretStr(value) for name, value in layers[0].others.items()}
    try:
        loaded = Loaded(passed_on=passed_on)
    except ValidationError as error:
        return None, _wrong_values(error, layers)
    return Settings.model_construct(**{name: getattr(loaded, name) for name in Settings.model_fields}), []


def _wrong_values(error: ValidationError, layers: Sequence[Layer]) -> list[str]:
    """The complaints of pydantic with the place that gave the value. The value is left out: it may be a secret."""
    places = {leaf.place: leaf for leaf in leaves()}
    lines = []
    for one in error.errors(include_url=False, include_input=False):
        leaf = places.get(tuple(str(part) for part in one["loc"][:2])) or places.get((str(one["loc"][0]),))
        given = next((layer.given[leaf.dotted] for layer in layers if leaf and leaf.dotted in layer.given), None)
        message = one["msg"].removeprefix("Value error, ")
        where = f"{given.where}: {given.name}" if given else ".".join(map(str, one["loc"]))
        lines.append(f"{where}: {message}")
    return lines


def _expanded(name: str, folder: Path) -> Path:
    try:
        return folder.expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            "a problem in the settings",
            hint=f"{name}: there is no user whose home '{folder.parts[0]}' could be; write the whole path",
        ) from error


def _absolute(settings: Settings, root: Path) -> Settings:
    def beside(name: str, folder: Path | None) -> Path | None:
        return (root / _expanded(name, folder)).resolve() if folder else None

    critic, channels, provenance = settings.critic, settings.channels, settings.provenance
    return settings.model_copy(
        update={
            "home": beside("ZIRELIA_HOME", settings.home),
            "channels": channels.model_copy(
                update={"folder_outbox": beside("ZIRELIA_CHANNELS_FOLDER_OUTBOX", channels.folder_outbox)}
            ),
            "provenance": provenance.model_copy(
                update={
                    name: beside(f"ZIRELIA_PROVENANCE_{name.upper()}", getattr(provenance, name))
                    for name in ("certificate", "key", "known")
                }
            ),
            "critic": critic.model_copy(
                update={
                    "auraface": beside("ZIRELIA_CRITIC_AURAFACE", critic.auraface),
                    "impostors": beside("ZIRELIA_CRITIC_IMPOSTORS", critic.impostors),
                }
            ),
        }
    )


def _unusable_folders(settings: Settings) -> list[str]:
    problems = []
    for name, folder in (("ZIRELIA_HOME", settings.home), ("ZIRELIA_CHANNELS_FOLDER_OUTBOX", settings.outbox)):
        nearest = next(path for path in (folder, *folder.parents) if path.exists())
        if not nearest.is_dir():
            problems.append(f"{name}: {nearest} is a file, not a folder")
        elif not os.access(nearest, os.W_OK):
            problems.append(f"{name}: {nearest} cannot be written")
    return problems
