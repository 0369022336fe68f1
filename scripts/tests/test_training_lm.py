import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from cosyvoice_torch import lm as language
from cosyvoice_torch.checkpoint import Model
from cosyvoice_torch.sample_text import LINES
from cosyvoice_torch.training.bpe import Bpe, BpeSettings, bistream_share, make_bpe, train_bpe
from cosyvoice_torch.training.layout import SPEECH, TEXT
from cosyvoice_torch.training.lm import MANNER, ORDERS, LmObjective, LmSettings, build, fine_tuned, smoothed_loss, varied
from cosyvoice_torch.training.metrics import read_metrics
from cosyvoice_torch.training.run import Run, Stage, StageChanged
from cosyvoice_torch.training.shards import write_shard
from cosyvoice_torch.training.train import train
from cosyvoice_torch.training.trainer import GROWS, Trainer

from conftest import BUNDLES

CODES = 27
TINY = LmSettings(layers=2, width=32, heads=4, kv_heads=2, ffn=64)
PLAIN = replace(TINY, bistream=0.0, bpe_dropout=0.0, plain_case=0.0, no_end_mark=0.0)


@pytest.fixture(autouse=True)
def gradients():
    with torch.enable_grad():
        yield


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Bpe:
    return train_bpe(LINES, 60, tmp_path_factory.mktemp("bpe"))


@pytest.fixture
def objective(bpe: Bpe) -> LmObjective:
    return LmObjective(TINY, bpe, CODES)


def items(count: int, seed: int = 0) -> list[dict]:
    rng = torch.Generator().manual_seed(seed)
    draw = lambda n: torch.randint(0, CODES, (n,), generator=rng)
    return [{"id": str(i), "text": LINES[i][:20], "tokens": draw(20 + 12 * i)} for i in range(count)]


def orders(batch: dict) -> list[str]:
    """The name of each row's order."""
    rows = (batch["asked"] // batch["ids"].shape[1]).tolist()
    return [name for _, name in sorted({row: ORDERS[order] for row, order in zip(rows, batch["order"].tolist(), strict=True)}.items())]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_pieces_without_dropout_are_the_engine_s_and_with_it_spell_the_same(bpe: Bpe):
    text = LINES[0] + " [laughter] <strong>x</strong> naïve 42"
    assert bpe.encode_with_dropout(text, 0.0, random.Random(0)) == bpe.encode(text)
    spelled = lambda ids: "".join(bpe.tokenizer.name(i) for i in ids)
    dropped = bpe.encode_with_dropout(text, 0.3, random.Random(0))
    assert spelled(dropped) == spelled(bpe.encode(text))
    assert len(bpe.encode(text)) < len(dropped) < len(bpe.encode_with_dropout(text, 1.0, random.Random(0)))
    assert dropped == bpe.encode_with_dropout(text, 0.3, random.Random(0)) != bpe.encode_with_dropout(text, 0.3, random.Random(1))


def test_the_vocabulary_stays_within_its_merges(bpe: Bpe):
    assert len(bpe.vocab) == 256 + 60
    assert bistream_share([(10, 31), (10, 30), (5, 100), (7, 14)]) == 0.5


def test_texts_vary_in_their_first_letter_and_their_end_only():
    always = LmSettings(plain_case=1.0, no_end_mark=1.0)
    chance = random.Random(0)
    assert varied("The sun rose.", always, chance) == "the sun rose"
    assert varied("I rose...", always, chance) == "I rose..."
    assert varied("NASA rose?", always, chance) == "NASA rose?"
    assert varied("The sun rose.", LmSettings(plain_case=0, no_end_mark=0), chance) == "The sun rose."


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_divergence_from_the_smoothed_target(smoothing: float):
    logits, targets = torch.randn(9, 30, generator=generator()), torch.randint(0, 30, (9,), generator=generator())
    wanted = torch.full((9, 30), smoothing / 29).scatter(1, targets[:, None], 1 - smoothing)
    expected = torch.nn.functional.kl_div(logits.log_softmax(-1), wanted, reduction="batchmean")
    assert float(smoothed_loss(logits, targets, smoothing)) == pytest.approx(float(expected), abs=1e-5)
    if smoothing == 0:
        assert float(expected) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, targets)), abs=1e-5)


