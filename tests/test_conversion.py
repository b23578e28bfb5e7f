"""Conversions for OpenVINO: they agree with transformers, and a damaged cache does no harm."""

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import sigseek
from sigseek.progress import Listener, Silence, Stop
from sigseek.siglip import Checkpoint, CheckpointError
from sigseek.siglip.checkpoint import read_checkpoint
from sigseek.siglip.runtimes import conversion, openvino, quantization
from sigseek.siglip.runtimes.choose import load_image_tower, load_text_tower
from sigseek.siglip.runtimes.conversion import CacheError, convert, find_conversion
from sigseek.siglip.runtimes.openvino import (
    CompiledModel,
    OpenVinoImageTower,
    OpenVinoTextTower,
    best_precision,
)
from sigseek.siglip.runtimes.proof import LEAST_COSINE, pictures, prove
from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower
from sigseek.siglip.scoring import cosines
from sigseek.siglip.tokenizer import Tokenizer
from tests.checkpoints import save_tiny
from tests.conftest import ROOT, Run
from tests.conversions import converting_here
from tests.listeners import Heard
from tests.photos import save

TEXTS = ["a photo of a cat", "two red houses by the sea at night", "Sailboats!", "", "a bus " * 60]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "openvino"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return read_checkpoint(save_tiny(tmp_path_factory.mktemp("tiny")), "tiny")


@pytest.fixture
def made(tiny: Checkpoint, cache: Path) -> Path:
    """A whole conversion of tiny's in the cache, copied there: making one takes seconds."""
    shared = tiny.directory / "openvino"
    if not shared.is_dir():
        with converting_here():
            convert(tiny, "fp32", Silence(), Stop())
        shutil.copytree(cache, shared)
    else:
        shutil.copytree(shared, cache)
    found = find_conversion(tiny, "fp32")
    assert found
    return found


@pytest.fixture
def heard() -> Heard:
    """What is announced."""
    return Heard()


def pixels(checkpoint: Checkpoint) -> np.ndarray:
    return np.stack([checkpoint.preprocessing.resize(image) for image in pictures(20)])


@pytest.mark.parametrize(
    "kind",
    ["mini", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("base", "whole_base"))],
)
def test_fp32_logits_are_transformers(
    kind: str, request: pytest.FixtureRequest, heard: Heard
) -> None:
    """The torch towers' own parity with SiglipModel is in test_towers.py."""
    checkpoint: Checkpoint = request.getfixturevalue(kind)
    with converting_here():
        made = convert(checkpoint, "fp32", heard, Stop())
    images, texts = (
        OpenVinoImageTower(made / "image.xml", "fp32"),
        OpenVinoTextTower(made / "text.xml", "fp32", checkpoint),
    )
    batch = pixels(checkpoint)[:4]
    ours = checkpoint.scoring.logits(cosines(images.embed(batch), texts.embed(TEXTS)))
    reference = cosines(
        TorchImageTower(checkpoint, "cpu").embed(batch),
        TorchTextTower(checkpoint, "cpu").embed(TEXTS),
    )
    np.testing.assert_allclose(ours, checkpoint.scoring.logits(reference), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(images.embed(batch), axis=1), 1, atol=1e-6)


def test_the_best_precision_is_near_fp32(mini: Checkpoint, heard: Heard) -> None:
    precision = best_precision()
    made = convert(mini, precision, heard, Stop())
    batch = pixels(mini)
    for tower, inputs, reference in (
        (
            OpenVinoImageTower(made / "image.xml", precision),
            batch,
            TorchImageTower(mini, "cpu").embed(batch),
        ),
        (
            OpenVinoTextTower(made / "text.xml", precision, mini),
            TEXTS,
            TorchTextTower(mini, "cpu").embed(TEXTS),
        ),
    ):
        embedded = tower.embed(inputs)  # type: ignore[arg-type]
        assert (embedded * reference).sum(axis=1).min() > LEAST_COSINE[precision]
        np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-6)
        assert (tower.device, tower.runtime) == ("cpu", "openvino")


def test_a_batch_of_any_size_gives_each_its_own(mini: Checkpoint, heard: Heard) -> None:
    tower = OpenVinoImageTower(convert(mini, "fp32", heard, Stop()) / "image.xml", "fp32")
    batch = pixels(mini)
    whole = tower.embed(batch)
    np.testing.assert_allclose(
        np.concatenate([tower.embed(batch[:1]), tower.embed(batch[1:20])]), whole, atol=1e-5
    )


