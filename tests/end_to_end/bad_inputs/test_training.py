"""Trainings that cannot start or go on, each with what is wrong and how it is put right, before a step is taken."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

from zirelia.files import alone


def train(*more, change=None):
    def given(desk):
        command = desk.train
        if change:
            change(desk)
        return [*command, *more]

    return given


def picture(desk):
    return desk.dataset / "close-up-01-1.png"


def said_of(desk, text):
    (desk.dataset / "close-up-01-1.txt").write_text(text)


def a_word_for_trigger(desk):
    for path in (desk.dataset / "dataset.json", *desk.dataset.glob("*.txt")):
        desk.change(path, "pufelunax", "kitchen")


def base(folder):
    return lambda desk: desk.setting(ZIRELIA_TRAINING_BASE=folder(desk))


def another_pipeline(desk):
    desk.put("base/model_index.json", '{"_class_name": "PixArtPipeline"}')
    return desk.given / "base"


def half_a_pipeline(desk):
    desk.put("base/model_index.json", '{"_class_name": "FluxPipeline"}')
    return desk.given / "base"


def full_disk(desk):
    usage = namedtuple("usage", "total used free")
    desk.monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))


def little_memory(desk):
    desk.monkeypatch.setattr("zirelia.training.preflight._free_memory", lambda **_: 10**6)


def running(desk):
    desk.run.mkdir(parents=True)
    desk.held.enter_context(alone(desk.run / "lock", busy=lambda _: AssertionError()))


REFUSED = [
    pytest.param(lambda d: ["train", "luna"], 3, ["'luna' has no finished dataset", "dataset build luna"], id="no dataset"),
    pytest.param(lambda d: ["train", "lunna"], 3, ["no persona 'lunna'", "did you mean 'luna'"], id="no persona"),
    pytest.param(train("--preset", "persn"), 2, ["--preset", "'persn' is not one of", "'person'"], id="preset"),
    pytest.param(train("--profile", "99gb"), 2, ["--profile", "'99gb' is not one of", "'24gb'"], id="profile"),
    pytest.param(train("--resolution", 100), 2, ["resolution", "multiple of 16", "--help"], id="resolution of 100"),
    pytest.param(train("--resolution", 256), 11, ["128 pixels on its shorter side", "256", "lower resolution"], id="of 256"),
    pytest.param(train("--steps", 0), 2, ["--steps", "0 is not in the range"], id="no steps"),
    pytest.param(train("--rate", "nan"), 2, ["learning_rate", "finite number", "--help"], id="rate nan"),
    pytest.param(
        train(change=lambda d: picture(d).write_bytes(d.encoded())),
        11,
        ["close-up-01-1.png", "its hash differs", "restore"],
        id="a picture that changed",
    ),
    pytest.param(
        train(change=lambda d: said_of(d, "a woman in a park")),
        11,
        ["1 of 3 captions do not hold the trigger 'pufelunax' exactly once: close-up-01-1.png", "dataset caption luna"],
        id="a caption without the trigger",
    ),
    pytest.param(
        train(change=lambda d: said_of(d, "pufelunax and pufelunax")),
        11,
        ["exactly once", "dataset caption luna"],
        id="a caption with the trigger twice",
    ),
    pytest.param(
        train(change=lambda d: d.change(d.dataset / "dataset.json", '"persona": "luna"', '"persona": "mira"')),
        11,
        ["the dataset is of 'mira', not of 'luna'", "build one"],
        id="somebody else's dataset",
    ),
    pytest.param(
        train(change=a_word_for_trigger),
        11,
        ["the trigger 'kitchen' is a word that models know", "choose another trigger in persona.yaml"],
        id="a trigger that is a word",
    ),
    pytest.param(train(change=full_disk), 11, ["too little disk", "GiB free", "free some disk space"], id="full disk"),
    pytest.param(train(change=little_memory), 11, ["too little memory", "GiB free", "smaller"], id="little memory"),
    pytest.param(
        train(change=base(lambda d: d.given)),
        11,
        ["is not a complete pipeline", "model_index.json", "layout of diffusers"],
        id="base: no pipeline",
    ),
    pytest.param(
        train(change=base(another_pipeline)), 11, ["holds a PixArtPipeline", "it trains FluxPipeline"], id="base: another kind"
    ),
    pytest.param(train(change=base(half_a_pipeline)), 11, ["config.json cannot be read", "not complete"], id="base: half"),
    pytest.param(
        train(change=base(lambda d: "nobody/nothing")), 2, ["nobody/nothing is not a folder", "download it"], id="base: a name"
    ),
    pytest.param(
        train("--where", "replicate"),
        2,
        ["needs a model that receives the LoRA", "ZIRELIA_TRAINING_DESTINATION"],
        id="replicate: no destination",
    ),
    pytest.param(
        train("--where", "replicate", change=lambda d: d.setting(ZIRELIA_TRAINING_DESTINATION="me/luna")),
        2,
        ["Replicate needs a token", "REPLICATE_API_TOKEN"],
        id="replicate: no token",
    ),
    pytest.param(train(change=running), 11, ["another training (process", "is writing to", "wait"], id="another one runs"),
    pytest.param(lambda d: ["train", "resume", "luna"], 3, ["no training of 'luna' was begun", "train luna"], id="no training"),
    pytest.param(lambda d: ["train", "watch", "luna"], 3, ["luna", "zirelia train luna"], id="nothing to watch"),
    pytest.param(lambda d: ["train", "stop", "luna"], 3, ["luna", "zirelia train luna"], id="nothing to stop"),
]


@pytest.mark.parametrize(("given", "code", "says"), REFUSED)
def test_a_training_that_is_refused(judged, desk, given, code, says):
    judged(given, code, says)
    assert not list(desk.home.rglob("*.safetensors"))


def test_a_persona_whose_consent_ends_between_dataset_and_training(judged):
    real = (
        "consent:\n  fictional: false\n  person: Ada Roe\n  scope: social media\n"
        "  expires: 2020-01-31\n  document_sha256: " + "0" * 64
    )
    judged(train(change=lambda d: d.say("consent:\n  fictional: true", real)), 7, ["ended on 2020-01-31", "new"])


def after(change, *command):
    def given(desk):
        desk.trained()
        change(desk)
        return command

    return given


def cut(name):
    def change(desk):
        path = desk.run / "step-000001" / name
        path.write_bytes(path.read_bytes()[:-100])
        (desk.run.parent / "luna.safetensors").unlink()

    return change


ENDED = [
    pytest.param(
        after(lambda d: (d.run.parent / "train.json").write_text("{"), "train", "resume", "luna"),
        11,
        ["train.json cannot be read", "begin again"],
        id="train.json",
    ),
    pytest.param(
        after(lambda d: (d.run / "status.json").write_text("{"), "train", "watch", "luna"), 11, ["status.json"], id="status"
    ),
    pytest.param(
        after(cut("state.safetensors"), "train", "resume", "luna"),
        11,
        ["step-000001 cannot be read", "--anew"],
        id="a snapshot that is cut off",
    ),
    pytest.param(
        after(cut("lora.safetensors"), "lora", "choose", "luna"),
        11,
        ["step-000001/lora.safetensors is not a whole LoRA file", "train again"],
        id="a checkpoint that is cut off",
    ),
    pytest.param(
        after(lambda d: None, "train", "luna", "--steps", 2, "--resolution", 32),
        11,
        ["another training of 'luna' lies in", "train resume luna", "--anew"],
        id="another plan",
    ),
]


@pytest.mark.parametrize(("given", "code", "says"), ENDED)
def test_a_training_that_cannot_go_on(judged, given, code, says):
    judged(given, code, says)
