import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cosyvoice_torch.lm import TASK
from cosyvoice_torch.sample_text import LINES
from cosyvoice_torch.training.bpe import Bpe, train_bpe
from cosyvoice_torch.training.corpus import CorpusSettings, make_corpus
from cosyvoice_torch.training.layout import MARK, TEXT
from cosyvoice_torch.training.lm import LmObjective, LmSettings
from cosyvoice_torch.training.run import Run
from cosyvoice_torch.training.spelling import SLOTS, Speller, SpellingBook, make_spelling, spelling_error, spelling_loss

SYMBOLS = ["_", *"abcdefghijklmnopqrstuvwxyz"]
SETTINGS = LmSettings(2, 32, 4, 2, 64, spelling=0.5, spelling_layer=1, spelling_rows=3, bpe_dropout=0.0)


@pytest.fixture(autouse=True)
def gradients():
    with torch.enable_grad():
        yield


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Bpe:
    return train_bpe(LINES, 60, tmp_path_factory.mktemp("bpe"))


@pytest.fixture
def book(tmp_path: Path) -> SpellingBook:
    path = tmp_path / "lines.jsonl"
    letters = lambda text: "".join(c for c in text.lower() if c in SYMBOLS)
    lines = [{"text": text, "phonemes": letters(text)} for text in LINES[:6]] + [{"text": "x", "phonemes": "é"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return SpellingBook(path, SYMBOLS)


def items() -> list[dict]:
    rng = torch.Generator().manual_seed(0)
    word = lambda n: "".join("abcdefghij"[i] for i in torch.randint(0, 10, (n,), generator=rng).tolist())
    made = []
    for i in range(3):
        text = f"{word(4)} {word(5)}"
        phonemes = torch.tensor([SYMBOLS.index(c) for c in text.replace(" ", "")])
        made.append({"id": str(i), "text": text, "tokens": torch.randint(0, 27, (40,), generator=rng), "phonemes": phonemes})
    return made


def batch_of(objective: LmObjective, training: bool = True, seed: int = 0) -> dict:
    return objective.collate(items(), torch.Generator().manual_seed(seed), training)


def test_a_sentence_with_an_unknown_symbol_is_left_out(book: SpellingBook):
    assert len(book.lines) == 6
    assert book.draw(4, random.Random(1)) == book.draw(4, random.Random(1))


def test_text_and_task_spell_in_both_orders(bpe: Bpe):
    objective = LmObjective(SETTINGS, bpe, 27)
    batch = batch_of(objective, training=False)
    lengths = [len(bpe.encode(item["text"])) + 1 for item in items()]
    rows = [length for length, item in zip(lengths, items()) for _ in range(2 if 40 > 3 * (length - 1) else 1)]
    assert batch["slots"].tolist() == [SLOTS * length for length in rows]
    for kinds, ids, places, length in zip(batch["kinds"], batch["ids"], batch["spelled"], rows, strict=True):
        wanted = ((kinds == TEXT) | ((kinds == MARK) & (ids == TASK))).nonzero()[:, 0]
        assert places[:length].equal(wanted)
    assert batch["counts"].tolist() == [9] * len(rows) and len(batch["phonemes"]) == 9 * len(rows)


def test_unspoken_sentences_come_with_training_batches_alone(bpe: Bpe, book: SpellingBook):
    objective = LmObjective(SETTINGS, bpe, 27, book=book)
    training, again = batch_of(objective), batch_of(objective)
    assert training["text_ids"].shape[0] == 3 and training["counts"].shape == (6,)
    assert all(training[key].equal(again[key]) for key in training)
    assert "text_ids" not in batch_of(objective, training=False)


def test_spelling_is_learned_beside_the_codes(bpe: Bpe, book: SpellingBook):
    objective = LmObjective(SETTINGS, bpe, 27, book=book)
    adam = torch.optim.AdamW(objective.parameters(), lr=1e-2)
    for update in range(200):
        loss, numbers = objective.loss(batch_of(objective, seed=update), torch.Generator(), "main", update)
        adam.zero_grad()
        loss.backward()
        adam.step()
    objective.eval()
    with torch.no_grad():
        _, numbers = objective.loss(batch_of(objective, training=False), torch.Generator(), "main", 0)
    assert numbers["phoneme_error"] < 0.1 and numbers["uni_loss"] < 0.5


def test_without_its_weight_nothing_is_added(bpe: Bpe, book: SpellingBook):
    plain = LmObjective(replace(SETTINGS, spelling=0.0), bpe, 27)
    assert plain.fields() == ["text", "tokens"] and "phonemes" not in batch_of(plain)
    spelling = LmObjective(SETTINGS, bpe, 27, model=plain.model, book=book)
    assert spelling.fields() == ["text", "tokens", "phonemes"]
    said = lambda o: {key: float(value) for key, value in o.eval().loss(batch_of(o, training=False), torch.Generator(), "main", 0)[1].items()}
    a, b = said(plain), said(spelling)
    assert a["uni_loss"] == pytest.approx(b["uni_loss"], abs=1e-6)
    assert b["loss"] == pytest.approx(a["loss"] + 0.5 * b["spelling"], abs=1e-5)


def test_the_best_path_and_the_loss_agree_on_a_clear_answer():
    hidden, speller = torch.randn(1, 5, 8), Speller(8)
    logprobs, lengths = speller(hidden, torch.tensor([[1, 4]])), torch.tensor([2 * SLOTS])
    assert logprobs.shape[:2] == (2 * SLOTS, 1)
    assert logprobs[SLOTS:].allclose(speller(hidden, torch.tensor([[4]])))
    path = torch.tensor([0, 3, 3, 0, 3, 5, 0, 0])
    sure = torch.full((8, 1, 10), -20.0).scatter(2, path[:, None, None], 0.0)
    wanted, counts = torch.tensor([3, 3, 5]), torch.tensor([3])
    assert spelling_error(sure, lengths, wanted, counts) == 0
    assert float(spelling_loss(sure, lengths, wanted, counts)) < 1e-4
    assert spelling_error(sure, lengths, torch.tensor([3, 5, 5]), counts) == pytest.approx(1 / 3)


def test_spelling_covers_the_training_sentences_alone(tmp_path: Path):
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("\n".join(line for line in LINES if line.isascii()))
    run = Run(tmp_path / "run")
    corpus = make_corpus(run, CorpusSettings("synthetic", 1, 1, 1, min_words=2, max_words=40, sentences=str(sentences)), None, 1)
    stage = make_spelling(run, None, 1)
    rows = [json.loads(line) for line in (corpus.folder / "manifest.jsonl").read_text().splitlines()]
    spelled = {line["text"]: line["phonemes"] for line in map(json.loads, (stage.folder / "lines.jsonl").read_text().splitlines())}
    assert spelled == {row["text"]: row["phonemes"] for row in rows if row["split"] == "train"}
