"""The loop, the sampler and the stages, on data made here."""

import json
from dataclasses import replace

import pytest
import torch

from cosyvoice_torch.training.checkpoints import average, averaged_best, best_weights, recorded_best
from cosyvoice_torch.training.data import Batches, Dataset, with_others_before
from cosyvoice_torch.training.metrics import read_metrics
from cosyvoice_torch.training.run import Run, Stage, StageChanged
from cosyvoice_torch.training.shards import write_shard
from cosyvoice_torch.training.trainer import GROWS, Objective, Trainer, TrainSettings


class Line(Objective):
    """Predicts each mel frame from the frame before; has dropout, so that the torch generator matters too."""

    name = "line"

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.net = torch.nn.Sequential(torch.nn.Linear(80, 16), torch.nn.Dropout(0.1), torch.nn.Linear(16, 80))

    def fields(self):
        return ["mel"]

    def length(self, meta):
        return meta["frames"]

    def collate(self, items, rng, training):
        shortest = min(len(item["mel"]) for item in items)
        start = int(torch.randint(0, 2, (), generator=rng))
        return {"mel": torch.stack([item["mel"][start:shortest] for item in items])}

    def loss(self, batch, rng, turn, update):
        mel = batch["mel"] + 0.1 * torch.randn(batch["mel"].shape, generator=rng)
        loss = (self.net(mel[:, :-1]) - mel[:, 1:]).square().mean()
        return loss, {"loss": loss.detach()}


def features(folder, count=40):
    rng = torch.Generator().manual_seed(1)
    folder.mkdir(parents=True)
    lines, mels = [], {}
    for i in range(count):
        frames = int(torch.randint(5, 60, (), generator=rng))
        mels[f"u{i}"] = torch.randn(frames, 80, generator=rng).half()
        split = "valid" if i % 8 == 0 else "train"
        lines.append(json.dumps({"id": f"u{i}", "split": split, "speaker": "x", "text": "", "phonemes": [], "seconds": 1, "frames": frames}))
    (folder / "index.jsonl").write_text("\n".join(lines) + "\n")
    write_shard(folder, "mel", dict(list(mels.items())[:17]))
    write_shard(folder, "mel", dict(list(mels.items())[17:]))


SETTINGS = TrainSettings(updates=30, batch=200, accumulate=2, warmup=5, ema=0.9, validate_every=7, log_every=4, lr=1e-2)


def trainer(tmp_path, name, settings=SETTINGS, objective=None):
    stage = Stage(Run(tmp_path), name, {"size": 16, **settings.__dict__}, grows=GROWS)
    stage.begin()
    return Trainer(stage, objective or Line(), Dataset(tmp_path / "features", ["mel"]), settings)


def test_an_interrupted_training_equals_an_uninterrupted_one_bit_for_bit(tmp_path):
    features(tmp_path / "features")
    whole = trainer(tmp_path, "whole")
    assert whole.fit() == "done"
    for until in (3, 4, 18, None):
        pieces = trainer(tmp_path, "pieces")
        assert pieces.fit(until=until) == ("stopped" if until else "done")
    for name, value in whole.objective.state_dict().items():
        assert torch.equal(value, pieces.objective.state_dict()[name])
        assert torch.equal(whole.ema[name], pieces.ema[name])
    kept = lambda t: [(m["update"], m["split"], m["key"], m["value"]) for m in read_metrics(t.metrics.path) if m["key"] != "updates_per_second"]
    assert kept(whole) == kept(pieces)
    first, second = best_weights(whole.stage.folder), best_weights(pieces.stage.folder)
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_reading_ahead_in_processes_changes_nothing(tmp_path):
    features(tmp_path / "features")
    alone, ahead = trainer(tmp_path, "alone"), trainer(tmp_path, "ahead", replace(SETTINGS, loaders=2))
    alone.fit()
    ahead.fit(until=11)
    ahead = trainer(tmp_path, "ahead", replace(SETTINGS, loaders=2))
    ahead.fit()
    assert all(torch.equal(v, ahead.objective.state_dict()[k]) for k, v in alone.objective.state_dict().items())


