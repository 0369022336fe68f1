"""A run with several speakers: one tokenizer for all, and a vector of each utterance for the flow."""

import json
import random
import shutil
from pathlib import Path

import onnx
import pytest
import torch
from cosyvoice_torch.__main__ import app
from cosyvoice_torch.onnx_weights import read_onnx
from cosyvoice_torch.onnx_writer import write_speaker, write_speech_tokenizer
from cosyvoice_torch.speaker import from_state as speaker_from_state
from cosyvoice_torch.speech_tokenizer import from_state as tokenizer_from_state
from cosyvoice_torch.training import encode as encoding
from cosyvoice_torch.training import flow, speaker, tokenizer
from cosyvoice_torch.training.corpus import CorpusSettings, make_corpus
from cosyvoice_torch.training.data import Dataset, speaker_vector
from cosyvoice_torch.training.encode import embed, encode, stored_vector
from cosyvoice_torch.training.export import export
from cosyvoice_torch.training.features import make_features
from cosyvoice_torch.training.hearing import COLUMNS, figures, halved, rows
from cosyvoice_torch.training.listen import listen, sentences_of
from cosyvoice_torch.training.metrics import read_metrics
from cosyvoice_torch.training.report import write_report
from cosyvoice_torch.training.run import Run
from cosyvoice_torch.training.say import sounds
from cosyvoice_torch.training.train import train
from onnx.reference import ReferenceEvaluator
from torch.nn import functional as F
from typer.testing import CliRunner

TRAIN = dict(updates=8, batch=300, lr=5e-3, warmup=3, validate_every=4, log_every=2)
TEACHERS = ("synthetic", "synthetic-60-85", "synthetic-140-115")
FLOW = dict(input_width=16, width=16, heads=1, ffn=16, blocks=1, up_blocks=1, channels=16, estimator_heads=1, estimator_head_dim=16, mid_blocks=1)
RECIPE = {
    "tokenizer": {"width": 64, "layers": 1, "ffn": 64, "dims": 3, "decoder_layers": 1, "clean": 0.5, "train": TRAIN},
    "speaker": {"head": 2, "channels": 8, "growth": 4, "bottleneck": 8, "layers": [1, 2], "seconds": 0.5, "train": TRAIN | {"batch": 8}},
    "flow": FLOW | {"pairs": 0.5, "train": TRAIN},
    "vocoder": {"base": 16, "f0_width": 16, "crop": 8, "period_width": 1, "spectrum_width": 2, "train": TRAIN},
    "bpe": {"merges": 8},
    "lm": {"layers": 1, "width": 16, "heads": 2, "kv_heads": 1, "ffn": 16, "pairs": 0.5, "own": "synthetic", "train": TRAIN},
    "export": {"speaker": "synthetic", "others": ["synthetic-60-85"], "hearing": ["tokenizer", "speaker"]},
}


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """As far as the speaker encoder."""
    folder = tmp_path_factory.mktemp("run")
    rng = random.Random(0)
    lines = [" ".join("".join(rng.choice("aeioubdgklmnrst") for _ in range(4)) for _ in range(3)) for _ in range(40)]
    (folder / "lines.txt").write_text("\n".join(lines))
    run = Run(folder / "voice")
    make_corpus(run, CorpusSettings(teacher=" ".join(TEACHERS), sentences=str(folder / "lines.txt"), valid=8, test=12), None, processes=1)
    make_features(run, processes=1)
    with torch.enable_grad():
        for name in ("tokenizer", "speaker"):
            assert train(run, RECIPE, name) == "done"
    return run


