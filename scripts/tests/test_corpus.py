"""Sentences, splits, imports, validation, features: small corpora made here, spoken by the teacher of sines and noise."""

import json
import random

import numpy as np
import pytest
import soundfile
import torch

from cosyvoice_torch.config import VocoderConfig
from cosyvoice_torch.features import mel24k, whisper_mel
from cosyvoice_torch.training import utterances, wordnet
from cosyvoice_torch.training.corpus import CorpusSettings, level, make_corpus, plan, read_manifest, trim
from cosyvoice_torch.training.data import Dataset
from cosyvoice_torch.training.features import make_features, read_audio
from cosyvoice_torch.training.griffin_lim import griffin_lim
from cosyvoice_torch.training.importer import ImportSettings, import_corpus, splits
from cosyvoice_torch.training.pitch import at_mel_frames, yin
from cosyvoice_torch.training.run import Run
from cosyvoice_torch.training.unpredictable import unpredictable, vocabulary, with_ed, with_ing, with_s
from cosyvoice_torch.training.validate import normal, reason_to_drop, validate
from cosyvoice_torch.vocoder import SourceModule

NOUNS = """00000100 03 n 02 hill 0 small_mountain 0 000 | a low rise of land; "the hill is steep and green"; "they climbed the hill at dawn"  
00000200 03 n 01 river 0 000 | a large stream of water (larger than a creek); "the river is wide here"; "THE RIVER is wide here"; "room 12 is by the river"  
00000300 03 n 01 lamp 0 000 | a thing that gives light; "the lamp!"; "the lamp was lit (at night) by him"; "the lamp was bright last night?"  
"""  # noqa: W291
OTHERS = {
    "verb": '00000400 29 v 01 walk 0 000 01 + 01 00 | go on foot; "we walk to school every day"  \n',
    "adj": '00000500 00 a 01 tall(a) 0 000 | of great height; "a tall man stood there"  \n',
    "adv": '00000600 02 r 01 slowly 0 000 | without speed; "he spoke slowly and clearly"  \n',
}


@pytest.fixture
def database(tmp_path):
    folder = tmp_path / "wordnet"
    folder.mkdir()
    (folder / "data.noun").write_text("  1 a licence\n" + NOUNS)
    for part, line in OTHERS.items():
        (folder / f"data.{part}").write_text(line)
    (folder / "cntlist.rev").write_text("hill%1:17:00:: 1 9\nlamp%1:06:00:: 1 2\nsmall_mountain%1:17:00:: 1 1\n")
    return folder


def test_examples_are_plain_sentences_each_once(database):
    found = wordnet.examples(wordnet.synsets(database), 4, 20)
    assert found == [
        "The hill is steep and green.", "They climbed the hill at dawn.", "The river is wide here.", "The lamp was bright last night?",
        "We walk to school every day.", "A tall man stood there.", "He spoke slowly and clearly.",
    ]  # fmt: skip


def test_definitions_become_sentences(database):
    found = wordnet.synsets(database)
    told = wordnet.for_vocabulary(found, ["The hill is steep and green."], wordnet.frequencies(database), seed=1)
    assert told and all(wordnet.usable(text, 4, 20) for text in told)
    assert not any("larger than" in text for text in told)
    assert wordnet.synsets(database)[4].lemmas == ["tall"]


def test_numbers_are_written_out():
    assert utterances.number(0) == "zero"
    assert utterances.number(115) == "one hundred and fifteen"
    assert utterances.number(2_040_017) == "two million forty thousand seventeen"
    assert utterances.year(1905) == "nineteen oh five" and utterances.year(1900) == "nineteen hundred" and utterances.year(2004) == "two thousand and four"
    assert utterances.ordinal(31) == "thirty first" and utterances.ordinal(30) == "thirtieth"
    made = utterances.numbers_and_names(300, 0)
    assert len(set(made)) == 300 and not any(c.isdigit() for text in made for c in text)
    assert made == utterances.numbers_and_names(300, 0)


def lines(count, seed=0):
    rng = random.Random(seed)
    return [" ".join("".join(rng.choice("aeioubdgklmnrst") for _ in range(rng.randint(2, 5))) for _ in range(rng.randint(3, 5))) for _ in range(count)]


