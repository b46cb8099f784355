"""What the scripts for other trainers say: run under a real shell with a recorder in accelerate's place, parsed, and held
against the flags that each trainer has.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.persona import Consent
from zirelia.errors import TrainingError
from zirelia.training.exports import BaseKind, ScriptOrder, Tool, show_script
from zirelia.training.exports_order import here_document, number, toml
from zirelia.training.plan import POCKET, Targets, TrainingPlan, fluxgym, person

HOSTILE = [
    "plain",
    "with space",
    "quo'te",
    'dou"ble',
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned;b",
    "END",
    "-rf",
    "ünï—cödé 😀",
    "back\\slash",
    "#hash",
    "{yaml: [",
    "new\nline",
    "a & b | c > pwned",
]

# what the trainers' own argument parsers and documents name, as of late 2026
KOHYA = {
    "pretrained_model_name_or_path", "dataset_config", "output_dir", "output_name", "save_model_as", "save_precision",
    "save_every_n_steps", "network_module", "network_dim", "network_alpha", "network_args", "network_train_unet_only",
    "learning_rate", "optimizer_type", "optimizer_args", "lr_scheduler", "lr_warmup_steps", "max_grad_norm",
    "max_train_steps", "seed", "mixed_precision", "gradient_checkpointing", "sdpa", "cache_latents",
    "cache_latents_to_disk", "sample_prompts", "sample_every_n_steps", "max_data_loader_n_workers",
    "persistent_data_loader_workers",
}  # fmt: skip
KOHYA_TEXT_CACHE = {"cache_text_encoder_outputs", "cache_text_encoder_outputs_to_disk"}
KOHYA_FLUX = KOHYA | KOHYA_TEXT_CACHE | {
    "clip_l", "t5xxl", "ae", "t5xxl_max_token_length", "timestep_sampling", "discrete_flow_shift", "sigmoid_scale",
    "model_prediction_type", "guidance_scale", "loss_type", "fp8_base", "blocks_to_swap",
}  # fmt: skip
TEXT_TO_IMAGE = {
    "pretrained_model_name_or_path", "image_column", "caption_column", "output_dir", "resolution", "center_crop", "rank",
    "train_batch_size", "max_train_steps", "checkpointing_steps", "learning_rate", "lr_scheduler", "lr_warmup_steps",
    "adam_beta1", "adam_beta2", "adam_weight_decay", "use_8bit_adam", "max_grad_norm", "gradient_checkpointing",
    "mixed_precision", "seed", "validation_prompt", "validation_epochs", "report_to", "train_data_dir",
}  # fmt: skip
DREAMBOOTH = TEXT_TO_IMAGE - {"train_data_dir"} | {"dataset_name", "instance_prompt"}
FLAGS = {
    (Tool.KOHYA, BaseKind.FLUX): KOHYA_FLUX,
    (Tool.KOHYA, BaseKind.SDXL): KOHYA | KOHYA_TEXT_CACHE | {"no_half_vae"},
    (Tool.KOHYA, BaseKind.SD15): KOHYA,
    (Tool.DIFFUSERS, BaseKind.FLUX): DREAMBOOTH
    | {"guidance_scale", "max_sequence_length", "lora_layers", "weighting_scheme", "logit_mean", "logit_std",
       "cache_latents", "optimizer"},
    (Tool.DIFFUSERS, BaseKind.SDXL): DREAMBOOTH,
    (Tool.DIFFUSERS, BaseKind.SD15): TEXT_TO_IMAGE,
}  # fmt: skip
DATASET_KEYS = {
    "caption_extension", "shuffle_caption", "caption_dropout_rate", "batch_size", "resolution", "enable_bucket",
    "bucket_no_upscale", "bucket_reso_steps", "subsets", "image_dir", "num_repeats",
}  # fmt: skip
PROCESS = {
    "network": {"type", "linear", "linear_alpha", "network_kwargs"},
    "save": {"dtype", "save_every", "max_step_saves_to_keep", "push_to_hub"},
    "train": {
        "batch_size", "steps", "gradient_accumulation_steps", "train_unet", "train_text_encoder", "gradient_checkpointing",
        "noise_scheduler", "optimizer", "optimizer_params", "lr", "lr_scheduler", "lr_scheduler_params", "max_grad_norm",
        "dtype", "ema_config", "disable_sampling", "diff_output_preservation", "diff_output_preservation_multiplier",
        "diff_output_preservation_class",
    },
    "model": {"name_or_path", "is_flux", "is_xl", "quantize", "low_vram"},
    "sample": {
        "sampler", "sample_every", "width", "height", "prompts", "neg", "seed", "walk_seed", "guidance_scale", "sample_steps",
    },
}  # fmt: skip

RECORDER = """#!/usr/bin/env python3
import json, sys
json.dump(sys.argv[1:], open("argv.json", "w"))
"""


def dataset_of(*captions: str, folder: str = "") -> Dataset:
    return Dataset(
        persona="mira",
        trigger="mirelo",
        consent=Consent(fictional=True),
        references=tuple(
            Reference(path=f"{folder}{n}.png", sha256=f"{n:064x}", origin="noise", licence="CC0-1.0", caption=caption)
            for n, caption in enumerate(captions)
        ),
    )


def order_of(home: Path, name: str = "plain", **changes: Any) -> ScriptOrder:
    pictures = home / f"pictures {name}".replace("/", "_")
    pictures.mkdir(exist_ok=True)
    made: dict[str, Any] = {
        "plan": person(24),
        "dataset": dataset_of(f"mirelo woman, {name}", "mirelo woman, smiling"),
        "pictures": pictures,
        "out": home / f"out {name}",
    }
    order = ScriptOrder(**made | changes)
    for reference in order.dataset.references:
        (order.pictures / reference.path).parent.mkdir(exist_ok=True)
        (order.pictures / reference.path).write_bytes(reference.path.encode())
    return order


def run(script: str, home: Path) -> tuple[list[str], dict[str, list[str]]]:
    """The program's words and its flags, as a real shell hands them over."""
    tools = home / "bin"
    tools.mkdir(exist_ok=True)
    (tools / "accelerate").write_text(RECORDER)
    (tools / "accelerate").chmod(0o755)
    (home / "train.sh").write_text(script)
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [shutil.which("bash") or "bash", "train.sh"], cwd=home, env=environment, check=True, timeout=30, capture_output=True
    )
    words = json.loads((home / "argv.json").read_text())
    flags: dict[str, list[str]] = {}
    program: list[str] = []
    began = next(n for n, word in enumerate(words) if word.endswith(".py")) + 1
    for word in words[began:]:
        if word.startswith("--"):
            assert word not in flags, f"{word} twice"
            flags[word] = []
        else:
            flags[next(reversed(flags))].append(word)
    program = words[:began]
    return program, {name.removeprefix("--"): given for name, given in flags.items()}


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")