@pytest.fixture(scope="module")
def embedded(heard: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """With codes and vectors."""
    run = copied(heard, tmp_path_factory.mktemp("embedded"))
    encode(run, processes=1)
    embed(run, processes=1)
    return run


@pytest.fixture(scope="module")
def spoken(embedded: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """With all trainings."""
    run = copied(embedded, tmp_path_factory.mktemp("spoken"))
    with torch.enable_grad():
        for name in ("flow", "vocoder", "lm"):
            assert train(run, RECIPE, name) == "done"
    return run


def copied(run: Run, folder: Path) -> Run:
    return Run(shutil.copytree(run.folder, folder / "voice"))


def test_the_tokenizer_is_judged_on_clean_and_on_distorted_sound(heard: Run):
    keys = {m["key"] for m in read_metrics(heard.path("tokenizer", "metrics.jsonl")) if m["split"] == "valid"}
    assert {"phoneme_error", "phoneme_error_distorted", "mel", "mel_distorted"} <= keys


def test_every_utterance_gets_what_the_encoder_says_of_it(embedded: Run):
    data, encoder = Dataset(embedded.path("features"), ["audio", "speaker"]), speaker.trained(embedded)
    assert len(data) == 40 == embed(embedded).record["counts"]["utterances"]
    for i in range(0, 40, 9):
        assert data[i]["speaker"].shape == (192,)
        assert data[i]["speaker"].allclose(speaker.vectors(encoder, [data[i]["audio"]])[0], atol=1e-4)


def test_vectors_that_were_made_stay_until_the_speaker_training_is_another(heard: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run, heard_of, first = copied(heard, tmp_path), [], encoding.embed_piece

    def counted(*given) -> dict:
        if len(heard_of) == 2:
            raise KeyboardInterrupt
        heard_of.append(given[-1])
        return first(*given)

    monkeypatch.setattr(encoding, "PIECE", 16)
    monkeypatch.setattr(encoding, "embed_piece", counted)
    with pytest.raises(KeyboardInterrupt):
        embed(run, processes=1)
    assert [len(names) for names in heard_of] == [16, 16]
    del heard_of[:]
    assert embed(run, processes=1).done() and [len(names) for names in heard_of] == [8]
    assert embed(run, processes=1).done() and len(heard_of) == 1
    monkeypatch.setattr(encoding, "embed_piece", first)
    old = stored_vector(run, "synthetic")
    path = run.path("speaker", "stage.json")
    record = json.loads(path.read_text())
    record["counts"]["best"]["score"] += 1
    path.write_text(json.dumps(record))
    for shard in run.path("embed", "speaker").glob("*.safetensors"):
        shard.write_bytes(b"")  # what would be read if it stayed
    assert embed(run, processes=1).config["score"] == record["counts"]["best"]["score"]
    assert stored_vector(run, "synthetic").allclose(old)


def test_the_field_is_drawn_from_the_name_until_it_is_heard(heard: Run, embedded: Run, tmp_path: Path):
    before, after = (Dataset(run.path("features"), ["speaker", "person"]) for run in (heard, embedded))
    drawn = [speaker_vector(meta["speaker"]) for meta in before.items]
    for data in (before, after):
        assert [data[i]["person"].tolist() for i in range(40)] == [vector.tolist() for vector in drawn]
    assert all(before[i]["speaker"].equal(drawn[i]) for i in range(40))
    assert len({tuple(after[i]["speaker"].tolist()) for i in range(40)}) == 40
    one = copied(embedded, tmp_path)
    (shard,) = one.path("embed", "speaker").glob("*.safetensors")
    shard.unlink()
    assert len(Dataset(one.path("features"), ["speaker"])) == 0 and len(Dataset(one.path("features"), ["person"])) == 40


def test_a_stored_voice_is_the_mean_of_what_was_trained_on(heard: Run, embedded: Run):
    mean = lambda data, name: F.normalize(torch.stack([data[i]["speaker"] for i in data.of_speaker(name)]).mean(0), dim=0)
    data = Dataset(embedded.path("features"), ["speaker"])
    for name in TEACHERS:
        assert stored_vector(embedded, name).allclose(mean(data.split("train"), name), atol=1e-6)
        assert not stored_vector(embedded, name).equal(mean(data, name))
    with pytest.raises(ValueError, match="speaker nobody: no utterance"):
        stored_vector(embedded, "nobody")
    assert stored_vector(heard, "nobody").equal(speaker_vector("nobody"))


def test_the_flow_reads_the_vectors_where_there_are_any(heard: Run, embedded: Run, tmp_path: Path):
    made = flow.build(embedded, RECIPE)
    assert {stage.name for stage in made.inputs} == {"encode", "embed"}
    assert made.dataset[0]["speaker"].equal(Dataset(embedded.path("features"), ["speaker"])[0]["speaker"])
    plain = copied(heard, tmp_path)
    encode(plain, processes=1)
    assert {stage.name for stage in flow.build(plain, RECIPE).inputs} == {"encode"}


def test_figures_say_how_each_speaker_is_heard(heard: Run, embedded: Run, tmp_path: Path):
    said = figures(embedded)
    data = Dataset(embedded.path("features"), ["audio"], "test")
    assert {name: found["utterances"] for name, found in said.items()} == {name: len(data.of_speaker(name)) for name in said}
    assert sum(found["utterances"] for found in said.values()) == 12
    assert all(0 < found["phoneme_error"] and 0 < found["phoneme_error_distorted"] for found in said.values())
    name, encoder = next(iter(said)), speaker.trained(embedded)
    vectors = speaker.vectors(encoder, [data[i]["audio"] for i in data.of_speaker(name)])
    assert said[name]["cosine"] == pytest.approx(float((vectors @ stored_vector(embedded, name)).mean()), abs=0.01)
    others = torch.stack([stored_vector(embedded, other) for other in said if other != name])
    assert said[name]["other"] == pytest.approx(float((vectors @ others.T).amax(1).mean()), abs=0.01)
    (page,) = json.loads(embedded.path("figures.json").read_text())
    assert page["rows"] == rows(said) and page["columns"] == list(COLUMNS) and all(len(row) == len(COLUMNS) for row in page["rows"])
    text = write_report(embedded.folder, tmp_path / "report.html").read_text()
    assert page["title"] in text and "synthetic-140-115" in text
    before = figures(heard)
    assert all(found.keys() == {"utterances", "phoneme_error", "phoneme_error_distorted"} for found in before.values())
    assert before[name]["phoneme_error"] == said[name]["phoneme_error"]
    assert all(row[-2:] == ["", ""] for row in rows(before))


def test_the_command_prints_them(embedded: Run):
    done = CliRunner().invoke(app, ["hearing", "--run", str(embedded.folder)], env={"COLUMNS": "150"})
    assert done.exit_code == 0 and "synthetic-140-115" in done.stdout and "%" in done.stdout


def test_the_files_hold_halves_and_say_what_the_networks_say(heard: Run, tmp_path: Path):
    tokens, people = tokenizer.trained(heard)[0].tokenizer, speaker.trained(heard)
    write_speech_tokenizer(tmp_path / "tokens.onnx", tokens, True)
    write_speaker(tmp_path / "people.onnx", people, True)
    for file, module, read in (("tokens.onnx", tokens, tokenizer_from_state), ("people.onnx", people, speaker_from_state)):
        wide = [t for t in onnx.load(str(tmp_path / file)).graph.initializer if len(t.dims) > 1]
        assert wide and all(t.data_type == onnx.TensorProto.FLOAT16 for t in wide)
        again, half = read(read_onnx(tmp_path / file)), halved(module)
        assert all(value.equal(half.state_dict()[name]) for name, value in again.state_dict().items())
    rng = torch.Generator().manual_seed(1)
    mel, features = torch.randn(1, 128, 61, generator=rng), torch.randn(120, 80, generator=rng)
    feed = {"mel": mel.numpy(), "mel_length": torch.tensor([61]).int().numpy()}
    ids = ReferenceEvaluator(str(tmp_path / "tokens.onnx")).run(None, feed)[0]
    assert ids[0].tolist() == halved(tokens)(mel)[1].tolist()
    vector = ReferenceEvaluator(str(tmp_path / "people.onnx")).run(None, {"input": features[None].numpy()})[0]
    assert torch.from_numpy(vector)[0].allclose(halved(people)(features), atol=1e-4)


def test_an_exported_voice_has_its_speakers_and_what_hears(spoken: Run, tmp_path: Path):
    said = export(spoken, RECIPE, tmp_path / "model")
    assert set(said["training"]) == {"flow", "vocoder", "lm", "tokenizer", "speaker"}
    assert {"speech_tokenizer_v2.onnx", "campplus.onnx"} <= said["files"].keys()
    for name in ("tokenizer", "speaker"):
        record = json.loads(spoken.path(name, "stage.json").read_text())
        assert said["training"][name]["checkpoints"] == [record["counts"]["best"]["file"]]
        assert said["training"][name]["settings"] == record["config_hash"]
    stored = torch.load(tmp_path / "model" / "spk2info.pt", weights_only=True)
    assert list(stored) == ["synthetic", "synthetic-60-85"]
    assert all(entry["embedding"][0].equal(stored_vector(spoken, name)) for name, entry in stored.items())
    with_export = lambda **values: RECIPE | {"export": RECIPE["export"] | values}
    alone = export(spoken, with_export(hearing=["tokenizer"]), tmp_path / "model")
    assert "campplus.onnx" not in alone["files"] and "speaker" not in alone["training"]
    for values, why in (
        ({"others": ["synthetic-60-58"]}, "speaker 'synthetic-60-58' .* among synthetic, synthetic-140-115, synthetic-60-85"),
        ({"hearing": ["ears"]}, "hearing names ears: must be among tokenizer, speaker"),
    ):
        with pytest.raises(ValueError, match=why):
            export(spoken, with_export(**values), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_was_codes_is_said_in_the_voice_that_is_asked_for(spoken: Run, tmp_path: Path):
    sound = {}
    for point in ("codes", "flow", "chain"):
        for name in TEACHERS[:2]:
            folder = tmp_path / point / name
            assert listen(spoken, point, sentences_of(spoken, "test", 1), folder, name) == 1
            sound[point, name] = (folder / "00.wav").read_bytes()
    assert len(set(sound.values())) == len(sound)
    codes = torch.arange(8)
    for by in ("griffin-lim", "flow"):
        one, other = (sounds(spoken, RECIPE, by, name, 1)(codes) for name in TEACHERS[:2])
        assert len(one) == len(other) > 6000 and not one.equal(other)