def test_validation_is_the_same_every_time_and_training_lowers_it(tmp_path):
    features(tmp_path / "features")
    t = trainer(tmp_path, "t", replace(SETTINGS, updates=60))
    first = t.validate()
    assert first == t.validate()
    t.fit()
    assert t.validate()["loss"] < first["loss"]


def test_early_stop_after_validations_without_a_new_best(tmp_path):
    features(tmp_path / "features")
    t = trainer(tmp_path, "t", replace(SETTINGS, updates=1000, validate_every=1, patience=3))
    scores = iter([9.0, 5.0, 4.0, 4.5, 4.0, 4.1, 1.0])
    t.validate = lambda: {"loss": next(scores)}
    assert t.fit() == "early"
    assert t.update == 5
    assert t.checkpoints.best()[0][0] == 4.0
    assert t.stage.status == "done"


def test_scores_on_other_held_out_utterances_are_forgotten(tmp_path):
    features(tmp_path / "features")
    t = trainer(tmp_path, "t")
    t.fit()
    before = t.checkpoints.best()
    again = trainer(tmp_path, "t", replace(SETTINGS, updates=32))
    again.load()
    assert before and again.checkpoints.best() == before
    index = tmp_path / "features" / "index.jsonl"
    index.write_text("".join(line + "\n" for line in index.read_text().splitlines() if '"u8"' not in line))
    other = trainer(tmp_path, "t", replace(SETTINGS, updates=32))
    other.load()
    assert other.checkpoints.best() == []
    assert other.fit() == "done" and [path.name for _, path in other.checkpoints.best()] == ["best-00000030.safetensors", "best-00000032.safetensors"]


def test_a_finished_training_is_ranked_anew_when_other_utterances_are_held_out(tmp_path):
    features(tmp_path / "features")
    trainer(tmp_path, "t").fit()
    index = tmp_path / "features" / "index.jsonl"
    index.write_text("".join(line + "\n" for line in index.read_text().splitlines() if '"u8"' not in line))
    other = trainer(tmp_path, "t")
    assert other.fit() == "done"
    ((score, path),) = other.checkpoints.best()
    assert path.name == "best-00000030.safetensors" and other.stage.record["counts"]["best"] == {"score": score, "file": path.name}
    again = trainer(tmp_path, "t")
    assert again.fit() == "done" and again.checkpoints.best() == [(score, path)]


def test_other_sizes_cannot_resume_a_training_but_more_updates_can(tmp_path):
    run = Run(tmp_path)
    Stage(run, "t", {"size": 1, "updates": 5}, grows=GROWS).begin()
    with pytest.raises(StageChanged, match="size: 1 -> 2"):
        Stage(run, "t", {"size": 2, "updates": 5}, grows=GROWS).begin()
    assert Stage(run, "t", {"size": 1, "updates": 9}, grows=GROWS).begin() == "extend"
    assert Stage(run, "t", {"size": 2, "updates": 5}, grows=GROWS).begin(restart=True) == "new"


def test_a_stage_is_skipped_when_unchanged_and_noticed_when_its_input_changes(tmp_path):
    run = Run(tmp_path)
    first = Stage(run, "first", {"a": 1})
    assert first.begin() == "new"
    first.finish({"n": 3})
    assert Stage(run, "first", {"a": 1}).done()
    second = Stage(run, "second", {}, [first])
    second.begin()
    assert not Stage(run, "second", {}, [first]).done()
    assert Stage(run, "second", {}, [first]).begin() == "resume"
    second.finish({})
    assert Stage(run, "second", {}, [first]).done()
    first.finish({"n": 4})
    again = Stage(run, "second", {}, [first])
    assert not again.done() and again.inputs_changed
    assert again.begin() == "extend"


@pytest.mark.parametrize("seed", range(6))
def test_every_utterance_is_in_an_epoch_exactly_once_and_batches_keep_the_budget(seed):
    rng = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 90, (int(torch.randint(1, 700, (), generator=rng)),), generator=rng).tolist()
    batches = Batches(lengths, 300, seed, window=4)
    orders = []
    for epoch in range(3):
        made = batches.of_epoch(epoch)
        assert sorted(i for batch in made for i in batch) == list(range(len(lengths)))
        assert all(len(b) * max(lengths[i] for i in b) <= 300 or len(b) == 1 for b in made)
        orders.append(made)
    assert len(lengths) < 20 or orders[0] != orders[1]
    assert orders == [Batches(lengths, 300, seed, window=4).of_epoch(e) for e in range(3)]


