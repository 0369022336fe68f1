"""A release as the beginning of a training: its own networks say codes and vectors, its own weights go on."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cosyvoice_torch.checkpoint import Model
from cosyvoice_torch.release import PRESETS, write_release
from cosyvoice_torch.synthetic import fill_random
from cosyvoice_torch.training import flow, lm, vocoder
from cosyvoice_torch.training.corpus import CorpusSettings, make_corpus
from cosyvoice_torch.training.encode import embed, encode
from cosyvoice_torch.training.export import export
from cosyvoice_torch.training.features import make_features
from cosyvoice_torch.training.run import Run, Stage
from cosyvoice_torch.training.speaker import vectors
from cosyvoice_torch.training.data import Dataset
from cosyvoice_torch.training.train import train

SIZES = replace(
    PRESETS["mini"],
    **dict(lm_layers=1, lm_width=32, lm_ffn=32, codes=27, merges=20, flow_input=16, flow_width=16, flow_heads=1, flow_ffn=16, flow_blocks=1, flow_up_blocks=1),
    **dict(estimator_channels=16, estimator_heads=1, estimator_head_dim=16, estimator_blocks=1, estimator_mid_blocks=1, hift_base=16, f0_width=16),
    **dict(tokenizer_width=64, tokenizer_layers=1, tokenizer_ffn=64, tokenizer_dims=3),
    **dict(speaker_head=2, speaker_channels=8, speaker_layers=[1, 1], speaker_growth=4, speaker_bottleneck=8),
)
TRAIN = dict(updates=3, batch=200, lr=1e-4, warmup=1, validate_every=3)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    write_release(folder, SIZES, fill_random(0), None, ["speak with my voice", "any words will do", "so it goes on"])
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, release: Path) -> Run:
    folder, rng = tmp_path_factory.mktemp("run"), random.Random(1)
    lines = [" ".join("".join(rng.choice("aeioubdgk") for _ in range(4)) for _ in range(3)) for _ in range(16)]
    (folder / "lines.txt").write_text("\n".join(lines))
    made = Run(folder / "voice")
    make_corpus(made, CorpusSettings(teacher="synthetic synthetic-140-115", sentences=str(folder / "lines.txt"), valid=3, test=1), None, processes=1)
    make_features(made, processes=1)
    encode(made, processes=1, release=release)
    embed(made, processes=1, release=release)
    return made


def test_codes_and_vectors_are_the_releases_own(run: Run, release: Path):
    data, model = Dataset(run.path("features"), ["whisper", "tokens", "speaker", "audio"]), Model(release)
    assert Stage.existing(run, "encode").record["counts"]["codes"] == 27
    for i in (0, 5):
        item = data[i]
        assert model.speech_tokenizer(item["whisper"].T[None])[1].tolist() == item["tokens"].tolist()
        assert vectors(model.speaker, [item["audio"]])[0].allclose(item["speaker"], atol=1e-5)
    assert encode(run, processes=1, release=release).done() and embed(run, processes=1, release=release).done()


def test_a_release_without_ears_is_refused(run: Run, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"speech_tokenizer_v2\.onnx: the release has none"):
        encode(run, processes=1, release=tmp_path)


@pytest.mark.parametrize("name", ["flow", "vocoder", "lm"])
def test_a_training_goes_on_from_the_releases_weights_with_its_sizes(run: Run, release: Path, name: str):
    recipe = {name: {"start": str(release), "train": TRAIN} | ({"crop": 8, "period_width": 1, "spectrum_width": 2} if name == "vocoder" else {})}
    part = lambda objective: {"flow": lambda o: o.flow, "vocoder": lambda o: o.generator, "lm": lambda o: o.model}[name](objective)
    built = {"flow": flow, "vocoder": vocoder, "lm": lm}[name].build(run, recipe).objective
    begun = {key: value.clone() for key, value in getattr(Model(release), name).state_dict().items()}
    assert all(value.equal(begun[key]) for key, value in part(built).state_dict().items())
    with torch.enable_grad():
        assert train(run, recipe, name) == "done"
    trained = {"flow": flow.trained, "vocoder": vocoder.trained}[name](run).state_dict() if name != "lm" else None
    if trained:
        moved = sum(float((value - begun[key]).abs().max()) > 0 for key, value in trained.items())
        assert moved > len(trained) / 2 and max(float((value - begun[key]).abs().max()) for key, value in trained.items()) < 0.01


def test_what_was_tuned_is_exported_like_any_other(run: Run, release: Path, tmp_path: Path):
    common = {"start": str(release), "train": TRAIN}
    recipe = {"flow": common, "lm": common, "vocoder": common | {"crop": 8, "period_width": 1, "spectrum_width": 2}, "export": {"speaker": "synthetic"}}
    with torch.enable_grad():
        for name in ("flow", "vocoder", "lm"):
            assert train(run, recipe, name) == "done"
    assert set(export(run, recipe, tmp_path)["training"]) == {"flow", "vocoder", "lm"}
    assert Model(tmp_path).config.flow == Model(release).config.flow


def test_what_was_not_trained_is_the_releases(run: Run, release: Path, tmp_path: Path):
    other = Run(tmp_path / "other")
    for name in ("features", "encode", "embed"):
        other.path(name).symlink_to(run.path(name))
    recipe = {"flow": {"start": str(release), "train": TRAIN}, "export": {"speaker": "synthetic", "start": str(release), "half": False}}
    with torch.enable_grad():
        assert train(other, recipe, "flow") == "done"
    said = export(other, recipe, tmp_path / "model")
    made, begun = Model(tmp_path / "model"), Model(release)
    assert set(said["training"]) == {"flow"} and {"campplus.onnx", "speech_tokenizer_v2.onnx"} <= said["files"].keys()
    for file in ("campplus.onnx", "speech_tokenizer_v2.onnx", "CosyVoice-BlankEN/merges.txt"):
        assert (tmp_path / "model" / file).read_bytes() == (release / file).read_bytes()
    same = lambda part: all(value.allclose(getattr(begun, part).state_dict()[key], atol=1e-6) for key, value in getattr(made, part).state_dict().items())
    assert same("lm") and same("vocoder") and not same("flow")


def test_voices_of_a_release_whose_flow_goes_on_unchanged_are_its_own(run: Run, release: Path, tmp_path: Path):
    other = Run(tmp_path / "other")
    for name in ("features", "encode"):
        other.path(name).symlink_to(run.path(name))
    recipe = {"lm": {"start": str(release), "train": TRAIN}, "export": {"speaker": "alice", "start": str(release)}}
    with torch.enable_grad():
        assert train(other, recipe, "lm") == "done"
    export(other, recipe, tmp_path / "model")
    stored = [torch.load(folder / "spk2info.pt", weights_only=True)["alice"]["embedding"].flatten() for folder in (tmp_path / "model", release)]
    assert stored[0].allclose(stored[1])
    with pytest.raises(ValueError, match="no speaker 'synthetic'.*among alice"):
        export(other, recipe | {"export": recipe["export"] | {"speaker": "synthetic"}}, tmp_path / "model")
    with pytest.raises(ValueError, match="would be written over"):
        export(other, recipe, release)


def test_a_flow_for_other_codes_is_refused(run: Run, release: Path, tmp_path: Path):
    write_release(tmp_path, replace(SIZES, codes=81, tokenizer_dims=4), fill_random(0), None, ["so it goes on"])
    with pytest.raises(ValueError, match="knows 81 speech codes, the corpus has 27"):
        flow.build(run, {"flow": {"start": str(tmp_path)}})