def test_made_once_and_found_again(cache: Path, tiny: Checkpoint, heard: Heard) -> None:
    assert find_conversion(tiny, "fp32") is None
    made = convert(tiny, "fp32", heard, Stop())
    assert heard.lines == ["preparing tiny in fp32 for this machine, once"]
    assert convert(tiny, "fp32", heard, Stop()) == made == find_conversion(tiny, "fp32")
    assert len(heard.lines) == 1
    facts = json.loads((made / "manifest.json").read_text())
    assert all(cosine >= LEAST_COSINE["fp32"] for cosine in facts["cosine"].values())
    assert [path.name for path in cache.iterdir()] == [made.name], "nothing is left lying aside"


def test_another_checkpoint_has_another_conversion(
    made: Path, tmp_path: Path, tiny: Checkpoint
) -> None:
    assert (
        find_conversion(read_checkpoint(save_tiny(tmp_path / "other", seed=1), "tiny"), "fp32")
        is None
    )
    assert find_conversion(replace(tiny, text_length=32), "fp32") is None
    assert find_conversion(tiny, "bf16") is None
    for name in ("elsewhere/tiny", "someone/siglip@0123abc"):
        assert find_conversion(replace(tiny, name=name), "fp32") == made


@pytest.mark.parametrize(
    "name", ["image.bin", "image.xml", "text.bin", "text.xml", "manifest.json"]
)
def test_a_truncated_conversion_is_noticed(made: Path, tiny: Checkpoint, name: str) -> None:
    content = (made / name).read_bytes()
    for length in (0, len(content) // 2, len(content) - 1):
        (made / name).write_bytes(content[:length])
        assert (find_conversion(tiny, "fp32") is None) == (
            name != "manifest.json" or length < len(content) - 1
        )
    (made / name).unlink()
    assert find_conversion(tiny, "fp32") is None


def test_what_is_damaged_or_anothers_is_made_again(
    made: Path, cache: Path, tiny: Checkpoint, heard: Heard
) -> None:
    content = (made / "image.bin").read_bytes()
    (made / "image.bin").write_bytes(content[:-1])
    (cache / ".making-killed").mkdir()
    os.utime(cache / ".making-killed", (0, 0))
    shutil.copytree(made, cache / (made.name.rsplit("-", 1)[0] + "-2020.1.0"))
    with converting_here():
        assert convert(tiny, "fp32", heard, Stop()) == made
    assert heard.lines == [
        "preparing tiny in fp32 for this machine, once (the one in the cache is damaged)"
    ]
    assert (made / "image.bin").read_bytes() == content
    assert [path.name for path in cache.iterdir()] == [made.name]


def test_a_truncated_compiled_model_is_no_obstacle(made: Path, tiny: Checkpoint) -> None:
    batch = pixels(tiny)
    expected = CompiledModel(made / "image.xml", "fp32").embed(batch)
    blobs = list((made / "compiled" / "image").iterdir())
    assert blobs
    whole = {blob: blob.read_bytes() for blob in blobs}
    for length in (lambda size: 0, lambda size: 40, lambda size: size // 2, lambda size: size - 1):
        for blob, content in whole.items():
            blob.chmod(0o600)
            blob.write_bytes(content[: length(len(content))])
        np.testing.assert_allclose(
            CompiledModel(made / "image.xml", "fp32").embed(batch), expected, atol=1e-6
        )


def test_a_compilation_is_left_at_the_stop_and_kept_when_it_has_ended(
    made: Path, tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, compiling, may_end = Stop(), threading.Event(), threading.Event()
    compile_, threads = openvino._compile, set(threading.enumerate())

    def compile_slowly(model: Path, precision: str, cache: Path | None = None) -> object:
        compiled = compile_(model, precision, cache)  # OpenVINO writes its cache here
        compiling.set()
        stop.set()
        assert may_end.wait(60)
        return compiled

    monkeypatch.setattr(openvino, "_compile", compile_slowly)
    with pytest.raises(sigseek.StoppedError):
        OpenVinoImageTower(made / "image.xml", "fp32", stop)
    assert compiling.is_set()
    kept = made / "compiled" / "image"
    assert not kept.exists(), "before the compilation has ended nobody may load what it writes"
    may_end.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(60)
    assert list(kept.parent.iterdir()) == [kept]
    before = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert before
    monkeypatch.setattr(openvino, "_compile", compile_)
    assert OpenVinoImageTower(made / "image.xml", "fp32", Stop()).embed(pixels(tiny)).shape[0] == 20
    assert {path.name: path.stat().st_mtime_ns for path in kept.iterdir()} == before


def test_what_a_compilation_wrote_before_the_process_was_killed_is_never_loaded(
    made: Path, tiny: Checkpoint
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from sigseek.siglip.runtimes import openvino\n"
        "compile_ = openvino._compile\n"
        "openvino._compile = lambda *which: (compile_(*which), os._exit(3))\n"
        "openvino.CompiledModel(Path(sys.argv[1]), 'fp32')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(made / "image.xml")], cwd=ROOT)
    assert done.returncode == 3
    (left,) = (made / "compiled").iterdir()
    assert left.name.startswith(".making-")
    os.utime(left, (0, 0))  # an hour later
    assert len(CompiledModel(made / "image.xml", "fp32").embed(pixels(tiny))) == 20
    assert [path.name for path in (made / "compiled").iterdir()] == ["image"]


def test_without_a_place_for_the_compiled_form_it_is_compiled_every_time(
    made: Path, tiny: Checkpoint
) -> None:
    (made / "compiled").write_text("no directory")
    assert len(CompiledModel(made / "image.xml", "fp32").embed(pixels(tiny))) == 20
    assert (made / "compiled").read_text() == "no directory"


def test_a_race_ends_with_one_whole_conversion(
    made: Path, cache: Path, tiny: Checkpoint, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = Path(shutil.copytree(made, tiny.directory / "others"))
    made.rename(cache / (made.name.rsplit("-", 1)[0] + "-2020.1.0"))

    def slower(
        job: conversion.Job, listener: Listener, stop: Stop
    ) -> tuple[dict[str, object], bool]:
        """While ours is made, another process finishes its own."""
        shutil.copytree(others, made)
        for name in ("image.xml", "image.bin"):
            shutil.copy(others / name, job.target)
        return {"cosine": {}}, False

    monkeypatch.setattr(conversion, "_run", slower)
    assert convert(tiny, "fp32", heard, Stop()) == made
    assert heard.lines == [
        "preparing tiny in fp32 for this machine, once "
        "(the one in the cache is for another version of OpenVINO)"
    ]
    assert (made / "text.xml").is_file(), "the other's is kept"
    assert [path.name for path in cache.iterdir()] == [made.name]


def test_a_wrong_conversion_is_refused_with_its_figure(
    tmp_path: Path, mini: Checkpoint, heard: Heard
) -> None:
    made = convert(mini, "fp32", heard, Stop())
    wrong = Path(
        shutil.copytree(made, tmp_path / "wrong", ignore=shutil.ignore_patterns("compiled"))
    )
    weights = bytearray((wrong / "text.bin").read_bytes())
    half = np.frombuffer(weights, np.float32)[len(weights) // 8 : len(weights) // 6]
    half *= 1.1
    (wrong / "text.bin").write_bytes(weights)
    assert prove(mini, made, "fp32")["text"] > 0.9999
    with pytest.raises(
        CheckpointError,
        match=r"text tower of mini changes when converted to fp32 \(cosine 0\.\d+",
    ):
        prove(mini, wrong, "fp32")


def test_texts_tokenized_otherwise_than_in_training_are_refused(
    mini: Checkpoint, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = convert(mini, "fp32", heard, Stop())
    real = Tokenizer.encode
    monkeypatch.setattr(
        Tokenizer,
        "encode",
        lambda self, texts: np.where(real(self, texts) == 1, 0, real(self, texts)),
    )
    with pytest.raises(
        CheckpointError, match="sigseek's token ids for mini differ from transformers'"
    ):
        prove(mini, made, "fp32")


def test_an_unwritable_cache_is_run_without(
    ordinary_folder: Path, mini: Checkpoint, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ordinary_folder / "locked").mkdir(mode=0o500)
    monkeypatch.setenv("SIGSEEK_CACHE", str(ordinary_folder / "locked" / "cache"))
    tower = load_text_tower(mini, "auto", "auto", heard, Stop())
    assert (tower.device, tower.runtime) == ("cpu", "torch")
    assert "Permission denied" in heard.lines[-1]
    assert "running on torch, which is slower" in heard.lines[-1]
    np.testing.assert_allclose(
        tower.embed(TEXTS), TorchTextTower(mini, "cpu").embed(TEXTS), atol=1e-6
    )


def test_a_full_disk_is_run_without(
    cache: Path, mini: Checkpoint, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=1_000_000))
    with pytest.raises(CacheError, match="has 1 MB free and the conversion needs"):
        convert(mini, "fp32", heard, Stop())
    tower = load_image_tower(mini, "cpu", "fp32", lambda: pixels(mini), heard, Stop())
    assert (tower.runtime, tower.precision) == ("torch", "fp32")
    with pytest.raises(CheckpointError, match=r"int8 cannot be used: .* free"):
        load_image_tower(
            mini,
            "cpu",
            "int8",
            lambda: np.repeat(pixels(mini), 3, axis=0),
            heard,
            Stop(),
        )


def test_a_process_that_dies_is_run_without(
    cache: Path, tiny: Checkpoint, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigseek.siglip.processes.sys.executable", "/bin/false")
    assert load_text_tower(tiny, "cpu", "fp32", heard, Stop()).runtime == "torch"
    assert "cannot be converted for OpenVINO (status 1)" in heard.lines[-1]
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("tpu", "auto", "'tpu' is not a device; use one of auto, cpu, cuda, mps"),
        ("cpu", "fp64", "'fp64' is not a precision; use one of auto, fp32, bf16, int8"),
        ("cuda", "int8", "int8 runs on the CPU, not on cuda"),
    ],
)
def test_choices_that_are_none(
    mini: Checkpoint, heard: Heard, device: str, precision: str, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_image_tower(mini, device, precision, lambda: pixels(mini), heard, Stop())


def test_int8_needs_enough_photos(cache: Path, mini: Checkpoint, heard: Heard) -> None:
    with pytest.raises(
        CheckpointError, match="fitted to at least 40 of your own photos, and 20 were found"
    ):
        convert(mini, "int8", heard, Stop(), lambda: pixels(mini))
    assert heard.lines == []


def test_instead_of_int8_a_precision_of_this_processor_is_advised(
    tmp_path: Path,
    made: Path,
    tiny: Checkpoint,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for best, advice in (
        ("fp32", "use precision='fp32'"),
        ("bf16", "use precision='bf16' or precision='fp32'"),
    ):
        monkeypatch.setattr(openvino, "best_precision", lambda best=best: best)
        with pytest.raises(CheckpointError, match=f"20 were found; {advice}$"):
            convert(tiny, "int8", heard, Stop(), lambda: pixels(tiny))
    monkeypatch.setattr(quantization, "LEAST_COSINE", 1.1)
    with pytest.raises(CheckpointError, match=rf"int8 is not faithful enough \(.*\); {advice}$"):
        quantization.quantize(made / "image.xml", tmp_path / "int8.xml", pixels(tiny)[:4])


@pytest.mark.filterwarnings("ignore")  # the converting process ignores warnings, too
def test_a_tower_is_run_once_to_convert_it(
    tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sigseek.siglip.runtimes import export

    runs = []
    forward = export._TextGraph.forward

    @functools.wraps(forward)
    def counted(self: export._TextGraph, ids: torch.Tensor) -> torch.Tensor:
        runs.append(len(ids))
        return forward(self, ids)

    monkeypatch.setattr(export._TextGraph, "forward", counted)
    export.save_text_tower(tiny, tmp_path / "text.xml", "fp32")
    assert runs == [2]
    ids = Tokenizer(tiny).encode(TEXTS)
    np.testing.assert_allclose(
        CompiledModel(tmp_path / "text.xml", "fp32", cache=False).embed(ids),
        TorchTextTower(tiny, "cpu").embed(TEXTS),
        atol=1e-5,
    )


def test_search_and_similar_load_no_torch(tmp_path: Path, mini_library: Path, run: Run) -> None:
    library = ("--library", shutil.copytree(mini_library, tmp_path / "library"))
    save(tmp_path / "unknown.png", seed=5)
    for words in (
        ("search", "a red house"),
        ("similar", tmp_path / "unknown.png"),
        ("index",),
        ("status",),
    ):
        imported = run(*words, *library, PYTHONPROFILEIMPORTTIME="1").stderr
        modules = {
            line.split("|")[-1].strip()
            for line in imported.splitlines()
            if line.startswith("import time:")
        }
        assert "click" in modules
        assert not {"torch", "transformers", "openvino_telemetry.main", "alembic"} & modules, words
        assert ("openvino._ov_api" in modules) == (words[0] in ("search", "similar")), words


def test_help_loads_next_to_nothing(run: Run) -> None:
    imported = run("--help", PYTHONPROFILEIMPORTTIME="1").stderr
    modules = {
        line.split("|")[-1].strip()
        for line in imported.splitlines()
        if line.startswith("import time:")
    }
    assert "click" in modules
    assert not {"numpy", "sqlalchemy", "faiss", "PIL", "openvino"} & modules


def test_the_cache_can_be_placed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from sigseek.siglip.cache import cache_directory

    monkeypatch.delenv("SIGSEEK_CACHE")
    assert "sigseek" in cache_directory().parts
    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path