@needs_bash
@pytest.mark.parametrize(
    ("tool", "family", "memory", "plan"),
    [
        (tool, family, memory, plan)
        for (tool, family), (memory, plan) in itertools.product(
            FLAGS, [(None, person(24)), ("24gb", POCKET), ("16gb", person(8)), ("12gb", person(8)), ("8gb", POCKET)]
        )
    ],
)
def test_only_flags_that_the_trainer_has(home, tool, family, memory, plan):
    program, flags = run(show_script(tool, order_of(home, plan=plan, family=family, memory=memory)), home)
    assert set(flags) <= FLAGS[tool, family]
    assert program[0] == "launch"
    assert program[-1].endswith(
        {
            (Tool.KOHYA, BaseKind.FLUX): "flux_train_network.py",
            (Tool.KOHYA, BaseKind.SDXL): "sdxl_train_network.py",
            (Tool.KOHYA, BaseKind.SD15): "train_network.py",
            (Tool.DIFFUSERS, BaseKind.FLUX): "train_dreambooth_lora_flux.py",
            (Tool.DIFFUSERS, BaseKind.SDXL): "train_dreambooth_lora_sdxl.py",
            (Tool.DIFFUSERS, BaseKind.SD15): "train_text_to_image_lora.py",
        }[tool, family]
    )
    assert flags["max_train_steps"] == [str(plan.steps)]
    assert flags["seed"] == [str(plan.seed)]
    assert float(flags["learning_rate"][0]) == plan.learning_rate