def test_no_text_is_in_two_splits_and_barred_sentences_are_out(tmp_path):
    source, barred = tmp_path / "all.txt", tmp_path / "barred.txt"
    texts = lines(60)
    source.write_text("\n".join(texts + [texts[0].upper(), texts[1] + "!"]))
    barred.write_text(texts[5].title() + "?\n")
    rows = plan(CorpusSettings(sentences=str(source), valid=5, test=7, exclude=(str(barred),)), None)
    keys = [wordnet.key(row["text"]) for row in rows]
    assert len(keys) == len(set(keys)) == 59
    assert wordnet.key(texts[5]) not in keys
    assert [row["split"] for row in rows].count("test") == 7 and [row["split"] for row in rows].count("valid") == 5
    again = plan(CorpusSettings(sentences=str(source), valid=5, test=7, exclude=(str(barred),)), None)
    assert rows == again


def settings_of(tmp_path, count=12, **more):
    (tmp_path / "all.txt").write_text("\n".join(lines(count)))
    return CorpusSettings(teacher="synthetic", sentences=str(tmp_path / "all.txt"), valid=2, test=2, **more)


def test_a_corpus_and_its_features_are_made_once_and_grow(tmp_path, monkeypatch):
    monkeypatch.setattr("cosyvoice_torch.training.corpus.PIECE", 8)
    run = Run(tmp_path / "run")
    stage = make_corpus(run, settings_of(tmp_path, hours=1e-4), None, processes=1)
    assert stage.record["counts"]["utterances"] == 8
    before = {path: path.stat().st_mtime_ns for path in stage.folder.rglob("*.wav")}
    make_features(run, processes=1)
    assert make_corpus(run, settings_of(tmp_path, hours=1e-4), None, processes=1).done()
    stage = make_corpus(run, settings_of(tmp_path, hours=1.0), None, processes=1)
    assert stage.record["counts"]["utterances"] == 12
    assert all(path.stat().st_mtime_ns == t for path, t in before.items())
    features = make_features(run, processes=1)
    assert features.record["counts"]["utterances"] == 12
    assert make_features(run, processes=1).done()

    data = Dataset(features.folder, ["mel", "audio", "f0", "whisper", "phonemes", "speaker", "text"])
    assert sorted(len(data.split(s)) for s in ("train", "valid", "test")) == [2, 2, 8]
    for item in (data[i] for i in range(len(data))):
        frames = len(item["mel"])
        assert frames % 2 == 0 and item["mel"].shape == (frames, 80)
        assert item["audio"].shape == (480 * frames,) and item["f0"].shape == (frames,) and item["whisper"].shape == (2 * frames, 128)
        assert torch.allclose(item["mel"], mel24k(item["audio"]), atol=0.02)
        assert item["phonemes"].min() > 0 and item["speaker"].norm().allclose(torch.tensor(1.0))
    report = validate(stage.folder, read_manifest(stage.folder / "manifest.jsonl"))
    assert not report.fatal and report.utterances == 12


def test_trimming_keeps_a_little_silence_and_whole_tokens():
    rate = 24000
    audio = np.concatenate([np.zeros(rate), 0.3 * np.sin(np.arange(rate) / 10), np.zeros(rate)]).astype(np.float32)
    start, end = trim(audio)
    assert 0.95 * rate - 300 <= start <= 0.95 * rate and (end - start) % 960 == 0
    assert 2.1 * rate - 300 <= end <= 2.1 * rate + 1260
    assert trim(np.zeros(rate, np.float32)) == (0, 0)
    loud = level(audio * 3)
    assert np.allclose(loud, level(audio), atol=1e-6) and np.abs(loud).max() <= 0.95


