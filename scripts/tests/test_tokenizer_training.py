"""The speech tokenizer's objective and the encode stage, at toy size."""

import json
import random
from dataclasses import replace

import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from cosyvoice_torch.onnx_writer import write_speech_tokenizer
from cosyvoice_torch.speech_tokenizer import Quantizer, SpeechTokenizer, from_state
from cosyvoice_torch.training.corpus import CorpusSettings, make_corpus
from cosyvoice_torch.training.data import Dataset, speaker_vector
from cosyvoice_torch.training.encode import encode
from cosyvoice_torch.training.features import make_features
from cosyvoice_torch.training.listen import listen, sentences_of
from cosyvoice_torch.training.run import Run
from cosyvoice_torch.training.tokenizer import TokenizerObjective, TokenizerSizes, edits, trained
from cosyvoice_torch.training.train import train

SIZES = TokenizerSizes(width=64, layers=1, ffn=64, dims=3, decoder_layers=1)
RECIPE = {
    "tokenizer": {
        "width": 64, "layers": 1, "ffn": 64, "dims": 3, "decoder_layers": 1,
        "train": {"updates": 12, "batch": 300, "lr": 5e-3, "warmup": 3, "validate_every": 6, "log_every": 3},
    }
}  # fmt: skip


def item(codes, seed):
    rng = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=rng)
    return {"whisper": draw(4 * codes, 128), "mel": draw(2 * codes, 80), "phonemes": torch.randint(1, 6, (codes // 2,), generator=rng), "person": draw(192) / 192**0.5}


def test_padding_changes_nothing():
    objective = TokenizerObjective(SIZES, 6).eval()
    items = [item(codes, codes) for codes in (5, 23, 40)]
    batch = objective.collate(items, torch.Generator(), False)
    padded = objective.tokenizer.encode(batch["whisper"], 4 * batch["codes"])
    for row, one in zip(padded, items, strict=True):
        alone = objective.tokenizer.encode(one["whisper"].T[None])[0]
        assert torch.allclose(row[: len(alone)], alone, atol=1e-4)
    batch |= {"whisper": batch["whisper"][:1], "mel": batch["mel"][:1], "codes": batch["codes"][:1], "phonemes": items[0]["phonemes"], "phoneme_lengths": torch.tensor([2]), "person": batch["person"][:1]}
    alone = objective.collate(items[:1], torch.Generator(), False)
    losses = [objective.loss(b, torch.Generator(), "main", 1)[0] for b in (batch, alone)]
    assert torch.allclose(*losses, atol=1e-3)


def test_levels_are_digits_and_let_gradients_through():
    with torch.enable_grad():
        hidden = torch.tensor([[-3.0, -0.1, 0.2, 0.9]], requires_grad=True)
        levels = Quantizer.levels(hidden)
        levels.sum().backward()
    assert levels.tolist() == [[-1.0, 0.0, 0.0, 1.0]]
    assert torch.allclose(hidden.grad, 1 - hidden.tanh() ** 2, atol=2e-3)
    assert Quantizer.ids(hidden).tolist() == [0 + 1 * 3 + 1 * 9 + 2 * 27]


def test_who_speaks_changes_the_mel_and_not_the_phonemes():
    decoder = TokenizerObjective(SIZES, 6).eval().decoder
    digits, mask = torch.randint(-1, 2, (1, 9, 3)).float(), torch.ones(1, 9, 1)
    (logits, mel), (same, other) = (decoder(digits, mask, speaker_vector(name)[None]) for name in ("ann", "bob"))
    assert logits.equal(same) and logits.shape == (1, 18, 6)
    assert bool(((mel - other).abs().amax(-1) > 1e-3).all())


def test_a_share_of_what_is_heard_is_distorted_and_what_is_held_out_is_heard_both_ways():
    items = [item(6, seed) for seed in range(60)]
    plain = TokenizerObjective(SIZES, 6).collate(items, torch.Generator().manual_seed(0), True)["whisper"]
    for clean, most in ((1.0, 60), (0.7, 50), (0.0, 8)):  # a distortion may be none at all
        objective = TokenizerObjective(replace(SIZES, clean=clean), 6)
        batch = objective.collate(items, torch.Generator().manual_seed(0), True)
        kept = sum(a.equal(b) for a, b in zip(batch["whisper"], plain, strict=True))
        assert 60 * clean - 10 <= kept <= most and "distorted" not in batch
    held = objective.eval().collate(items, torch.Generator().manual_seed(0), False)
    assert held["whisper"].equal(plain) and not held["distorted"].equal(plain)
    loss, numbers = objective.loss(held, torch.Generator(), "main", 1)
    assert {"ctc_distorted", "mel_distorted", "phoneme_error_distorted"} <= numbers.keys()
    alone = {key: value for key, value in held.items() if key != "distorted"}
    losses = [objective.loss(alone | {"whisper": heard}, torch.Generator(), "main", 1)[0] for heard in (held["whisper"], held["distorted"])]
    assert torch.allclose(loss, sum(losses) / 2) and not torch.allclose(*losses)
    assert "clean" in objective.manner() and "clean" not in objective.state()


def test_all_levels_are_in_use_from_the_first_update():
    objective = TokenizerObjective(TokenizerSizes(width=64, layers=1, ffn=64, dims=6, decoder_layers=1), 6).train()
    batch = objective.collate([item(60, seed) for seed in range(6)], torch.Generator(), True)
    _, numbers = objective.loss(batch, torch.Generator(), "main", 0)
    assert numbers["spread"] < 0.01 and numbers["entropy_bits"] > 5


def test_a_toy_learns_its_utterances_by_heart():
    objective = TokenizerObjective(SIZES, 6).train()
    batch = objective.collate([item(12, seed) for seed in range(2)], torch.Generator(), True)
    optimizer = torch.optim.AdamW(objective.parameters(), 3e-3)
    with torch.enable_grad():
        for update in range(150):
            loss, numbers = objective.loss(batch, torch.Generator(), "main", update)
            first = numbers if update == 0 else first
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert numbers["ctc"] < 0.3 * first["ctc"] and numbers["mel"] < 0.8 * first["mel"]


def test_utterances_that_ctc_cannot_align_are_left_out():
    objective = TokenizerObjective(SIZES, 6)
    assert objective.length({"frames": 20, "phonemes": "abcdefghij"}) == 10
    assert objective.length({"frames": 20, "phonemes": "a" * 10}) == 10
    assert objective.length({"frames": 20, "phonemes": "a" * 11}) == 0


def test_edit_distance():
    assert edits([1, 2, 3], [1, 2, 3]) == 0 and edits([], [1, 2]) == 2 and edits([1, 2, 3], [2, 3, 4]) == 2


@pytest.mark.parametrize("dims", [4, 6])
def test_other_codebooks_survive_the_onnx_file(tmp_path, dims):
    torch.manual_seed(0)
    module = from_state(SpeechTokenizer(64, 1, 64, dims).state_dict())
    write_speech_tokenizer(tmp_path / "t.onnx", module)
    mel = torch.randn(1, 128, 57)
    feed = {"mel": mel.numpy(), "mel_length": torch.tensor([57]).int().numpy()}
    ids = ReferenceEvaluator(onnx.load(str(tmp_path / "t.onnx"))).run(None, feed)[0]
    assert ids.tolist() == module(mel)[1][None].tolist()


def test_from_sentences_to_tokens(tmp_path):
    rng = random.Random(0)
    lines = [" ".join("".join(rng.choice("aeioubdgklmnrst") for _ in range(4)) for _ in range(3)) for _ in range(24)]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    run = Run(tmp_path / "run")
    make_corpus(run, CorpusSettings(teacher="synthetic", sentences=str(tmp_path / "lines.txt"), valid=4, test=3), None, processes=1)
    make_features(run, processes=1)
    assert train(run, RECIPE, "tokenizer") == "done"
    assert train(run, RECIPE, "tokenizer") == "done"  # skipped
    stage = encode(run, processes=1)
    assert stage.record["counts"]["utterances"] == 24 and stage.record["counts"]["codes"] == 27
    assert encode(run, processes=1).done()
    data = Dataset(run.path("features"), ["mel", "whisper", "tokens"])
    objective, _ = trained(run)
    for i in range(0, 24, 7):
        assert len(data[i]["tokens"]) == len(data[i]["mel"]) // 2 == data.meta(i)["tokens"]
        assert data[i]["tokens"].tolist() == objective.tokenizer(data[i]["whisper"].T[None])[1].tolist()
    for point in ("teacher", "mel", "codes"):
        assert listen(run, point, sentences_of(run, "test", 2), tmp_path / point, "synthetic") == 2
        assert len((tmp_path / point / "sentences.txt").read_text().splitlines()) == 2
    more = {"tokenizer": RECIPE["tokenizer"] | {"train": RECIPE["tokenizer"]["train"] | {"updates": 14}}}
    assert train(run, more, "tokenizer") == "done"
    assert not encode(run, processes=1).inputs_changed


def test_what_sounds_otherwise_now_is_made_anew(tmp_path):
    """The same sentences, and so the same ids, by another teacher."""
    rng = random.Random(1)
    (tmp_path / "lines.txt").write_text("\n".join(" ".join("".join(rng.choice("aeiobdgklm") for _ in range(5)) for _ in range(3)) for _ in range(12)))
    run = Run(tmp_path / "run")
    settings = CorpusSettings(teacher="synthetic", sentences=str(tmp_path / "lines.txt"), valid=2, test=1)
    make_corpus(run, settings, None, processes=1)
    make_features(run, processes=1)
    train(run, RECIPE, "tokenizer")
    encode(run, processes=1)
    mels = lambda: {item["id"]: item["mel"] for item in Dataset(run.path("features"), ["mel"])}
    made = lambda: {path: path.stat().st_mtime_ns for path in run.folder.glob("*/*/*.safetensors") if path.parts[-3] in ("features", "encode")}
    before, files = mels(), made()
    make_corpus(run, replace(settings, teacher="synthetic-140-115"), None, processes=1, restart=True)
    make_features(run, processes=1)
    encode(run, processes=1)
    data = Dataset(run.path("features"), ["mel", "whisper", "tokens", "speaker"])
    assert len(data) == len(before) == 12 and {meta["speaker"] for meta in data.items} == {"synthetic-140-115"}
    assert not any(mels()[name].equal(mel) for name, mel in before.items() if mels()[name].shape == mel.shape)
    objective, _ = trained(run)
    assert all(item["tokens"].tolist() == objective.tokenizer(item["whisper"].T[None])[1].tolist() for item in data)
    after = made()
    assert set(after) > set(files) and all(after[path] == time for path, time in files.items())
    # Pieces and shards of a time before there were hashes are taken as they are.
    for path in run.path("features", "pieces").glob("*.jsonl"):
        path.write_text("".join(json.dumps({**json.loads(line), "sha256": None}) + "\n" for line in path.read_text().splitlines()))
    make_corpus(run, settings, None, processes=1, restart=True)
    make_features(run, processes=1)
    assert set(made()) == set(after)