@needs_bash
def test_kohya_says_the_plan_of_a_person(home):
    program, flags = run(show_script("kohya", order_of(home)), home)
    assert program[:3] == ["launch", "--num_cpu_threads_per_process", "1"]
    wanted = {
        "pretrained_model_name_or_path": ["models/flux1-dev.safetensors"],
        "t5xxl": ["models/t5xxl_fp16.safetensors"],
        "network_module": ["networks.lora_flux"],
        "network_dim": ["16"],
        "network_alpha": ["16"],
        "learning_rate": ["0.0001"],
        "timestep_sampling": ["shift"],
        "discrete_flow_shift": ["3.1582"],
        "model_prediction_type": ["raw"],
        "guidance_scale": ["1.0"],
        "cache_text_encoder_outputs_to_disk": [],
        "cache_latents_to_disk": [],
        "save_every_n_steps": ["250"],
        "sample_every_n_steps": ["250"],
        "mixed_precision": ["bf16"],
        "lr_scheduler": ["constant_with_warmup"],
        "lr_warmup_steps": ["50"],
        "optimizer_args": ["betas=0.9,0.999", "weight_decay=0.0001"],
        "network_args": ["img_mod_dim=0", "txt_mod_dim=0", "single_mod_dim=0"],
    }
    assert {name: flags[name] for name in wanted} == wanted
    assert "fp8_base" not in flags


@pytest.mark.parametrize(
    ("memory", "fp8", "swapped", "optimiser"),
    [
        (None, False, None, "AdamW"),
        ("40gb", False, None, "AdamW"),
        ("24gb", True, None, "AdamW"),
        ("16gb", True, ["8"], "AdamW"),
        ("12gb", True, ["16"], "AdamW8bit"),
        ("8gb", True, ["28"], "AdamW8bit"),
    ],
)
@needs_bash
def test_small_cards_save_memory(home, memory, fp8, swapped, optimiser):
    _, flags = run(show_script("kohya", order_of(home, memory=memory)), home)
    assert ("fp8_base" in flags) is fp8
    assert flags.get("blocks_to_swap") == swapped
    assert flags["optimizer_type"] == [optimiser]
    config = yaml.safe_load(show_script("ai-toolkit", order_of(home, memory=memory)))
    model = config["config"]["process"][0]["model"]
    assert model["quantize"] is (memory in {"24gb", "16gb", "12gb", "8gb"})
    assert model["low_vram"] is (memory in {"16gb", "12gb", "8gb"})


@needs_bash
@pytest.mark.parametrize("family", BaseKind)
def test_the_dataset_file_is_what_sd_scripts_reads(home, family):
    folders = dataset_of("mirelo a", "mirelo b", folder="kept/")
    order = order_of(home, dataset=folders, family=family)
    run(show_script("kohya", order), home)
    said = tomllib.loads((home / "dataset.toml").read_text(encoding="utf-8"))
    (sizes,) = said["datasets"]
    assert sizes["resolution"] == [1024, 1024]
    assert sizes["subsets"] == [{"image_dir": str(order.pictures / "kept"), "num_repeats": 1}]
    assert said["general"].get("caption_dropout_rate") == (0.05 if family is BaseKind.SD15 else None)
    assert {*said["general"], *sizes, *sizes["subsets"][0]} <= DATASET_KEYS