def test_frames_are_whole_hops():
    for samples in (1920, 24000, 24479, 24480):
        assert len(mel24k(torch.zeros(samples))) == samples // 480
    for samples in (400, 16000, 16159, 16160):
        assert whisper_mel(torch.zeros(samples)).shape == (128, samples // 160)


def test_pitch_of_a_tone_and_of_noise():
    tone = torch.sin(2 * torch.pi * 210 * torch.arange(24000) / 24000) + 0.5 * torch.sin(2 * torch.pi * 420 * torch.arange(24000) / 24000)
    found = yin(tone)[3:-3]
    assert (found - 210).abs().max() < 2
    assert (yin(torch.randn(24000, generator=torch.Generator().manual_seed(0))) > 0).float().mean() < 0.1
    assert not yin(torch.zeros(24000)).any()
    curve = torch.tensor([0.0, 100.0, 110.0, 120.0, 0.0])  # at samples 150, 450, 750, 1050, 1350
    assert at_mel_frames(curve, 3).tolist() == pytest.approx([0.0, 101.0, 117.0])  # at samples 0, 480, 960
    assert at_mel_frames(torch.tensor([100.0, 100.0, 0.0, 0.0]), 3).tolist() == [100.0, 100.0, 0.0]  # the nearer of voiced and unvoiced


def test_pitch_is_where_the_source_of_the_vocoder_sounds_it():
    rising = lambda samples: 150 + 150 * samples.double() / 24000  # Hz
    eighth = 2 * torch.pi * 8 * (rising(torch.arange(24000)) / 24000).cumsum(0)
    f0 = at_mel_frames(rising(300 * torch.arange(80) + 150).float(), 50)
    source = SourceModule(VocoderConfig(96, 96)).sines(f0)[:, 7].double() / 0.1
    for start in range(2400, 21600, 2400):
        here = slice(start, start + 2400)
        likeness = (torch.polar(source[here], -eighth[here]).mean()).abs() * 2  # whatever the phase between them
        assert likeness > 0.95


def test_griffin_lim_sounds_like_the_mel():
    audio = torch.sin(2 * torch.pi * 300 * torch.arange(24000) / 24000) * torch.linspace(0, 0.5, 24000)
    mel = mel24k(audio)
    again = mel24k(griffin_lim(mel))
    assert again.shape == mel.shape
    assert (again - mel)[10:-10][mel[10:-10] > -4].abs().mean() < 0.3


# imports and validation


def write(path, rate=16000, seconds=1.0, channels=1, subtype="PCM_16", silent=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(int(rate * seconds)) / rate
    audio = np.zeros_like(t) if silent else 0.3 * np.sin(2 * np.pi * 220 * t)
    soundfile.write(path, np.stack([audio] * channels, 1), rate, subtype=subtype)


def test_sounds_with_texts_beside_them(tmp_path):
    folder = tmp_path / "source"
    cases = {
        "a/one.wav": ("Hello there.", {}), "a/two words.wav": ("With {NICKNAME} in it.", {}), "声音/三.wav": ("你好。", dict(rate=48000)), "b/stereo.wav": ("Two sides.", dict(channels=2)),
        "b/eight.wav": ("Eight bits.", dict(subtype="PCM_U8")), "b/deep.wav": ("Deep bits.", dict(subtype="PCM_24")), "b/float.wav": ("Floats.", dict(subtype="FLOAT")),
        "b/empty.wav": ("  ", {}), "b/long.wav": ("Too long.", dict(seconds=31.0)), "b/blip.wav": ("Blip.", dict(seconds=0.1)), "b/tag.wav": ("A <b>tag</b>.", {}),
        "b/hash.wav": ("#comment", {}), "b/breath.wav": ("Well <|breath|> yes.", {}), "b/low.wav": ("Low rate.", dict(rate=8000)), "b/quiet.wav": ("Nothing.", dict(silent=True)),
    }  # fmt: skip
    for name, (text, options) in cases.items():
        write(folder / name, **options)
        (folder / name).with_suffix(".lab").write_text(text, encoding="utf8")
    write(folder / "b/orphan.wav")
    (folder / "b/broken.wav").write_bytes(b"RIFF")
    (folder / "b/broken.lab").write_text("Broken.")
    stage = import_corpus(Run(tmp_path / "run"), ImportSettings(str(folder)))
    dropped = {row["id"]: row["drop"] for row in read_manifest(stage.folder / "dropped.jsonl")}
    assert dropped == {
        "a_two words": "variable in the text", "b_empty": "no words", "b_long": "longer than 30 s", "b_blip": "shorter than 0.2 s", "b_tag": "markup in the text",
        "b_hash": "text starts with #", "b_orphan": "no words", "b_broken": "file cannot be read",
    }  # fmt: skip
    kept = {row["id"]: row for row in read_manifest(stage.folder / "manifest.jsonl")}
    assert kept["声音_三"]["speaker"] == "声音" and kept["声音_三"]["rate"] == 48000
    assert len(read_audio(tmp_path / kept["声音_三"]["wav"])) == 24000
    report = validate(stage.folder, list(kept.values()))
    assert report.problems["several channels, mixed down"] == ["b_stereo"]
    assert report.problems["sample rate below 16 kHz"] == ["b_low"]
    assert report.problems["! silent"] == ["b_quiet"] and report.fatal


def test_a_kaldi_folder(tmp_path):
    folder = tmp_path / "kaldi"
    write(folder / "wavs/with blank.wav")
    write(folder / "wavs/two.wav")
    (folder / "wav.scp").write_text(f"u1 wavs/with blank.wav\nu2 {folder / 'wavs/two.wav'}\n")
    (folder / "text").write_text("u1 Hello  there.\nu2 Good bye.\n")
    (folder / "utt2spk").write_text("u1 anna\nu2 ben\n")
    stage = import_corpus(Run(tmp_path / "run"), ImportSettings(str(folder)))
    rows = read_manifest(stage.folder / "manifest.jsonl")
    assert [(r["id"], r["text"], r["speaker"]) for r in rows] == [("u1", "Hello  there.", "anna"), ("u2", "Good bye.", "ben")]
    features = make_features(Run(tmp_path / "run"), processes=1)
    data = Dataset(features.folder, ["f0", "phonemes"])
    assert (data[0]["f0"][5:-5] - 220).abs().max() < 3
    assert len(data[0]["phonemes"]) == len("hellothere")
    (folder / "wav.scp").write_text("u1 sox in.mp3 -t wav - |\n")
    with pytest.raises(ValueError, match="command"):
        import_corpus(Run(tmp_path / "other"), ImportSettings(str(folder)))


@pytest.mark.parametrize("seed", range(4))
def test_equal_texts_share_a_split(seed):
    rng = random.Random(seed)
    texts = [rng.choice(["Yes.", "yes", "No!", "Maybe", "Perhaps.", "perhaps"]) + rng.choice(["", " one", " two", " three"]) for _ in range(200)]
    made = splits(texts, 0.2, 0.2, seed)
    of = {}
    for text, split in zip(texts, made, strict=True):
        assert of.setdefault(normal(text), split) == split
    assert set(made) == {"train", "valid", "test"}
    assert made == splits(texts, 0.2, 0.2, seed)


def test_the_validator_names_leaks_and_misfits(tmp_path):
    row = lambda name, **more: {"id": name, "split": "train", "text": "A long enough text.", "speaker": "x", "wav": f"{name}.wav", "rate": 24000, "channels": 1, "seconds": 1.5} | more
    rows = [row("a"), row("b", split="test", text="a LONG enough text"), row("c", text="Something else said.", seconds=20.0), row("c", text="Quite other words.")]
    report = validate(tmp_path, rows, listen=False)
    assert report.problems["! same text in two splits"] == ["a", "b"]
    assert report.problems["! id used twice"] == ["c", "c"]
    assert report.problems["text and sound do not fit (characters a second)"] == ["c"]
    assert json.loads(report.text())["splits"] == {"train": 3, "test": 1}
    assert validate(tmp_path, rows[:1]).problems == {"! file is missing": ["a"]}
    assert reason_to_drop(row("d", text="Fine.")) is None


def test_unpredictable_sentences_hold_the_words_that_were_not_heard(database):
    (database / "verb.exc").write_text("ran run\nhas have\n")
    found = wordnet.synsets(database)
    assert with_s("box") == "boxes" and with_s("city") == "cities" and with_ed("bake") == "baked" and with_ed("try") == "tried"
    assert with_ing("make") == "making" and with_ing("see") == "seeing"
    slots = vocabulary(found, wordnet.frequencies(database), database, least=1)
    assert {"hill", "river", "lamp"} <= set(dict(slots["n"])) and {"hills", "rivers"} <= set(dict(slots["p"]))
    assert "walked" in dict(slots["d"])
    made = unpredictable(found, ["hill " * 10], wordnet.frequencies(database), database, 40, 0, least=1)
    assert made == unpredictable(found, ["hill " * 10], wordnet.frequencies(database), database, 40, 0, least=1)
    assert all(text[0].isupper() and text[-1] in ".?" and "{" not in text for text in made)
    assert len(made) == 40 and not any("hill" in wordnet.words(text) for text in made[:3])  # until all were heard enough
    assert unpredictable(found, [], wordnet.frequencies(database), database, 40, 0, least=99) == []