def test_training_says_what_decoding_says(objective: LmObjective):
    """Log-probabilities of a padded batch against the step-by-step session of the same weights."""
    objective.eval()
    batch = objective.collate([{**item, "text": item["text"][:4]} for item in items(3)], generator(), False)
    logits = objective.model.llm_decoder(objective.hidden(objective.embed(batch["kinds"], batch["ids"])))
    rows = [i for i, order in enumerate(orders(batch)) if order == "uni"]
    for row, item in zip(rows, items(3), strict=True):
        text = torch.tensor(objective.bpe.encode(item["text"][:4]))
        expected = language.forced(objective.model, text, torch.tensor([], dtype=torch.long), item["tokens"])
        start = 1 + len(text)
        got = logits[row, start : start + len(item["tokens"]) + 1].log_softmax(-1)
        assert torch.allclose(got, expected, atol=1e-4)


def test_streamed_training_says_what_streamed_decoding_says(objective: LmObjective):
    objective.eval()
    item = items(16)[15]
    batch = objective.collate([item], generator(), False)
    row = orders(batch).index("bi")
    logits = objective.model.llm_decoder(objective.hidden(objective.embed(batch["kinds"], batch["ids"])))[row]
    text, none = torch.tensor(objective.bpe.encode(item["text"])), torch.tensor([], dtype=torch.long)
    # One block: 15 codes and the fill. What follows a fill in the official decoder starts with a stale input.
    out = torch.cat([item["tokens"][:15], torch.tensor([CODES + 2])])
    expected = language.bistream_forced(objective.model, none, text, none, out)
    assert torch.allclose(logits[5:21].log_softmax(-1), expected, atol=1e-4)


def test_padding_changes_nothing(objective: LmObjective):
    plain = LmObjective(PLAIN, objective.bpe, CODES, model=objective.model)
    loss = lambda chosen: plain.loss(plain.collate(chosen, generator(), True), generator(), "main", 0)[0].detach()
    asked = [len(item["tokens"]) + 1 for item in items(2)]
    alone = [float(loss([item])) for item in items(2)]
    expected = sum(a * n for a, n in zip(alone, asked, strict=True)) / sum(asked)
    assert float(loss(items(2))) == pytest.approx(expected, abs=1e-5)


def test_validation_reports_both_orders(objective: LmObjective):
    both = objective.loss(objective.collate(items(16), generator(), False), generator(), "main", 0)[1]
    assert both.keys() == {"loss", "accuracy", "uni_loss", "uni_accuracy", "bi_loss", "bi_accuracy", "end_loss"}
    again = objective.loss(objective.collate(items(16), generator(9), False), generator(9), "main", 7)[1]
    assert again == both


def test_half_of_the_visits_are_streamed_where_there_is_speech_enough(objective: LmObjective):
    item = items(16)[15]
    seen = [objective.collate([item], generator(i), True) for i in range(200)]
    streamed = sum(orders(batch) == ["bi"] for batch in seen)
    assert 75 < streamed < 125
    few = {**item, "tokens": item["tokens"][:9]}
    assert all(orders(objective.collate([few], generator(i), True)) == ["uni"] for i in range(20))
    again = objective.collate([item], generator(3), True)
    assert all(again[key].equal(seen[3][key]) for key in again)


def of(name: str, item: dict, before: dict | None = None) -> dict:
    return {**item, "by": name} | ({"before": {**before, "by": name}} if before else {})


def of_row(batch: dict, row: int, kind: int) -> list[int]:
    return batch["ids"][row][batch["kinds"][row] == kind].tolist()


