"""Several speakers in one corpus; those who keep another's time; programs that speak."""

import json
import random
import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from cosyvoice_torch.training.corpus import CorpusSettings, make_corpus, read_manifest
from cosyvoice_torch.training.data import Dataset, speaker_vector
from cosyvoice_torch.training.features import make_features
from cosyvoice_torch.training.hibari import warped
from cosyvoice_torch.training.run import Run
from cosyvoice_torch.training.teachers import dealt, shares, teacher


def test_shares_are_dealt_by_id_alone():
    ends = shares("slt:3\nrms awb:0.5")
    assert [name for name, _ in ends] == ["slt", "rms", "awb"] and ends[-1][1] == 1.0
    ids = [f"{random.Random(n).getrandbits(48):012x}" for n in range(3000)]
    count = Counter(dealt("slt:3 rms awb:0.5", i) for i in ids)
    assert abs(count["slt"] / 3000 - 3 / 4.5) < 0.05 and abs(count["awb"] / 3000 - 0.5 / 4.5) < 0.03
    assert dealt("hibari", ids[0]) == "hibari"
    for wrong in ("", "slt:0"):
        with pytest.raises(ValueError, match="names no one"):
            shares(wrong)


def test_names():
    assert teacher("synthetic-80-120").name == "synthetic-80-120" and teacher("synthetic").name == "synthetic"
    with pytest.raises(ValueError, match="nobody: must be one of hibari, synthetic, slt"):
        teacher("nobody")
    vectors = torch.stack([speaker_vector(name) for name in ("hibari", "slt", "hibari-55-85", "hibari-60-85")])
    assert (vectors @ vectors.T - torch.eye(4)).abs().max() < 0.35


def test_a_rescaled_speaker_says_the_same_at_the_same_time():
    plain, deep = (teacher(name).speak("A small boat, far away.") for name in ("synthetic", "synthetic-60-85"))
    assert np.array_equal(deep.timed_by, plain.audio) and plain.timed_by is None
    assert len(deep.audio) == len(plain.audio) and not np.array_equal(deep.audio, plain.audio)
    assert deep.phonemes == plain.phonemes and np.allclose(deep.f0, 0.6 * plain.f0)


def test_a_warped_spectrum_moves_down_and_keeps_its_edge():
    peak = np.zeros((601, 4), np.float32)
    peak[300] = 1
    parts = [peak.copy() for _ in range(5)] + [np.full(4, 200, np.float32)]
    *spectra, f0 = warped(parts, 0.5, 0.8)
    assert all(s.shape == (601, 4) for s in spectra) and f0.tolist() == [100.0] * 4
    assert spectra[0][:, 0].argmax() == 240
    assert warped([np.arange(601.0)[:, None]] * 5 + [f0], 1, 0.5)[0][-1] == 600


def test_a_corpus_of_several_speakers(tmp_path):
    rng = random.Random(0)
    lines = [" ".join("".join(rng.choice("aeioubdgklmnrst") for _ in range(4)) for _ in range(3)) for _ in range(24)]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    one, several = Run(tmp_path / "one"), Run(tmp_path / "several")
    settings = dict(sentences=str(tmp_path / "lines.txt"), valid=4, test=3)
    make_corpus(one, CorpusSettings(teacher="synthetic", **settings), None, processes=1)
    make_corpus(several, CorpusSettings(teacher="synthetic synthetic-60-85 synthetic-140-115", **settings), None, processes=1)
    first = {row["id"]: row for row in read_manifest(one.path("corpus", "manifest.jsonl"))}
    rows = read_manifest(several.path("corpus", "manifest.jsonl"))
    assert len({row["speaker"] for row in rows}) == 3
    assert all(row["seconds"] == first[row["id"]]["seconds"] for row in rows)
    assert any(row["sha256"] != first[row["id"]]["sha256"] for row in rows)
    make_features(several, processes=1)
    data = Dataset(several.path("features"), ["audio"])
    assert {meta["speaker"] for meta in data.all} == {row["speaker"] for row in rows}
    assert json.loads(several.path("corpus", "stage.json").read_text())["counts"]["utterances"] == 24


@pytest.mark.skipif(not (shutil.which("festival") and shutil.which("flite")), reason="festival or flite is not installed")
def test_programs_speak_at_24_khz(monkeypatch):
    from cosyvoice_torch.training import programs

    monkeypatch.setattr(programs._Program, "phonemes", lambda self, text: text.replace(" ", ""))
    for name in ("slt", "rms"):
        try:
            voice = teacher(name)
        except RuntimeError as error:
            pytest.skip(str(error))
        spoken = voice.speak('The "sun" rose.')
        again = voice.speak("The sun rose.")
        assert 0.6 < len(again.audio) / 24000 < 3 and 0.05 < np.abs(spoken.audio).max() <= 1
        assert np.array_equal(again.audio, voice.speak("The sun rose.").audio) and again.f0 is None