@needs_bash
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("tool", [Tool.KOHYA, Tool.DIFFUSERS])
def test_no_name_or_caption_escapes_its_quotes(home, tool, name):
    order = order_of(home, name)
    _, flags = run(show_script(tool, order), home)
    assert flags["output_dir"] == [str(order.out)]
    assert not list(home.rglob("pwned"))
    if tool is Tool.KOHYA:
        said = tomllib.loads((home / "dataset.toml").read_text(encoding="utf-8"))
        assert said["datasets"][0]["subsets"][0]["image_dir"] == str(order.pictures)
        prompts = (home / "prompts.txt").read_text(encoding="utf-8").splitlines()
        assert len(prompts) == 2
        assert all(line.startswith("mirelo woman") and line.count(" --") == 5 for line in prompts)
    else:
        copied = home / "zirelia-dataset"
        rows = [json.loads(line) for line in (copied / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [row["text"] for row in rows] == [reference.caption for reference in order.dataset.references]
        assert [(copied / row["file_name"]).read_bytes() for row in rows] == [b"0.png", b"1.png"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("family", BaseKind)
def test_ai_toolkit_is_yaml_of_known_keys(home, name, family):
    order = order_of(home, name, family=family)
    said = yaml.safe_load(show_script(Tool.AI_TOOLKIT, order))
    assert said["job"] == "extension"
    assert said["config"]["name"] == "mira"
    (process,) = said["config"]["process"]
    assert process["type"] == "sd_trainer"
    assert process["training_folder"] == str(order.out)
    assert process["datasets"][0]["folder_path"] == str(order.pictures)
    for part, keys in PROCESS.items():
        assert set(process[part]) <= keys, part
    assert process["network"]["linear"] == process["network"]["linear_alpha"] == 16
    assert process["train"]["lr"] == 1e-4
    assert process["train"]["ema_config"] == {"use_ema": True, "ema_decay": 0.99}
    assert process["train"]["noise_scheduler"] == process["sample"]["sampler"]
    assert process["model"].get("is_flux", False) is (family is BaseKind.FLUX)


def test_ai_toolkit_preserves_with_the_class_word(home):
    train = yaml.safe_load(show_script("ai-toolkit", order_of(home, noun="woman")))["config"]["process"][0]["train"]
    assert train["diff_output_preservation_class"] == "woman"
    assert train["diff_output_preservation_multiplier"] == 1.0


def test_a_small_rate_is_a_number_in_yaml(home):
    plan = person(24).model_copy(update={"learning_rate": 1e-5, "schedule": "linear"})
    train = yaml.safe_load(show_script("ai-toolkit", order_of(home, plan=plan)))["config"]["process"][0]["train"]
    assert train["lr"] == 1e-5
    assert train["lr_scheduler_params"] == {"start_factor": 1.0, "end_factor": 0.05}


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("kohya", ["preservation is missing", "caption dropout (0.05) is left out", "EMA"]),
        ("diffusers", ["preservation is missing", "caption dropout (0.05) is missing", "EMA", "shift has no flag"]),
        ("ai-toolkit", ["random words and empty captions are missing", "3.1582"]),
    ],
)
def test_what_the_other_trainer_lacks_is_said_at_the_top(home, tool, words):
    head = [line for line in show_script(tool, order_of(home)).splitlines()[:14] if line.startswith("#")]
    assert not [word for word in words if word not in "\n".join(head)]


@pytest.mark.parametrize("targets", Targets)
def test_the_layers_are_the_plans(home, targets):
    plan = person(24).model_copy(update={"targets": targets})
    _, flags = run(show_script("diffusers", order_of(home, plan=plan)), home)
    named = flags["lora_layers"][0].split(",")
    modules = [
        "transformer_blocks.0.attn.to_q", "transformer_blocks.0.ff.net.0.proj", "single_transformer_blocks.3.proj_mlp",
        "transformer_blocks.1.norm1.linear", "single_transformer_blocks.0.norm.linear", "context_embedder",
        "time_text_embed.text_embedder.linear_1", "time_text_embed.timestep_embedder.linear_1", "norm_out.linear", "proj_out",
    ]  # fmt: skip
    import re

    for module in modules:
        taken = any(module == name or module.endswith(f".{name}") for name in named)
        assert taken is bool(re.fullmatch(targets.pattern, module)), module


def test_a_dataset_without_pictures_is_refused(home):
    with pytest.raises(TrainingError, match="no pictures"):
        show_script("kohya", ScriptOrder(plan=POCKET, dataset=dataset_of(), pictures=home, out=home))


@given(st.text(), st.lists(st.integers(-(10**9), 10**9)), st.floats(-1e6, 1e6), st.booleans())
def test_toml_says_what_was_meant(text, numbers, share, yes):
    text = text.encode("utf-8", "ignore").decode()
    said = tomllib.loads(toml([("[one]", {"text": text, "numbers": numbers, "share": share, "yes": yes})]))["one"]
    assert said["text"] == text
    assert said["numbers"] == numbers
    assert said["share"] == pytest.approx(share, abs=1e-11)
    assert said["yes"] is yes


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])))
def test_no_text_ends_its_here_document(text):
    lines = here_document("file", f"{text}\nEND\nEND_\n").splitlines()
    assert lines[0] == "cat > file <<'END__'"
    assert lines.count("END__") == 1 or "END__" in text
    assert lines[-1].startswith("END_")