def asked_of(batch: dict, row: int) -> list[int]:
    return batch["wanted"][batch["asked"] // batch["ids"].shape[1] == row].tolist()


@pytest.mark.parametrize("bistream", [0.0, 1.0])
def test_of_what_another_speaker_says_first_nothing_is_asked(bpe: Bpe, bistream: float):
    objective = LmObjective(replace(PLAIN, own="ann", bistream=bistream), bpe, CODES)
    first, second = ({**item, "tokens": item["tokens"].repeat(4)} for item in items(2))
    given = [of("ann", second), of("ann", second, first), of("bob", second, first)]
    batch = objective.collate(given, generator(), True)
    said = [part["tokens"].tolist() for part in (first, second)]
    assert orders(batch) == ["bi" if bistream else "uni", "after", "after"]
    assert [of_row(batch, row, SPEECH) for row in range(3)] == [said[1], said[0] + said[1], said[0] + said[1]]
    codes = [[code for code in asked_of(batch, row) if code < CODES] for row in range(3)]
    assert codes == [said[1], said[0] + said[1], said[1]]
    assert [asked_of(batch, row)[-1] for row in range(3)] == [CODES] * 3
    assert (CODES + 2 in asked_of(batch, 1)) == bool(bistream)
    anyone = LmObjective(replace(PLAIN, bistream=bistream), bpe, CODES, model=objective.model).collate(given, generator(), True)
    assert [code for code in asked_of(anyone, 2) if code < CODES] == said[0] + said[1]


def test_the_texts_of_both_are_read_with_and_without_a_blank_between(bpe: Bpe):
    objective = LmObjective(replace(PLAIN, own="ann"), bpe, CODES)
    first, second = items(2)
    seen = {tuple(of_row(objective.collate([of("bob", second, first)], generator(i), True), 0, TEXT)) for i in range(30)}
    assert seen == {tuple(bpe.encode(first["text"]) + bpe.encode(blank + second["text"])) for blank in ("", " ")}


def test_who_is_not_the_own_speaker_always_follows_another_utterance(tmp_path: Path):
    run = tiny_run(tmp_path, ("ann", "bob"))
    with pytest.raises(ValueError, match="own 'anne': must be one of the corpus's speakers, ann, bob"):
        build(run, OTHERS | {"lm": OTHERS["lm"] | {"own": "anne"}})
    made = build(run, OTHERS)
    for training, split in ((True, "train"), (False, "valid")):
        data, follows = made.dataset.split(split), {"ann": 0, "bob": 0}
        for seed in range(10):
            for item in made.objective.gather(data, list(range(len(data))), generator(seed), training):
                follows[item["by"]] += "before" in item
                assert "before" not in item or item["before"]["by"] == item["by"]
        visits = {name: 10 * len(data.of_speaker(name)) for name in follows}
        assert follows["bob"] == visits["bob"] > 0
        assert 0.2 * visits["ann"] < follows["ann"] < 0.8 * visits["ann"] if training else follows["ann"] == 0


def test_held_out_utterances_are_rows_of_their_own_orders(bpe: Bpe):
    objective = LmObjective(replace(TINY, own="ann", pairs=1.0), bpe, CODES).eval()
    item, few = items(16)[15], {**items(16)[15], "tokens": items(16)[15]["tokens"][:9]}
    batch = objective.collate([of("ann", item), of("bob", item, few), of("ann", few)], generator(), False)
    assert orders(batch) == ["uni", "bi", "after", "uni"]
    assert asked_of(batch, 2) == [*item["tokens"].tolist(), CODES]
    numbers = objective.loss(batch, generator(), "main", 0)[1]
    assert {"uni_loss", "bi_loss", "after_loss"} <= numbers.keys()


def test_every_code_is_read_whatever_the_order(objective: LmObjective):
    for i in range(10):
        batch = objective.collate(items(6), generator(i), True)
        for row, item in enumerate(items(6)):
            assert batch["ids"][row][batch["kinds"][row] == SPEECH].equal(item["tokens"])


def test_a_few_sentences_are_learned_by_heart(bpe: Bpe):
    objective = LmObjective(PLAIN, bpe, CODES)
    batch = objective.collate(items(2), generator(), True)
    adam = torch.optim.AdamW(objective.parameters(), lr=1e-2)
    for update in range(150):
        loss, numbers = objective.loss(batch, generator(), "main", update)
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert float(loss.detach()) < 0.05 and numbers["accuracy"] == 1.0


def test_the_head_of_the_text_model_stays_tied(objective: LmObjective):
    names = dict(objective.named_parameters())
    assert "model.llm.model.lm_head.weight" not in names
    assert objective.state_dict()["model.llm.model.lm_head.weight"].equal(names["model.llm.model.model.embed_tokens.weight"])


def features_of(run: Run, texts: list[str], hours: float = 0.1, speakers: tuple[str, ...] = ("x",)) -> Stage:
    stage = Stage(run, "features", {})
    stage.begin()
    row = lambda i, t: {"id": str(i), "split": "valid" if i % 5 == 4 else "train", "speaker": speakers[i % len(speakers)], "text": t, "frames": 8 * len(t)}
    rows = [row(i, t) for i, t in enumerate(texts)]
    (stage.folder / "index.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stage.finish({"hours": hours})
    return stage


def test_the_vocabulary_is_learned_from_the_training_split_and_stays_when_the_corpus_grows(tmp_path: Path):
    run = Run(tmp_path)
    features_of(run, [*LINES[:4], "zqzqzqzqzqzqzqzq " * 9])
    stage = make_bpe(run, BpeSettings(30))
    merges = (stage.folder / "merges.txt").read_text()
    assert "z q" not in merges and stage.status == "done"
    counts = stage.record["counts"]
    assert counts["merges"] == 30 and counts["texts"] == 4 and 0 <= counts["bistream_share"] <= 1
    features_of(run, LINES, hours=0.4)
    assert (make_bpe(run, BpeSettings(30)).folder / "merges.txt").read_text() == merges
    with pytest.raises(StageChanged, match="merges: 30 -> 31"):
        make_bpe(run, BpeSettings(31))


def test_a_release_can_be_gone_on_from():
    release = BUNDLES / "a" / "model"
    settings = LmSettings(start=str(release), bistream=0.0)
    objective = fine_tuned(settings, 729)
    before = Model(release).lm
    assert all(value.equal(before.state_dict()[name]) for name, value in objective.model.state_dict().items())
    assert objective.state()["width"] == before.config.width and objective.state()["start"] == str(release)
    batch = objective.collate(items(3), generator(), True)
    adam = torch.optim.AdamW(objective.parameters(), lr=1e-3)
    losses = []
    for update in range(4):
        loss, _ = objective.loss(batch, generator(), "main", update)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all(value.equal(before.state_dict()[name]) for name, value in Model(release).lm.state_dict().items())
    with pytest.raises(ValueError, match="knows 729 speech codes, the corpus has 27"):
        fine_tuned(settings, 27)


def tiny_run(folder: Path, speakers: tuple[str, ...] = ("x",)) -> Run:
    """Features and codes of a dozen sentences."""
    run = Run(folder)
    features_of(run, [line for line in LINES if line.isascii()] * 2, speakers=speakers)
    stage = Stage(run, "encode", {"tokenizer": "best-1"})
    stage.begin()
    rng = generator()
    rows = [json.loads(line) for line in run.path("features", "index.jsonl").read_text().splitlines()]
    codes = {row["id"]: torch.randint(0, CODES, (40 + len(row["text"]),), generator=rng).int() for row in rows}
    write_shard(stage.folder, "tokens", codes)
    stage.finish({"codes": CODES})
    return run


RECIPE = {
    "bpe": {"merges": 40},
    "lm": {"layers": 1, "width": 32, "heads": 2, "kv_heads": 1, "ffn": 32, "dropout": 0.1}
    | {"train": {"updates": 12, "batch": 300, "validate_every": 4, "warmup": 2, "log_every": 4}},
}


OTHERS = RECIPE | {"lm": RECIPE["lm"] | {"pairs": 0.5, "own": "ann"}}


def trainer_of(run: Run, recipe: dict = RECIPE, loaders: int = 0) -> Trainer:
    made = build(run, recipe)
    stage = Stage(run, "lm", {**made.objective.state(), **asdict(made.settings)}, made.inputs, grows=GROWS)
    stage.begin()
    return Trainer(stage, made.objective, made.dataset, replace(made.settings, loaders=loaders))


@pytest.mark.parametrize("loaders", [0, 2])
def test_an_interrupted_training_is_the_uninterrupted_one_to_the_bit(tmp_path: Path, loaders: int):
    whole, parts = (tiny_run(tmp_path / name, ("ann", "bob")) for name in ("whole", "parts"))
    uninterrupted = trainer_of(whole, OTHERS)
    assert uninterrupted.fit() == "done"
    assert trainer_of(parts, OTHERS, loaders).fit(until=5) == "stopped"
    resumed = trainer_of(parts, OTHERS, loaders)
    assert resumed.fit() == "done"
    expected = uninterrupted.objective.state_dict()
    assert all(value.equal(expected[name]) for name, value in resumed.objective.state_dict().items())
    seen = [[(m["update"], m["key"], m["value"]) for m in read_metrics(run.path("lm", "metrics.jsonl"))] for run in (whole, parts)]
    valid = [[m for m in lines if m[1] != "updates_per_second"] for lines in seen]
    assert valid[0] == valid[1]


def test_codes_of_another_tokenizer_are_another_training(tmp_path: Path):
    run = tiny_run(tmp_path)
    trainer_of(run).fit(until=1)
    record = run.path("encode", "stage.json")
    record.write_text(record.read_text().replace("best-1", "best-2"))
    with pytest.raises(StageChanged, match="codes_of"):
        trainer_of(run)


def test_so_are_those_of_one_begun_anew_under_the_same_name_where_the_record_tells(tmp_path: Path):
    run = tiny_run(tmp_path)
    more = RECIPE | {"lm": RECIPE["lm"] | {"train": RECIPE["lm"]["train"] | {"updates": 13}}}
    with torch.enable_grad():
        assert train(run, RECIPE, "lm") == "done"
        encode = run.path("encode", "stage.json")
        encode.write_text(json.dumps(edited(encode, "config", score=0.5)))
        with pytest.raises(StageChanged, match="codes_made"):
            train(run, more, "lm")
        record = json.loads(run.path("lm", "stage.json").read_text())
        del record["config"]["codes_made"]
        run.path("lm", "stage.json").write_text(json.dumps(record))
        assert train(run, more, "lm") == "done"


def edited(stage: Path, part: str, **values) -> dict:
    record = json.loads(stage.read_text())
    return record | {part: record[part] | values}


def test_the_record_says_how_it_was_trained(tmp_path: Path, capsys: pytest.CaptureFixture):
    run, path = tiny_run(tmp_path), tmp_path / "lm" / "stage.json"
    recipe = lambda dropout, updates: RECIPE | {"lm": RECIPE["lm"] | {"dropout": dropout, "train": RECIPE["lm"]["train"] | {"updates": updates}}}
    said = lambda: json.loads(path.read_text())["config"]
    with torch.enable_grad():
        assert train(run, recipe(0.1, 4), "lm") == "done"
        assert {"bistream": 0.5, "bpe_dropout": 0.1, "dropout": 0.1, "smoothing": 0.0, "spelling": 0.0}.items() <= said().items()
        with pytest.raises(StageChanged, match="has had its 4 updates with other settings .dropout: 0.1 -> 0.2.*more updates"):
            train(run, recipe(0.2, 4), "lm")
        assert said()["dropout"] == 0.1
        assert train(run, recipe(0.2, 5), "lm") == "done" and said()["dropout"] == 0.2
        assert "lm: from update 4 on, dropout: 0.1 -> 0.2" in capsys.readouterr().out


@pytest.mark.parametrize("updates", [4, 6])
def test_a_record_from_before_such_settings_can_be_gone_on_from(tmp_path: Path, updates: int):
    run, path = tiny_run(tmp_path), tmp_path / "lm" / "stage.json"
    recipe = lambda updates: RECIPE | {"lm": RECIPE["lm"] | {"train": RECIPE["lm"]["train"] | {"updates": updates}}}
    with torch.enable_grad():
        assert train(run, recipe(4), "lm") == "done"
        record = json.loads(path.read_text())
        for key in (*MANNER, "codes_made"):
            del record["config"][key]
        record["grows"] = list(GROWS)
        path.write_text(json.dumps(record))
        assert train(run, recipe(updates), "lm") == "done"
    after = json.loads(path.read_text())
    assert after["config_hash"] == record["config_hash"] and after["counts"]["updates"] == updates
    assert (after == record) == (updates == 4)  # what was done already is not said to have been made so
