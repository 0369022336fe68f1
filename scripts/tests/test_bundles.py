from pathlib import Path

import pytest
import torch
from cosyvoice_torch.bundle import read_bundle
from cosyvoice_torch.cases import HEARING, SHORT, record, text_cases
from cosyvoice_torch.checkpoint import Model
from cosyvoice_torch.verify import verify

from conftest import BUNDLES


def test_every_tensor_and_text_comes_out_again(bundle: Path):
    rows = list(verify(bundle))
    assert [r for r in rows if r.verdict != "pass"] == []
    assert len(rows) > 80


def test_f16_weights_stay_within_their_limits(bundle: Path):
    assert [r for r in verify(bundle, stages={"lm", "flow", "vocoder", "whole"}, half=True) if r.verdict == "fail"] == []


def test_a_bundle_stays_small(bundle: Path):
    assert sum(f.stat().st_size for f in bundle.rglob("*") if f.is_file()) <= 3_000_000


def test_what_hears_comes_out_again():
    folder = BUNDLES / "c"
    rows = list(verify(folder))
    assert [r for r in rows if r.verdict != "pass"] == []
    assert {r.stage for r in rows} >= {"resample", "mel24k", "whisper_mel", "fbank", "speech_tokenizer", "speaker"}
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) <= 4_000_000
    model, (recorded, _) = Model(folder / "model"), read_bundle(folder)
    again = record(model, HEARING, ord("c"), {"speaker"})
    assert again["speaker"]["long"]["samples"].equal(recorded["speaker"]["long"]["samples"])
    assert model.speaker.xvector.count == 3
    assert len(set(recorded["speech_tokenizer"]["long"]["ids"].tolist())) > 10


def test_no_size_is_shared():
    a, b = (Model(BUNDLES / name / "model").config for name in "ab")
    for x, y in ((a.lm, b.lm), (a.flow, b.flow), (a.flow.estimator, b.flow.estimator), (a.vocoder, b.vocoder)):
        assert x != y
    assert (a.lm.heads, a.lm.kv_heads, a.lm.speech_codes, a.flow.up_blocks) == (3, 1, 729, 1)
    assert b.lm.heads == b.lm.kv_heads


def test_recording_again_gives_the_same_inputs(bundle: Path):
    model, (recorded, text) = Model(bundle / "model"), read_bundle(bundle)
    stages = {"lm", "flow_mask", "source"}
    again = record(model, SHORT, ord(bundle.name), stages)
    for stage in stages:
        assert again[stage].keys() == recorded[stage].keys()
        for case, tensors in again[stage].items():
            for name, value in tensors.items():
                assert torch.allclose(value.float(), recorded[stage][case][name].float(), atol=1e-4), (stage, case, name)
    assert text_cases(model) == text


def test_a_foreign_file_is_refused(tmp_path: Path):
    from safetensors.torch import save_file

    save_file({"lm/x/logprobs": torch.zeros(1)}, tmp_path / "reference.safetensors")
    with pytest.raises(ValueError, match="cosyvoice-parity-1"):
        read_bundle(tmp_path)