@pytest.mark.parametrize(
    ("value", "said"), [(1e-4, "0.0001"), (3.1582, "3.1582"), (1.0, "1.0"), (0.0, "0.0"), (1e-05, "0.00001")]
)
def test_numbers_in_full(value, said):
    assert number(value) == said


@pytest.mark.parametrize("tool", Tool)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"preservation": "class images"}, "class images is missing"),
        ({"background_weight": 0.2}, "background (0.2) is missing"),
        ({"quantisation": "nf4"}, "held in nf4 by Zirelia"),
        ({"validate_every": 100, "patience": 3}, "stopping early is missing"),
    ],
)
def test_what_a_plan_may_have_besides_is_said(home, tool, change, words):
    plan = TrainingPlan.model_validate(person(24).model_dump() | change)
    assert words in show_script(tool, order_of(home, plan=plan))


@needs_bash
def test_fluxgym_is_written_back_as_fluxgym(home):
    _, flags = run(show_script("kohya", order_of(home, plan=fluxgym(10))), home)
    assert flags["max_train_steps"] == ["1600"]
    assert flags["network_dim"] == ["4"]
    assert flags["learning_rate"] == ["0.0003"]
    assert flags["lr_scheduler"] == ["constant"]
    assert "fp8_base" in flags
    assert "lr_warmup_steps" not in flags
    said = tomllib.loads((home / "dataset.toml").read_text(encoding="utf-8"))["datasets"][0]
    assert (said["enable_bucket"], said["resolution"]) == (True, [512, 512])


@needs_bash
@pytest.mark.parametrize("tool", [Tool.KOHYA, Tool.DIFFUSERS])
def test_a_plan_without_samples_draws_none(home, tool):
    _, flags = run(show_script(tool, order_of(home, plan=POCKET)), home)
    assert not [name for name in flags if "sample" in name or "validation" in name]
    assert yaml.safe_load(show_script("ai-toolkit", order_of(home, plan=POCKET)))["config"]["process"][0]["train"][
        "disable_sampling"
    ]


def test_a_script_names_whole_paths(home):
    Path("dataset").mkdir()
    said = show_script("ai-toolkit", order_of(home, pictures=Path("dataset"), out=Path("lora")))
    process = yaml.safe_load(said)["config"]["process"][0]
    assert process["training_folder"] == str(home / "lora")
    assert process["datasets"][0]["folder_path"] == str(home / "dataset")
