from pathlib import Path

import torch
from cosyvoice_torch.bundle import read_bundle
from cosyvoice_torch.checkpoint import Model
from cosyvoice_torch.encoder import chunk_mask
from cosyvoice_torch.stream import hops


def test_the_schedule():
    assert hops(87, 200, 3) == [(0, 38), (38, 50), (88, 100)]
    assert hops(0, 60, 3) == [(0, 25)]
    assert hops(0, 27, 3) == []
    assert hops(22, 31, 3) == [(0, 28)]


def test_four_masks_are_one_parameter():
    assert chunk_mask(4, 4).all() and chunk_mask(4, 9).all()
    assert chunk_mask(4, 1).equal(torch.ones(4, 4).tril().bool())
    assert chunk_mask(4, 2).int().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]


def test_finished_frames_do_not_change_when_tokens_follow(bundle: Path):
    model, case = Model(bundle / "model"), read_bundle(bundle)[0]["flow"]["stream_final"]
    token = torch.cat([case["token"]] * 3)[:60]
    given = (case["prompt_token"], case["prompt_feat"], case["embedding"])
    short, long = (model.flow(token[:n], *given, streaming=True, finalize=False).mel for n in (28, 53))
    assert torch.allclose(short, long[:, : short.shape[1]], atol=1e-4)


def test_the_initial_phase_and_the_noise_switch(bundle: Path):
    model, case = Model(bundle / "model"), read_bundle(bundle)[0]["source"]["4"]
    silent = model.vocoder.m_source(case["f0"], None)
    assert silent.equal(model.vocoder.m_source(case["f0"], torch.zeros_like(case["noise"])))
    assert not silent.equal(model.vocoder.m_source(case["f0"], case["noise"]))
