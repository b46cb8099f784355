"""Settings: strength, names, every mistake at once with its place, choices of backends, and the generated pages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from zirelia import resources
from zirelia.errors import ConfigurationError
from zirelia.settings import Settings, env_example, load_settings, masked, resolve_backends, settings_page
from zirelia.settings.tree import ChatSettings, ImageSettings, OpenAISettings, leaves

ROOT = resources.folder("config").parent
SECRET = "sk-test-0123456789abcdef"
VERSION = "ana/mira:" + "0a" * 32


def load(root: Path, env_file: str = "", environ: Mapping[str, str] | None = None, **files: str) -> Settings:
    (root / ".env").write_text(env_file, encoding="utf-8")
    for name, text in files.items():
        (root / "config").mkdir(exist_ok=True)
        (root / "config" / f"{name}.toml").write_text(text, encoding="utf-8")
    return load_settings(root, environ or {})


def refused(root: Path, env_file: str = "", environ: Mapping[str, str] | None = None, **files: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(root, env_file, environ, **files)
    return [line.strip() for line in str(caught.value).split("\n")]


def test_nothing_set_is_the_defaults(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert settings.home == tmp_path / "home"
    assert settings.outbox == tmp_path / "home" / "outbox"
    assert settings.model_dump(exclude={"home"}) == Settings().model_dump(exclude={"home"})


def test_the_names_that_users_know(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        f"OPENAI_API_KEY={SECRET}\nOPENAI_BASE_URL=http://127.0.0.1:11434/v1/\nREPLICATE_API_TOKEN=r8_x\n"
        f"REPLICATE_MODEL_VERSION={VERSION}\nLORA_TRIGGER_WORD=zoralu\nMIN_DAILY_POSTS=1\nMAX_DAILY_POSTS=3\nTIMEZONE=Asia/Tokyo\n",
    )
    assert settings.openai.api_key == SecretStr(SECRET)
    assert settings.openai.base_url == "http://127.0.0.1:11434/v1"
    assert settings.replicate.model_version == VERSION
    assert settings.overrides.model_dump() == {
        "trigger_word": "zoralu", "min_daily_posts": 1, "max_daily_posts": 3, "timezone": "Asia/Tokyo",
    }  # fmt: skip


def test_env_file_over_environment_over_chosen_file_over_default(tmp_path: Path) -> None:
    default = 'persona = "d"\nlog_level = "ERROR"\n[critic]\nattempts = 1\n[chat]\ncandidates = 1\n[image]\nsteps = 1\n'
    chosen = 'log_level = "INFO"\n[critic]\nattempts = 2\n[chat]\ncandidates = 2\n'
    environ = {"ZIRELIA_CONFIG": "mine", "ZIRELIA_CRITIC_ATTEMPTS": "3", "ZIRELIA_CHAT_CANDIDATES": "3"}
    settings = load(tmp_path, "ZIRELIA_CHAT_CANDIDATES=4\n", environ, default=default, mine=chosen)
    assert settings.chat.candidates == 4
    assert settings.critic.attempts == 3
    assert settings.log_level == "INFO"
    assert settings.persona == "d"
    assert settings.image.steps == 1


def test_an_empty_value_is_not_set(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": SECRET, "ZIRELIA_PERSONA": " "}
    settings = load(tmp_path, "OPENAI_API_KEY=\nTIMEZONE=\n", environ)
    assert settings.openai.api_key == SecretStr(SECRET)
    assert settings.persona == "mira"
    assert settings.overrides.timezone is None


def test_the_example_file_is_a_working_env_file(tmp_path: Path) -> None:
    settings = load(tmp_path, env_example())
    assert settings.model_dump(exclude={"home"}) == Settings().model_dump(exclude={"home"})
    uncommented = re.sub(r"(?m)^# (ZIRELIA_(?!CONFIG)\w+=)", r"\1", env_example())
    assert load(tmp_path, uncommented).model_dump(exclude={"home"}) == Settings().model_dump(exclude={"home"})


def test_env_file_syntax_is_python_dotenvs(tmp_path: Path) -> None:
    settings = load(
        tmp_path, "# words\n\nexport ZIRELIA_PERSONA='luna' # why\nOPENAI_API_KEY=\"a$b${c}\"\nANTHROPIC_API_KEY=x\n"
    )
    assert settings.persona == "luna"
    assert settings.openai.api_key == SecretStr("a$b${c}")
    assert settings.passed_on == {"ANTHROPIC_API_KEY": SecretStr("x")}


@pytest.mark.parametrize(
    ("env_file", "says"),
    [
        (
            "\n# x\nZIRELIA_CHAT_BACKED=openai\n",
            ".env:3: ZIRELIA_CHAT_BACKED: unknown setting; did you mean 'ZIRELIA_CHAT_BACKEND'?",
        ),
        ("zirelia_offline=1\n", ".env:1: zirelia_offline: unknown setting; did you mean 'ZIRELIA_OFFLINE'?"),
        ("ZIRELIA_QQQQ=1\n", ".env:1: ZIRELIA_QQQQ: unknown setting"),
        ("REPLICATE_API_TOKENS=1\n", ".env:1: REPLICATE_API_TOKENS: unknown name; did you mean 'REPLICATE_API_TOKEN'?"),
        ("OPENAI_APIKEY=1\n", ".env:1: OPENAI_APIKEY: unknown name; did you mean 'OPENAI_API_KEY'?"),
        ("A=1\nnot a line\n", ".env:2: cannot be read; write NAME=value"),
        ("TIMEZONE=UTC\nTIMEZONE=Asia/Tokyo\n", ".env:2: TIMEZONE has another value on line 1"),
        ("OPENAI_BASE_URL=localhost:11434\n", ".env:1: OPENAI_BASE_URL: is not a URL such as"),
        ("OPENAI_BASE_URL=http://a b\n", ".env:1: OPENAI_BASE_URL: is not a URL"),
        ("OPENAI_BASE_URL=http://u:p@host/v1\n", ".env:1: OPENAI_BASE_URL: must be a plain URL"),
        ("TIMEZONE=Lisbon\n", ".env:1: TIMEZONE: 'Lisbon' is not an IANA time zone"),
        ("LORA_TRIGGER_WORD=two words\n", ".env:1: LORA_TRIGGER_WORD: String should match pattern"),
        ("MIN_DAILY_POSTS=many\n", ".env:1: MIN_DAILY_POSTS: Input should be a valid integer"),
        ("MAX_DAILY_POSTS=99\n", ".env:1: MAX_DAILY_POSTS: Input should be less than or equal to 24"),
        ("REPLICATE_MODEL_VERSION=abc\n", ".env:1: REPLICATE_MODEL_VERSION: String should match pattern"),
        ("ZIRELIA_OFFLINE=perhaps\n", ".env:1: ZIRELIA_OFFLINE: Input should be a valid boolean"),
        ("ZIRELIA_CRITIC_ATTEMPTS=4\n", ".env:1: ZIRELIA_CRITIC_ATTEMPTS: Input should be less than or equal to 3"),
        ("ZIRELIA_BUDGET_MONTH_USD=nan\n", ".env:1: ZIRELIA_BUDGET_MONTH_USD: Input should be"),
        ("ZIRELIA_IMAGE_WIDTH=513\n", ".env:1: ZIRELIA_IMAGE_WIDTH: Input should be a multiple of 8"),
        (
            "ZIRELIA_CONFIG=productoin\n",
            ".env:1: ZIRELIA_CONFIG: there is no file productoin.toml; there are: default, production",
        ),
        ("MIN_DAILY_POSTS=3\nMAX_DAILY_POSTS=2\n", "MIN_DAILY_POSTS (3) is above MAX_DAILY_POSTS (2)"),
        ("ZIRELIA_BUDGET_POST_USD=30\n", "ZIRELIA_BUDGET_POST_USD (30) is above ZIRELIA_BUDGET_MONTH_USD (20)"),
        ("ZIRELIA_CHAT_BACKEND=openai\n", "ZIRELIA_CHAT_BACKEND=openai needs OPENAI_API_KEY or OPENAI_BASE_URL"),
        ("ZIRELIA_CHAT_MODEL=x\n", "ZIRELIA_CHAT_MODEL names a model but nothing serves it"),
        ("ZIRELIA_CHAT_BACKEND=embedded\nZIRELIA_CHAT_MODEL=x\n", "ZIRELIA_CHAT_BACKEND=embedded has one model only"),
        ("ZIRELIA_CHAT_BACKEND=langchain\n", "ZIRELIA_CHAT_BACKEND=langchain needs ZIRELIA_CHAT_MODEL=provider:model"),
        ("ZIRELIA_VISION_BACKEND=langchain\n", "ZIRELIA_VISION_BACKEND=langchain needs"),
        ("ZIRELIA_VISION_BACKEND=openai\n", "ZIRELIA_VISION_BACKEND=openai needs"),
        ("ZIRELIA_VISION_MODEL=x\n", "ZIRELIA_VISION_MODEL names a model but nothing serves it"),
        ("ZIRELIA_VISION_BACKEND=none\nZIRELIA_VISION_MODEL=x\n", "contradict each other"),
        ("ZIRELIA_IMAGE_BACKEND=replicate\n", "ZIRELIA_IMAGE_BACKEND=replicate needs REPLICATE_API_TOKEN"),
        ("ZIRELIA_IMAGE_BACKEND=replicate\n", "ZIRELIA_IMAGE_BACKEND=replicate needs REPLICATE_MODEL_VERSION"),
        ("ZIRELIA_IMAGE_BACKEND=openai\n", "ZIRELIA_IMAGE_BACKEND=openai needs OPENAI_API_KEY"),
        (
            "ZIRELIA_IMAGE_BACKEND=pocket\nZIRELIA_IMAGE_MODEL=x\n",
            "ZIRELIA_IMAGE_BACKEND=pocket and ZIRELIA_IMAGE_MODEL contradict",
        ),
        ("ZIRELIA_IMAGE_WIDTH=512\n", "set both ZIRELIA_IMAGE_WIDTH and ZIRELIA_IMAGE_HEIGHT"),
        ("ZIRELIA_IMAGE_DEVICE=cpu\nZIRELIA_IMAGE_QUANTISATION=nf4\n", "ZIRELIA_IMAGE_QUANTISATION=nf4 needs a GPU"),
        ("ZIRELIA_IMAGE_DEVICE=cpu\nZIRELIA_IMAGE_OFFLOAD=model\n", "ZIRELIA_IMAGE_OFFLOAD=model needs a GPU"),
        (
            "ZIRELIA_OFFLINE=1\nOPENAI_API_KEY=x\nZIRELIA_CHAT_BACKEND=openai\n",
            "ZIRELIA_OFFLINE=1 and ZIRELIA_CHAT_BACKEND=openai",
        ),
        (
            "ZIRELIA_OFFLINE=1\nOPENAI_API_KEY=x\nZIRELIA_IMAGE_BACKEND=openai\n",
            "ZIRELIA_OFFLINE=1 and ZIRELIA_IMAGE_BACKEND=openai",
        ),
        (
            "ZIRELIA_OFFLINE=1\nZIRELIA_CHAT_BACKEND=langchain\nZIRELIA_CHAT_MODEL=anthropic:x\n",
            "ZIRELIA_OFFLINE=1 and ZIRELIA_CHAT_MODEL=anthropic:x contradict each other",
        ),
        (
            f"ZIRELIA_OFFLINE=1\nREPLICATE_API_TOKEN=x\nREPLICATE_MODEL_VERSION={VERSION}\nZIRELIA_IMAGE_BACKEND=replicate\n",
            "ZIRELIA_OFFLINE=1 and ZIRELIA_IMAGE_BACKEND=replicate contradict each other",
        ),
    ],
)
def test_each_mistake_is_named_with_its_place(tmp_path: Path, env_file: str, says: str) -> None:
    assert [line for line in refused(tmp_path, env_file) if line.startswith(says) or (says in line and says[0] != ".")]


def test_all_mistakes_of_all_places_come_at_once(tmp_path: Path) -> None:
    lines = refused(
        tmp_path,
        "ZIRELIA_PERSONNA=x\nTIMEZONE=nowhere\n",
        {"ZIRELIA_HOMME": "x", "UNRELATED": "y", "ZIRELIA_CRITIC_ATTEMPTS": "0", "ZIRELIA_CONFIG": "mine"},
        default='[chat]\nbackend = "auto"\n\nbackened = "x"\n[openai]\napi_key = "k"\n[imagee]\nsteps = 3\n',
        mine="[chat\n",
    )
    assert lines[0] == "8 problems in the settings"
    said = "\n".join(lines)
    for part in (
        ".env:1: ZIRELIA_PERSONNA: unknown setting; did you mean 'ZIRELIA_PERSONA'?",
        ".env:2: TIMEZONE: 'nowhere'",
        "environment: ZIRELIA_HOMME: unknown setting; did you mean 'ZIRELIA_HOME'?",
        "environment: ZIRELIA_CRITIC_ATTEMPTS: Input should be greater",
        "mine.toml: is not valid TOML",
        "default.toml:4: chat.backened: unknown setting; did you mean 'chat.backend'?",
        "default.toml:6: openai.api_key: a secret does not belong in a config file; put OPENAI_API_KEY into .env",
        "default.toml:8: imagee.steps: unknown setting; did you mean 'image.steps'?",
    ):
        assert part in said


def test_a_wrong_value_in_toml_is_named_with_its_line(tmp_path: Path) -> None:
    lines = refused(tmp_path, default='persona = "mira"\n[chat]\n# words\ntimeout_s = "long"\n')
    assert lines[1].startswith("default.toml:4: chat.timeout_s: Input should be a valid number")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigurationError, match=r"\.env: cannot be read: Is a directory"):
        load_settings(tmp_path, {})
    (tmp_path / ".env").rmdir()
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(ConfigurationError, match=r"\.env: is not UTF-8"):
        load_settings(tmp_path, {})


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    assert f"ZIRELIA_HOME: {tmp_path / 'taken'} is a file, not a folder" in refused(tmp_path, "ZIRELIA_HOME=taken\n")
    assert load(tmp_path, f"ZIRELIA_HOME={tmp_path / 'there'}\n").home == tmp_path / "there"


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, f"OPENAI_API_KEY={SECRET}\nREPLICATE_API_TOKEN={SECRET}\nGROQ_API_KEY={SECRET}\n")
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(masked(settings))):
        assert SECRET not in shown
    assert masked(settings)["openai.api_key"] == f"•••• ({len(SECRET)} characters)"
    assert masked(Settings())["openai.api_key"] == "not set"
    assert SECRET not in "\n".join(
        refused(tmp_path, f"OPENAI_API_KEY={SECRET}\nREPLICATE_MODEL_VERSION={SECRET}\nTIMEZONE=x\n")
    )


def chosen(tmp_path: Path, env_file: str, missing: tuple[str, ...] = ()) -> dict[Any, Any]:
    return dict(resolve_backends(load(tmp_path, env_file), installed=lambda module: module not in missing))


@pytest.mark.parametrize(
    ("env_file", "role", "backend", "model", "why"),
    [
        ("", "chat", "embedded", "SmolLM2-135M-Instruct", "no OPENAI_API_KEY and no OPENAI_BASE_URL"),
        ("OPENAI_API_KEY=x", "chat", "openai", "gpt-4.1-mini", "OPENAI_API_KEY is set"),
        ("OPENAI_BASE_URL=http://10.0.0.2/v1\nZIRELIA_CHAT_MODEL=q", "chat", "openai", "q", "the server at 10.0.0.2"),
        ("OPENAI_API_KEY=x\nZIRELIA_CHAT_BACKEND=embedded", "chat", "embedded", "SmolLM2-135M-Instruct", "=embedded"),
        ("ZIRELIA_CHAT_BACKEND=langchain\nZIRELIA_CHAT_MODEL=anthropic:c", "chat", "langchain", "anthropic:c", "=langchain"),
        ("ZIRELIA_OFFLINE=1\nOPENAI_API_KEY=x", "chat", "embedded", "SmolLM2-135M-Instruct", "ZIRELIA_OFFLINE=1"),
        ("ZIRELIA_OFFLINE=1\nOPENAI_BASE_URL=http://localhost:1/v1", "chat", "openai", "gpt-4.1-mini", "localhost"),
        ("", "vision", "none", "", "not checked"),
        ("OPENAI_API_KEY=x", "vision", "openai", "gpt-4.1-mini", "OPENAI_API_KEY"),
        ("OPENAI_API_KEY=x\nOPENAI_BASE_URL=http://h/v1", "vision", "none", "", "no ZIRELIA_VISION_MODEL for the server"),
        ("OPENAI_BASE_URL=http://h/v1\nZIRELIA_VISION_MODEL=llava:7b", "vision", "openai", "llava:7b", "ZIRELIA_VISION_MODEL"),
        ("OPENAI_API_KEY=x\nZIRELIA_VISION_BACKEND=none", "vision", "none", "", "not checked"),
        ("ZIRELIA_OFFLINE=1\nOPENAI_API_KEY=x\nZIRELIA_VISION_MODEL=m", "vision", "none", "", "ZIRELIA_OFFLINE=1"),
        ("ZIRELIA_VISION_BACKEND=langchain\nZIRELIA_VISION_MODEL=a:b", "vision", "langchain", "a:b", "langchain"),
        ("", "embeddings", "embedded", "wordllama", "installed"),
        ("ZIRELIA_EMBEDDINGS_BACKEND=none", "embeddings", "none", "", "=none"),
        ("", "image", "pocket", "pocket", "no Replicate token"),
        ("REPLICATE_API_TOKEN=x", "image", "pocket", "pocket", "REPLICATE_MODEL_VERSION is not"),
        (f"REPLICATE_MODEL_VERSION={VERSION}", "image", "pocket", "pocket", "REPLICATE_API_TOKEN is not"),
        (f"REPLICATE_API_TOKEN=x\nREPLICATE_MODEL_VERSION={VERSION}", "image", "replicate", VERSION, "are set"),
        (
            f"REPLICATE_API_TOKEN=x\nREPLICATE_MODEL_VERSION={VERSION}\nZIRELIA_OFFLINE=1",
            "image",
            "pocket",
            "pocket",
            "OFFLINE",
        ),
        ("ZIRELIA_IMAGE_MODEL=black-forest-labs/FLUX.1-dev", "image", "flux", "black-forest-labs/FLUX.1-dev", "IMAGE_MODEL"),
        ("ZIRELIA_IMAGE_BACKEND=flux", "image", "flux", "black-forest-labs/FLUX.1-schnell", "=flux"),
        ("ZIRELIA_IMAGE_BACKEND=openai\nOPENAI_API_KEY=x", "image", "openai", "gpt-image-2", "=openai"),
    ],
)
def test_which_backend_and_why(tmp_path: Path, env_file: str, role: str, backend: str, model: str, why: str) -> None:
    choice = chosen(tmp_path, env_file)[role]
    assert (choice.backend, choice.model, choice.missing_extra) == (backend, model, None)
    assert why in choice.why


def test_a_choice_says_which_extra_is_missing(tmp_path: Path) -> None:
    assert chosen(tmp_path, "", ("xllamacpp",))["chat"].missing_extra == "embedded"
    assert chosen(tmp_path, "", ("torch",))["image"].missing_extra == "embedded"
    assert chosen(tmp_path, "ZIRELIA_IMAGE_BACKEND=flux", ("diffusers",))["image"].missing_extra == "local"
    assert chosen(tmp_path, "", ("wordllama",))["embeddings"].backend == "none"


def test_settings_can_be_made_in_code_and_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from outside")
    monkeypatch.setenv("HOME", "/nowhere")
    made = Settings(chat=ChatSettings(backend="embedded"), image=ImageSettings(steps=4), openai=OpenAISettings())
    assert made.openai.api_key is None
    assert made.home == Path("home")
    assert made.image.steps == 4


def test_generated_pages_are_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page(), "run make docs"
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example(), "run make docs"


def test_the_example_names_every_setting_and_no_other() -> None:
    named = set(re.findall(r"(?m)^(?:# )?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8")))
    assert named == {leaf.env for leaf in leaves()} | {"ZIRELIA_CONFIG"}


def test_the_default_file_has_every_setting_with_a_comment_and_its_default() -> None:
    text = (ROOT / "config" / "default.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    for leaf in leaves():
        if leaf.secret:
            assert f"\n{leaf.key} =" not in text
            continue
        body = re.search(rf"(?ms)^\[{leaf.group}\]\n(.*?)(?=^\[|\Z)", text)[1] if leaf.group else text.split("\n[")[0]  # type: ignore[index]
        assert re.search(rf"(?m)^#.*\n(?:#? ?\w+ = .*\n)*(?:# )?{leaf.key} = ", body), leaf.dotted
        given = (tables.get(leaf.group, {}) if leaf.group else tables).get(leaf.key)
        assert given == (str(leaf.field.default) if leaf.key == "home" else leaf.field.default), leaf.dotted


def test_the_default_file_with_everything_uncommented_is_valid(tmp_path: Path) -> None:
    text = (ROOT / "config" / "default.toml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^# (\w+ = )", r"\1", text)
    assert load(tmp_path, "OPENAI_API_KEY=x\nREPLICATE_API_TOKEN=x\n", default=text).image.steps == 16


def test_the_production_file_fits(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"ZIRELIA_CONFIG": "production", "ZIRELIA_HOME": str(tmp_path)})
    assert settings.log_level == "INFO"
    assert settings.budget.month_usd == 50


def complaint(call: Callable[[], object]) -> str | None:
    """What a ConfigurationError says; None without one. Any other error comes through and fails the test."""
    try:
        call()
    except ConfigurationError as error:
        return str(error)
    return None


@given(st.text(max_size=200))
@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_env_file_is_read_or_one_clear_error(tmp_path: Path, text: str) -> None:
    for body in (text, f"ZIRELIA_PERSONA={text}", f"OPENAI_BASE_URL={text}\nZIRELIA_{text}=1"):
        (tmp_path / ".env").write_bytes(body.encode("utf-8", "surrogatepass"))
        said = complaint(lambda: load_settings(tmp_path, {}))
        assert said is None or ".env" in said or "ZIRELIA_" in said


@given(st.text(max_size=200))
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_config_file_is_read_or_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").mkdir(exist_ok=True)
    for body in (text, f"[chat]\n{text}", f"[{text}]\na = 1", f'home = "{text}"'):
        (tmp_path / "config" / "default.toml").write_bytes(body.encode("utf-8", "surrogatepass"))
        assert "settings" in (complaint(lambda: load_settings(tmp_path, {})) or "settings")


@pytest.mark.parametrize("name", ["ZIRELIA_HOME", "ZIRELIA_CHANNELS_FOLDER_OUTBOX"])
def test_the_home_of_nobody_is_a_clear_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: there is no user"):
        load(tmp_path, f"{name}=~nobody-of-that-name/x\n")