def test_the_sampler_goes_on_where_it_was_in_the_middle_of_an_epoch():
    lengths = list(range(1, 100))
    one, other = Batches(lengths, 200, 5), Batches(lengths, 200, 5)
    for _ in range(len(one.of_epoch(0)) + 4):
        one.next()
    assert one.epoch == 1
    assert other.load(one.state())
    assert [one.next() for _ in range(50)] == [other.next() for _ in range(50)]
    assert not Batches(lengths[1:], 200, 5).load(one.state())


def test_averaging_takes_the_mean_and_leaves_counters_alone(tmp_path):
    from safetensors.torch import save_file

    for i in (0, 1):
        save_file({"w": torch.full((2,), float(i)), "n": torch.tensor(7 + i)}, tmp_path / f"{i}.safetensors")
    mean = average([tmp_path / "0.safetensors", tmp_path / "1.safetensors"])
    assert mean["w"].tolist() == [0.5, 0.5]
    assert mean["n"] == 7
    save_file({"other": torch.zeros(1)}, tmp_path / "2.safetensors")
    with pytest.raises(ValueError, match="differ"):
        average([tmp_path / "0.safetensors", tmp_path / "2.safetensors"])


def test_a_training_without_a_validated_checkpoint_is_said_so(tmp_path):
    stage = Stage(Run(tmp_path), "t", {})
    stage.begin()
    for best in (lambda: averaged_best(stage.folder, 3), lambda: best_weights(stage.folder), lambda: recorded_best(stage)):
        with pytest.raises(FileNotFoundError, match="t: no validated checkpoint yet; train longer"):
            best()
    stage.progress({"best": None})
    with pytest.raises(FileNotFoundError, match="no validated checkpoint yet"):
        recorded_best(stage)


def speakers(folder, counts):
    """An index of `counts` utterances of each speaker, in turns; the last two of each are held out."""
    folder.mkdir(parents=True)
    rows = [(i, name, "valid" if i >= counts[name] - 2 else "train") for i in range(max(counts.values())) for name in counts if i < counts[name]]
    made = [{"id": f"{name}{i}", "split": split, "speaker": name, "text": f"{name} {i}", "phonemes": [], "frames": 9} for i, name, split in rows]
    (folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made))
    return Dataset(folder, ["text"])


def test_the_utterances_of_a_speaker_are_those_that_are_left(tmp_path):
    data = speakers(tmp_path / "features", {"ann": 9, "bob": 4})
    assert [data.meta(i)["id"] for i in data.of_speaker("bob")] == ["bob0", "bob1", "bob2", "bob3"]
    held = data.split("valid")
    assert [held.meta(i)["id"] for i in held.of_speaker("ann")] == ["ann7", "ann8"]
    held.items = [meta for meta in held.items if meta["id"] != "ann7"]
    assert [held.meta(i)["id"] for i in held.of_speaker("ann")] == ["ann8"] and len(data.of_speaker("ann")) == 9


def test_another_utterance_of_the_same_speaker_comes_before(tmp_path):
    data = speakers(tmp_path / "features", {"ann": 9, "bob": 4, "eve": 3}).split("train")
    seen = {}
    for seed in range(200):
        items = with_others_before(data, list(range(len(data))), 0.25, torch.Generator().manual_seed(seed), lambda name: name == "bob")
        assert [item["id"] for item in items] == [meta["id"] for meta in data.items]
        for item in items:
            seen.setdefault(item["id"], []).append(item.get("before", {}).get("id"))
    assert set(seen["bob0"]) == {"bob1"} and set(seen["bob1"]) == {"bob0"}
    assert set(seen["ann3"]) == {None, *(f"ann{i}" for i in range(7))} - {"ann3"}
    assert 20 < 200 - seen["ann3"].count(None) < 80
    assert set(seen["eve0"]) == {None, "eve0"}  # there is no other one
    plain = with_others_before(data, [0, 1], 0.0, torch.Generator())
    assert not any("before" in item for item in plain)
