"""The editing pipelines of diffusers for real, with tiny random weights: what they are given, and what comes of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from zirelia.errors import ConfigurationError
from zirelia.images.base import Base, BaseKey
from zirelia.images.edit_diffusers import DiffusersImageEditor, edit_family
from zirelia.images.profiles import Profile
from zirelia.testing.tiny_pipelines import SIDE, tiny

TINY = Profile(device="cpu", dtype="fp32", steps=2, width=SIDE, height=SIDE, max_sequence_length=32)
KINDS = ("FluxKontext", "Flux2Klein", "QwenImageEditPlus")


@pytest.fixture(scope="module")
def qwen():
    """Its processor is read back from disk only with torchvision, so the pipeline is held in memory."""
    import diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus as module

    before, module.VAE_IMAGE_SIZE = module.VAE_IMAGE_SIZE, SIDE * SIDE  # else a megapixel for every reference
    pipeline = tiny("QwenImageEditPlus")
    pipeline.set_progress_bar_config(disable=True)
    yield Base(BaseKey("qwen", None, TINY), pipeline, "cpu", "tiny")
    module.VAE_IMAGE_SIZE = before


@pytest.fixture
def editor_of(request, tiny_folder, tmp_path, monkeypatch):
    def make(kind, profile=TINY, **options):
        if kind != "QwenImageEditPlus":
            return DiffusersImageEditor(tiny_folder(kind), profile, **options)
        (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": f"{kind}Pipeline"}))
        base = request.getfixturevalue("qwen")
        monkeypatch.setattr(DiffusersImageEditor, "_base", lambda self: base)
        return DiffusersImageEditor(tmp_path, profile, **options)

    return make


@pytest.fixture
def seen(monkeypatch):
    """The arguments of every call of a pipeline."""
    import zirelia.images.edit_diffusers as module

    calls = []
    run = module.run

    def watched(base, pipeline, arguments, **named):
        calls.append(arguments)
        return run(base, pipeline, arguments, **named)

    monkeypatch.setattr(module, "run", watched)
    return calls


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixels_follow_from_seed_and_references(editor_of, edit_of, photo, new_call, told, kind):
    editor = editor_of(kind)

    def pixels(*references, seed=7):
        made = editor.edit(edit_of(*references, seed=seed), call=new_call(), progress=told)
        image = Image.open(io.BytesIO(made.data))
        assert image.size == (SIDE, SIDE)
        return image.tobytes()

    first = pixels(photo(10))
    assert pixels(photo(10)) == first
    assert pixels(photo(200)) != first
    assert pixels(photo(10), photo(200)) != first
    assert pixels(photo(10), seed=8) != first


@pytest.mark.parametrize(("kind", "most"), [*zip(KINDS, (2, 4, 3), strict=True)])
def test_a_folder_tells_its_class_before_it_is_loaded(editor_of, kind, most):
    editor = editor_of(kind, replace(TINY, width=None, height=None))
    assert editor.most_references() == most
    assert editor.size() == (1024, 1024)
    assert editor.licence()
    assert editor_of(kind, licence="CC0-1.0").licence() == "CC0-1.0"


@pytest.mark.parametrize(
    ("kind", "steps", "guidance", "true_cfg"),
    [("FluxKontext", 28, 2.5, None), ("Flux2Klein", 4, 1.0, None), ("QwenImageEditPlus", 40, None, 4.0)],
)
def test_the_authors_numbers_are_used(editor_of, edit_of, photo, call, told, seen, kind, steps, guidance, true_cfg):
    made = editor_of(kind, replace(TINY, steps=None)).edit(edit_of(photo()), call=call, progress=told)
    (arguments,) = seen
    assert arguments["num_inference_steps"] == made.provenance.steps == steps
    assert arguments.get("guidance_scale") == guidance
    assert arguments.get("true_cfg_scale") == true_cfg
    assert arguments.get("negative_prompt") == (" " if true_cfg else None)
    assert made.provenance.guidance == (true_cfg or guidance)
    assert made.provenance.prompt.negative == ""
    assert told.words[-1] == (1.0, f"step {steps} of {steps}")


def test_the_profile_counts_before_the_family(editor_of, edit_of, photo, call, told, seen):
    editor_of("FluxKontext", replace(TINY, guidance=1.5)).edit(edit_of(photo(), steps=3), call=call, progress=told)
    assert (seen[0]["num_inference_steps"], seen[0]["guidance_scale"]) == (3, 1.5)


def test_kontext_gets_one_picture_and_the_size_that_was_asked_for(editor_of, edit_of, photo, call, told, seen):
    editor_of("FluxKontext").edit(edit_of(photo(), photo(200), size=(96, 128)), call=call, progress=told)
    assert seen[0]["image"].size == (172, 72)  # 192 x 80 in the pixels of 96 x 128
    assert (seen[0]["max_area"], seen[0]["_auto_resize"]) == (96 * 128, False)


@pytest.mark.parametrize("kind", ["Flux2Klein", "QwenImageEditPlus"])
def test_the_others_get_a_list_in_order(editor_of, edit_of, photo, call, told, seen, kind):
    editor_of(kind).edit(edit_of(photo(10), photo(200)), call=call, progress=told)
    assert [image.getpixel((0, 0)) for image in seen[0]["image"]] == [
        Image.open(io.BytesIO(photo(shade))).resize(seen[0]["image"][0].size, Image.Resampling.LANCZOS).getpixel((0, 0))
        for shade in (10, 200)
    ]


def test_a_klein_that_is_not_distilled_takes_its_time():
    pipeline = tiny("Flux2Klein")
    pipeline.register_to_config(is_distilled=False)
    assert (edit_family(pipeline).steps, edit_family(pipeline).guidance) == (50, 4.0)


def test_a_pipeline_that_takes_no_references_is_refused(edit_of, photo, call, told, pocket):
    editor = DiffusersImageEditor(pocket._key.model, TINY)
    with pytest.raises(ConfigurationError, match="FluxPipeline is no edit model"):
        editor.edit(edit_of(photo()), call=call, progress=told)


def test_qwen_without_torchvision_says_what_is_missing(tmp_path, edit_of, photo, call, told, monkeypatch):
    import importlib.util

    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "QwenImageEditPlusPipeline"}))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torchvision" else find(name))
    with pytest.raises(ConfigurationError, match="only with torchvision"):
        DiffusersImageEditor(tmp_path, TINY).edit(edit_of(photo()), call=call, progress=told)


def test_a_damaged_folder_is_named(tmp_path):
    (tmp_path / "model_index.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"model_index\.json is damaged"):
        DiffusersImageEditor(tmp_path, TINY)


def test_sides_off_the_grid_are_refused(editor_of, edit_of, photo, call, told):
    with pytest.raises(ConfigurationError, match="multiples of 16"):
        editor_of("FluxKontext").edit(edit_of(photo(), size=(100, 128)), call=call, progress=told)


def test_cancelling_ends_after_the_current_step(editor_of, edit_of, photo, call, new_told):
    told = new_told(stop=InterruptedError(), after=1)
    with pytest.raises(InterruptedError):
        editor_of("FluxKontext", replace(TINY, steps=9)).edit(edit_of(photo()), call=call, progress=told)
    assert told.words[-1][1] == "step 1 of 9"
    editor_of("FluxKontext").edit(edit_of(photo()), call=call, progress=new_told())
