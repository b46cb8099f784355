"""Trainings on Replicate: the genuine client against a peer on loopback, with faults, kills and hostile downloads."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import SecretStr

from zirelia.definitions.personas import load_persona
from zirelia.domain.dataset import Dataset, Reference
from zirelia.domain.ledger import LedgerState
from zirelia.domain.persona import Consent
from zirelia.errors import (
    BadAnswer,
    ConfigurationError,
    ConsentRequired,
    MediaError,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    RateLimited,
    TrainingError,
)
from zirelia.network import connections_outside
from zirelia.network.replicate import _Plain
from zirelia.ports import TrainingOrder, Usage
from zirelia.store.media import MediaStore
from zirelia.store.sql import SqlStore
from zirelia.studio import SilentWatcher
from zirelia.testing.replicate_trainer import FLUX_TRAINING_SCHEMA, ReplicateTrainingServer
from zirelia.training.lora_file import read_lora
from zirelia.training.plan import TrainingPlan, person
from zirelia.training.replicate import ReplicateTrainer
from zirelia.training.replicate_inputs import choose_inputs, training_schema
from zirelia.training.replicate_package import package
from zirelia.training.replicate_record import Record
from zirelia.training.replicate_runs import Patience, progress_of
from zirelia.training.replicate_weights import lora_bytes, write_checked
from zirelia.workflow.train import TrainKit, train

TRIGGER = "mirelo"
PLAN = person(2).model_copy(update={"resolution": 64, "steps": 1000})


def safetensors(
    rank: int = 4, *, dtype: str = "F16", prefix: str = "transformer.", said: dict[str, str] | None = None
) -> bytes:
    header: dict[str, Any] = {"__metadata__": said} if said else {}
    place = 0
    for letter, shape in (("A", [rank, 8]), ("B", [8, rank])):
        size = shape[0] * shape[1] * 2
        key = f"{prefix}single_transformer_blocks.0.attn.to_k.lora_{letter}.weight"
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + size]}
        place += size
    encoded = json.dumps(header).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(range(256)) * (place // 256) + bytes(place % 256)


def tar(*members: tuple[str, bytes], links: tuple[tuple[str, str], ...] = (), mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


LORA_NAME = "output/flux_train_replicate/lora.safetensors"
WEIGHTS = tar(("output/flux_train_replicate/config.yaml", b"job: x"), (LORA_NAME, safetensors()))


@dataclass
class Call:
    external_id: str | None = None
    stored: list[str] = field(default_factory=list)
    crash: bool = False

    def created(self, external_id: str) -> None:
        if self.crash:
            raise KeyboardInterrupt
        self.stored.append(external_id)
        self.external_id = external_id


@dataclass
class Told:
    words: list[tuple[float, str]] = field(default_factory=list)

    def __call__(self, fraction: float, note: str) -> None:
        self.words.append((fraction, note))

    @property
    def text(self) -> str:
        return "\n".join(note for _, note in self.words)


class Still:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.at, self.naps = 0.0, []

    def patience(self) -> Patience:
        return Patience(sleep=self.sleep, clock=lambda: self.at)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.at += seconds


@pytest.fixture
def still() -> Still:
    return Still()


@pytest.fixture
def server() -> Iterator[ReplicateTrainingServer]:
    with ReplicateTrainingServer(WEIGHTS) as peer:
        yield peer


@pytest.fixture
def order(home: Path) -> TrainingOrder:
    pictures = home / "dataset"
    pictures.mkdir()
    references = []
    for number, size in enumerate([(64, 64), (80, 64)]):
        path = pictures / f"{number} pic.png"
        exif = Image.Exif()
        exif[0x010E] = "42 Secret Street"
        Image.linear_gradient("L").resize(size).convert("RGB").save(path, exif=exif)
        references.append(
            Reference(
                path=path.name,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                origin="noise",
                licence="CC0-1.0",
                caption=f"{TRIGGER} woman, close-up, picture {number}",
            )
        )
    dataset = Dataset(persona="mira", trigger=TRIGGER, consent=Consent(fictional=True), references=tuple(references))
    return TrainingOrder(dataset=dataset, pictures=pictures, out=home / "lora")


@pytest.fixture
def trainer(server: ReplicateTrainingServer, still: Still) -> Callable[..., ReplicateTrainer]:
    def make(
        plan: TrainingPlan = PLAN, *, to: str = "ada/mira", version: str | None = None, **options: Any
    ) -> ReplicateTrainer:
        settings: dict[str, Any] = {"base_url": server.url, "retry_base": 0.0, "patience": still.patience()}
        return ReplicateTrainer(SecretStr(server.token), version or server.trainer, to, plan, **settings | options)

    return make


def run(trainer: ReplicateTrainer, order: TrainingOrder, call: Call | None = None) -> Any:
    told = Told()
    made = trainer.train(order, call=call or Call(), progress=told)
    return made, told


# ---- the whole way ------------------------------------------------------------------------------------------------------


def test_a_training_from_pictures_to_a_verified_file(server, trainer, order):
    call = Call()
    (checkpoint,), told = run(trainer(), order, call)
    (training,) = server.trainings
    assert call.stored == [training["id"]]
    inputs = training["input"]
    url = inputs.pop("input_images")
    assert url.startswith(f"{server.url}/v1/files/")
    assert inputs == {
        "trigger_word": TRIGGER,
        "autocaption": False,
        "steps": 1000,
        "learning_rate": 1e-4,
        "batch_size": 1,
        "resolution": "64",
        "lora_rank": 16,
        "caption_dropout_rate": 0.05,
    }
    assert server.models == {"ada/mira": "private"}
    assert checkpoint.step == 1000
    assert checkpoint.lora.rank == 4
    assert checkpoint.lora.trigger == TRIGGER
    assert checkpoint.lora.base_model == "FLUX.1-dev"
    lora, said = read_lora(Path(checkpoint.lora.path))
    assert lora == checkpoint.lora
    assert said["modelspec.license"] == "CC0-1.0"
    assert said["zirelia.training"] == training["id"]
    assert Path(checkpoint.lora.path).is_relative_to(order.out)
    assert "step 500 of 1000, loss 0.3215" in told.text
    assert "no input for seed" in told.text
    assert [fraction for fraction, _ in told.words] == sorted(fraction for fraction, _ in told.words)


def test_the_zip_holds_pairs_and_nothing_else(server, trainer, order):
    run(trainer(), order)
    (body,) = server.uploads.values()
    start = body.index(b"PK\x03\x04")
    with zipfile.ZipFile(io.BytesIO(body[start:])) as archive:
        assert archive.namelist() == ["0001.jpg", "0001.txt", "0002.jpg", "0002.txt"]
        assert archive.read("0002.txt").decode() == order.dataset.references[1].caption
        with Image.open(io.BytesIO(archive.read("0002.jpg"))) as picture:
            assert picture.size == (80, 64)
            assert not picture.getexif()
    assert b"Secret Street" not in body


def test_the_same_pictures_give_the_same_bytes(order):
    first = package(order.dataset, order.pictures, side=64)
    assert first == package(order.dataset, order.pictures, side=64)
    assert first != package(order.dataset, order.pictures, side=48)


def test_a_broken_picture_is_named(order):
    (order.pictures / "0 pic.png").write_bytes(b"\x89PNG\r\n\x1a\nnot")
    with pytest.raises(MediaError, match=r"0 pic\.png"):
        package(order.dataset, order.pictures, side=64)


def test_money_is_estimated_and_counted_by_the_second(server, trainer, order):
    made = trainer(price_per_second=0.01, seconds_per_step=0.5, seconds_to_start=100.0)
    assert made.estimate_usd(order) == pytest.approx(6.0)
    assert made.cost_usd(order) is None
    run(made, order)
    assert made.cost_usd(order) == pytest.approx(server.seconds * 0.01)
    assert made.estimate_usd(order) == 0.0


def test_looks_come_further_apart_but_not_without_end(server, trainer, order, still):
    server.looks = 12
    run(trainer(), order)
    assert still.naps[:3] == pytest.approx([5.0, 6.5, 8.45])
    assert max(still.naps) == 30.0
    assert server.paid == 1


def test_no_secret_is_shown_or_kept(server, trainer, order):
    made = trainer()
    run(made, order)
    assert server.token not in repr(made) + str(made.facts())
    assert not [path for path in order.out.rglob("*") if path.is_file() and server.token.encode() in path.read_bytes()]


# ---- never paid twice ---------------------------------------------------------------------------------------------------


def test_a_finished_order_asks_nobody(server, trainer, order):
    run(trainer(), order)
    asked = len(server.requests)
    (checkpoint,), _ = run(trainer(), order)
    assert len(server.requests) == asked
    assert checkpoint.step == 1000


def test_settings_that_are_not_sent_order_nothing_anew(server, trainer, order):
    run(trainer(), order)
    run(trainer(PLAN.model_copy(update={"snapshot_every": 10, "ema": None})), order)
    assert server.paid == 1


def test_another_plan_is_another_training(server, trainer, order):
    run(trainer(), order)
    run(trainer(PLAN.model_copy(update={"rank": 8})), order)
    assert server.paid == 2


def test_a_resumed_call_looks_and_never_orders(server, trainer, order):
    known = server.plant({"steps": 1000, "input_images": "x"}, "ada/mira")
    run(trainer(), order, Call(external_id=known["id"]))
    assert server.paid == 1
    assert not any(request.method == "POST" for request in server.requests)


def test_a_kill_between_creation_and_storing_pays_once(server, trainer, order):
    with pytest.raises(KeyboardInterrupt):
        run(trainer(), order, Call(crash=True))
    for _ in range(5):
        server.plant({"steps": 1000, "input_images": "other"}, "ada/other")
    call = Call()
    run(trainer(), order, call)
    assert call.stored == [server.trainings[0]["id"]]
    assert len(server.uploads) == 1
    assert server.paid == 1 + 5


def test_an_older_training_with_the_same_inputs_is_not_taken(server, trainer, order):
    with pytest.raises(KeyboardInterrupt):
        run(trainer(), order, Call(crash=True))
    inputs = server._trainings.pop(server.trainings[0]["id"])["input"]
    old = server.plant(inputs, "ada/mira", age=timedelta(hours=3))
    call = Call()
    run(trainer(), order, call)
    assert call.stored != [old["id"]]


@pytest.mark.parametrize("fault", [{"silent": True}, {"status": 502}, {"status": 500}])
def test_a_lost_answer_is_looked_up(server, trainer, order, fault):
    server.fail("create", after=True, **fault)
    call = Call()
    run(trainer(), order, call)
    assert server.paid == 1
    assert call.stored == [server.trainings[0]["id"]]


def test_a_failure_without_effect_is_tried_again(server, trainer, order):
    server.fail("create", status=503)
    run(trainer(), order)
    assert server.paid == 1


def test_after_a_time_out_nothing_is_ordered_again_in_the_same_call(server, trainer, order):
    server.fail("create", status=408)
    with pytest.raises(ProviderTimeout):
        run(trainer(), order)
    assert server.paid == 0
    run(trainer(), order)
    assert server.paid == 1


def test_ctrl_c_leaves_the_training_running(server, trainer, order, still):
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    call = Call()
    with pytest.raises(KeyboardInterrupt):
        run(trainer(patience=Patience(sleep=interrupted, clock=lambda: 0.0)), order, call)
    assert server.trainings[0]["status"] == "starting"
    run(trainer(), order, Call(external_id=call.external_id))
    assert server.paid == 1


def test_waiting_ends_but_the_training_does_not(server, trainer, order):
    server.ending = "never"
    with pytest.raises(ProviderTimeout, match="goes on there"):
        run(trainer(timeout=60.0), order)
    assert server.trainings[0]["status"] == "processing"


def test_a_lost_file_is_fetched_again_from_the_paid_training(server, trainer, order):
    (checkpoint,), _ = run(trainer(), order)
    Path(checkpoint.lora.path).unlink()
    run(trainer(), order)
    assert server.paid == 1
    assert Path(checkpoint.lora.path).is_file()


def test_a_failed_training_is_ordered_anew_with_the_same_upload(server, trainer, order):
    server.ending = "failed"
    with pytest.raises(ProviderError):
        run(trainer(), order)
    server.ending = "succeeded"
    run(trainer(), order)
    assert server.paid == 2
    assert len(server.uploads) == 1


def test_an_upload_that_is_gone_is_sent_again(server, trainer, order):
    server.fail("create", status=422)
    with pytest.raises(ProviderRefused):
        run(trainer(), order)
    server.uploads.clear()
    run(trainer(), order)
    assert len(server.uploads) == 1


def test_stop_cancels_what_is_under_way(server, trainer, order, still):
    server.ending = "never"
    made = trainer(timeout=10.0)
    assert made.stop(order.out) is None
    with pytest.raises(ProviderTimeout):
        run(made, order)
    assert made.stop(order.out) == server.trainings[0]["id"]
    assert server.trainings[0]["status"] == "canceled"


def test_a_damaged_record_is_an_error_and_no_second_payment(server, trainer, order):
    order.out.mkdir()
    (order.out / "replicate.json").write_text("{")
    with pytest.raises(TrainingError, match="cannot be read"):
        run(trainer(), order)
    assert server.paid == 0


@pytest.mark.parametrize("effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("last", range(1, 9))
def test_killed_at_any_request_and_resumed_it_pays_once(server, trainer, order, monkeypatch, last, effect):
    """The process ends at its n-th request, before or after the provider has acted on it; the next one goes on."""
    real, asked, call = _Plain.handle_request, [0], Call()

    def handle(self: Any, request: Any) -> Any:
        asked[0] += 1
        if asked[0] < last:
            return real(self, request)
        if effect:
            real(self, request).close()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(_Plain, "handle_request", handle)
        run(trainer(), order, call)
    (checkpoint,), _ = run(trainer(), order, Call(external_id=call.external_id))
    assert server.paid == 1
    assert read_lora(Path(checkpoint.lora.path))[0] == checkpoint.lora


def test_the_ledger_of_a_hosted_training(server, trainer, order, home, now):
    """With the real store: the row is there before the order, keeps the id over a kill, and is charged by the second."""
    persona = load_persona("mira").persona

    class Killed(Still):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    with SqlStore(home / "zirelia.db", MediaStore(home / "media")) as store:

        def kit(**options: Any) -> TrainKit:
            return TrainKit(store, trainer(price_per_second=0.01, **options), lambda: now, SilentWatcher(), "plan")

        with pytest.raises(KeyboardInterrupt):
            train(kit(patience=Killed().patience()), persona, order)
        (row,) = store.ledger(persona="mira")
        assert (row.state, row.external_id) == (LedgerState.UNKNOWN, server.trainings[0]["id"])
        assert row.charged_usd == pytest.approx((240 + 900) * 0.01)
        for _ in range(2):
            train(kit(), persona, order)
        assert server.paid == 1
        assert sum(row.charged_usd for row in store.ledger(persona="mira")) == pytest.approx(server.seconds * 0.01)


# ---- refusals -----------------------------------------------------------------------------------------------------------


def test_nothing_is_sent_without_consent(server, trainer, order):
    consent = Consent(fictional=False, person="Ada", scope="all", expires=date(2020, 1, 1), document_sha256="0" * 64)
    with pytest.raises(ConsentRequired):
        run(trainer(), TrainingOrder(order.dataset.model_copy(update={"consent": consent}), order.pictures, order.out))
    assert server.requests == []


@pytest.mark.parametrize("change", [{"steps": 7000}, {"steps": 2}, {"rank": 256}])
def test_a_value_that_the_trainer_does_not_take_is_said_before_anything_is_paid(server, trainer, order, change):
    with pytest.raises(ConfigurationError, match="takes"):
        run(trainer(PLAN.model_copy(update=change)), order)
    assert server.paid == 0
    assert server.uploads == {}


def test_a_public_destination_is_refused(server, trainer, order):
    server.models["ada/mira"] = "public"
    with pytest.raises(ConfigurationError, match="is public"):
        run(trainer(), order)
    assert server.paid == 0


def test_a_destination_that_another_try_made_is_fine(server, trainer, order):
    server.fail("model", status=404)
    server.models["ada/mira"] = "private"
    run(trainer(), order)
    assert server.paid == 1


@pytest.mark.parametrize(
    ("place", "fault", "kind", "words"),
    [
        ("create", {"status": 402}, ProviderRefused, "402"),
        ("create", {"status": 422}, ProviderRefused, "422"),
        ("create", {"status": 429, "headers": {"Retry-After": "3600"}}, RateLimited, "429"),
        ("version", {"status": 404}, ProviderRefused, "404"),
        ("version", {"status": 200, "body": b"{}"}, BadAnswer, "not what its API describes"),
        ("version", {"status": 200, "body": b"<html>"}, BadAnswer, "not what its API describes"),
        ("upload", {"status": 413}, ProviderRefused, "413"),
        ("upload", {"status": 500, "times": 9}, ProviderError, "500"),
        ("make", {"status": 403}, ProviderRefused, "403"),
        ("get", {"status": 500, "times": 9}, ProviderError, "500"),
        ("get", {"status": 401}, ProviderRefused, "401"),
        ("weights", {"status": 404}, ProviderRefused, "404"),
        ("weights", {"status": 200, "media_type": "text/html"}, ProviderRefused, "text/html"),
        ("weights", {"status": 200, "announced": 10**12, "media_type": "application/x-tar"}, ProviderRefused, "larger"),
    ],
)
def test_faults_are_typed(server, trainer, order, place, fault, kind, words):
    server.fail(place, **fault)
    with pytest.raises(kind, match=words):
        run(trainer(), order)


@pytest.mark.parametrize("place", ["version", "model", "upload", "list", "get", "weights", "make"])
def test_one_hiccup_anywhere_is_survived(server, trainer, order, place):
    server.fail(place, status=503)
    run(trainer(), order)
    assert server.paid == 1


def test_retry_after_is_told(server, trainer, order):
    server.fail("create", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(RateLimited) as caught:
        run(trainer(), order)
    assert caught.value.retry_after == 3600


def test_a_failed_training_says_why_and_what_it_cost(server, trainer, order):
    server.ending = "failed"
    with pytest.raises(ProviderError, match="CUDA out of memory") as caught:
        run(trainer(price_per_second=0.01), order)
    assert "OutOfMemoryError" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert not caught.value.retryable
    assert isinstance(caught.value.usage, Usage)
    assert caught.value.usage.cost_usd == pytest.approx(5.02713876)


def test_a_canceled_training_is_said(server, trainer, order):
    server.ending = "canceled"
    with pytest.raises(ProviderError, match="was canceled"):
        run(trainer(), order)


def test_a_training_of_another_account(trainer, order):
    with pytest.raises(ProviderError, match="not known there"):
        run(trainer(), order, Call(external_id="abc"))


@pytest.mark.parametrize(
    "output", [{"version": "ada/mira:" + "0" * 64}, "nothing", {"weights": "ftp://x/y"}, [], {"weights": None}]
)
def test_success_without_weights(server, trainer, order, output):
    server.output = output or [1]
    with pytest.raises(ProviderError, match="without weights"):
        run(trainer(), order)


def test_weights_elsewhere_on_the_inside_are_not_fetched(server, trainer, order):
    server.output = {"weights": "http://169.254.169.254/latest/meta-data/"}
    with connections_outside(allowed=True), pytest.raises(ProviderRefused, match="not"):
        run(trainer(), order)


@pytest.mark.parametrize("wrong", ["", "mira", "a" * 64, "ada/mira:" + "0" * 64, "https://x/y"])
def test_a_wrong_destination(trainer, wrong):
    with pytest.raises(ConfigurationError):
        trainer(to=wrong)


def test_a_trainer_without_a_name(trainer):
    with pytest.raises(ConfigurationError, match="no owner and name"):
        trainer(version="0" * 64)


def test_the_latest_version_of_a_trainer(server, trainer, order):
    run(trainer(version=server.trainer_model), order)
    assert server.paid == 1


def test_a_token_does_not_travel_in_the_open(trainer):
    with pytest.raises(ConfigurationError, match="not https"):
        trainer(base_url="http://api.example.com")


# ---- what comes down ----------------------------------------------------------------------------------------------------

KOHYA = safetensors(prefix="lora_unet_")


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (b"", "neither"),
        (b"PK\x03\x04 not a tar", "neither"),
        (WEIGHTS[:700], "whole|neither|no LoRA"),
        (tar(("readme.txt", b"x")), "no LoRA"),
        (tar(("a.safetensors", safetensors()), ("b.safetensors", safetensors())), "2 LoRA files"),
        (tar(links=(("lora.safetensors", "/etc/passwd"),)), "no LoRA"),
        (tar(("../lora.safetensors", safetensors())), "no LoRA"),
        (tar(("/lora.safetensors", safetensors())), "no LoRA"),
        (tar(("lora.safetensors", b"\x80\x04pickle")), "not a whole safetensors"),
        (tar(("lora.safetensors", safetensors()[:100])), "not a whole safetensors"),
        (tar(("lora.safetensors", safetensors()[:-10])), "not a whole LoRA"),
        (tar(("lora.safetensors", KOHYA)), "not a LoRA of one rank"),
        (safetensors(dtype="X9"), "not a whole LoRA"),
    ],
)
def test_hostile_weights_are_refused_and_kept_aside(server, trainer, order, weights, words):
    server.weights = weights
    server.media_type = "application/octet-stream"
    with pytest.raises(TrainingError, match=words) as caught:
        run(trainer(), order)
    kept = list(order.out.glob("*.download"))
    assert [path.read_bytes() for path in kept] == [weights]
    assert str(kept[0]) in str(caught.value)
    assert not list(order.out.rglob("*.safetensors"))
    assert not list(order.out.parent.parent.glob("lora.safetensors"))


@pytest.mark.parametrize(
    "weights",
    [
        safetensors(),
        safetensors(said={"modelspec.title": "<script>"}),
        WEIGHTS,
        tar(("x/lora.safetensors", safetensors()), mode="w:gz"),
        tar(("flux.safetensors", safetensors())),
        tar(("lora.safetensors", safetensors()), ("step_500.safetensors", safetensors())),
        tar(("lora.safetensors", safetensors()), links=(("b.safetensors", "lora.safetensors"),)),
    ],
)
def test_weights_in_every_wrapping(home, weights):
    lora = write_checked(
        home / "lora.safetensors",
        lora_bytes(weights),
        {"modelspec.trigger_phrase": TRIGGER, "zirelia.base_model": "FLUX.1-dev"},
    )
    assert lora.rank == 4
    assert b"<script>" not in Path(lora.path).read_bytes()
    assert Path(lora.path).read_bytes().endswith(safetensors()[-64:])


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data):
    try:
        lora_bytes(data)
    except TrainingError:
        pass
    else:
        assert data[8:9] == b"{"


# ---- schemas and logs ---------------------------------------------------------------------------------------------------


def schema_of(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    schemas: dict[str, Any] = {
        "TrainingInput": {"properties": properties} | ({"required": required} if required else {}),
        "lora_type": {"type": "string", "enum": ["subject", "style"]},
        "sizes": {"type": "integer", "enum": [512, 1024]},
    }
    return {"components": {"schemas": schemas}}


FAST = {
    "input_images": {"type": "string"},
    "trigger_word": {"type": "string"},
    "lora_type": {"allOf": [{"$ref": "#/components/schemas/lora_type"}]},
    "training_steps": {"type": "integer", "minimum": 100, "maximum": 2000},
}


def test_names_are_read_from_the_trainer():
    inputs, missing = choose_inputs(training_schema(schema_of(FAST)), PLAN, trigger=TRIGGER)
    assert inputs == {"trigger_word": TRIGGER, "lora_type": "subject", "training_steps": 1000}
    assert missing == ("rank", "learning rate", "batch", "resolution", "caption dropout", "seed")


def test_no_secret_input_is_ever_filled():
    inputs, _ = choose_inputs(training_schema(FLUX_TRAINING_SCHEMA), PLAN, trigger=TRIGGER)
    assert not [name for name in inputs if "token" in name or "key" in name or name.startswith("hf_")]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "cannot be trained"),
        ({"components": []}, "cannot be trained"),
        ({"components": {"schemas": {"Input": {"properties": {"prompt": {}}}}}}, "cannot be trained"),
        (schema_of({"input_images": {}}), "how many steps"),
        (schema_of({"steps": {}}), "no input for pictures"),
        (schema_of({"steps": {}, "input_images": {}, "api": {}}, ["api"]), "wants inputs that are not known here: api"),
        (
            schema_of({"steps": {}, "input_images": {}, "resolution": {"$ref": "x", "enum": [512]}}),
            "takes resolution of one of 512",
        ),
        (
            schema_of({"steps": {}, "input_images": {}, "resolution": {"allOf": [{"$ref": "#/components/schemas/sizes"}]}}),
            "takes resolution of one of 512, 1024",
        ),
    ],
)
def test_a_trainer_that_cannot_be_used(server, trainer, order, schema, words):
    server.schema = schema
    with pytest.raises(ConfigurationError, match=words):
        run(trainer(), order)
    assert server.paid == 0


LOGS = [
    ("starting", "", (0.0, "waiting for a machine")),
    ("processing", None, (0.0, "the machine gets ready")),
    ("processing", "Downloading: 100%|█| 24/24\n", (0.0, "the machine gets ready")),
    (
        "processing",
        "x: 45%|██| 450/1000 [05:11<06:20, 1.45it/s, lr: 4.0e-04 loss: 3.2e-01]",
        (0.45, "step 450 of 1000, loss 0.3200"),
    ),
    ("processing", "x: 1%| 10/1000 [loss: 1.0]\rx: 2%| 20/1000 [loss: 0.5]", (0.02, "step 20 of 1000, loss 0.5000")),
    ("processing", "x: 1%| 10/1000\nfiles: 3/5\n", (0.01, "step 10 of 1000")),
    ("processing", "x 2000/1000", (1.0, "step 1000 of 1000")),
    ("processing", "11000/10000 5/10001", (0.0, "the machine gets ready")),
]


@pytest.mark.parametrize(("status", "logs", "said"), LOGS)
def test_progress_is_read_from_the_log(status, logs, said):
    assert progress_of(status, logs, 1000) == said


@given(st.text())
def test_no_log_breaks_the_reader(logs):
    fraction, note = progress_of("processing", logs, 1000)
    assert 0 <= fraction <= 1
    assert note


def test_the_record_comes_back_as_it_was(home):
    record = Record(identity="0" * 64, upload="f", inputs={"steps": 3}, ordered_at=datetime(2026, 1, 1, tzinfo=UTC))
    record.write(home)
    assert Record.read(home) == record
