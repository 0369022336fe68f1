"""The flow's objective, at toy size."""

import pytest
import torch

from cosyvoice_torch.encoder import attention_mask, chunk_mask
from cosyvoice_torch.training.flow import FlowObjective, FlowSettings, draw, masked_mse, path

TOY = dict(input_width=16, width=16, heads=2, ffn=24, blocks=1, up_blocks=1, channels=16, estimator_heads=2, estimator_head_dim=8, mid_blocks=1)


def item(codes, seed):
    rng = torch.Generator().manual_seed(seed)
    mel = torch.randn(2 * codes + 1, 80, generator=rng) - 5
    return {"tokens": torch.randint(0, 27, (codes,), generator=rng), "mel": mel, "speaker": torch.randn(192, generator=rng)}


def objective(**settings):
    return FlowObjective(FlowSettings(**(TOY | settings)), 27)


def test_the_path_begins_in_noise_and_ends_in_mel():
    noise, mel = torch.randn(2, 7, 80), torch.randn(2, 7, 80)
    start, velocity = path(noise, mel, torch.zeros(2), 1e-6)
    end, _ = path(noise, mel, torch.ones(2), 1e-6)
    assert torch.equal(start, noise) and torch.allclose(end, mel, atol=1e-5)
    assert torch.allclose(start + velocity, end, atol=1e-4)
    half, same = path(noise, mel, torch.full((2,), 0.5), 1e-6)
    assert torch.allclose(half, (start + end) / 2, atol=1e-4) and torch.equal(same, velocity)


def test_draws_keep_their_rates_and_bounds():
    frames = torch.tensor([10, 40, 100, 1]).repeat(2000)
    settings = FlowSettings()
    drawn = draw(settings, frames, 1, 1, torch.Generator().manual_seed(0))
    assert abs(float(drawn.kept.float().mean()) - 0.8) < 0.02
    assert abs(float(drawn.t.mean()) - 0.5) < 0.02 and 0 <= float(drawn.t.min()) and float(drawn.t.max()) < 1
    assert bool((drawn.prompt <= (0.3 * frames).floor()).all())
    longest = drawn.prompt[frames == 10]
    # half of the time none, else 0 .. 3 equally likely
    assert [abs(float((longest == k).float().mean()) - p) < 0.03 for k, p in enumerate((0.625, 0.125, 0.125, 0.125))] == [True] * 4
    assert int(drawn.prompt[frames == 1].max()) == 0
    coins = [draw(settings, frames[:2], 1, 1, torch.Generator().manual_seed(seed)).streaming for seed in range(600)]
    assert abs(sum(coins) / 600 - 0.5) < 0.07
    warped = draw(FlowSettings(schedule="cosine"), frames, 1, 1, torch.Generator().manual_seed(0)).t
    assert abs(float(warped.mean()) - 0.363) < 0.02 and abs(float((warped < 0.1).float().mean()) - 0.287) < 0.02
    with pytest.raises(ValueError, match="uniform, cosine"):
        FlowSettings(schedule="linear")


def test_an_utterance_before_comes_first_and_lends_its_vector():
    o = objective()
    before, one, other = item(5, 1), item(9, 2), item(20, 3)
    one["tokens"] = one["tokens"][:8]  # a code fewer than there is mel
    batch = o.collate([one | {"before": before}, other], torch.Generator(), True)
    assert batch["first"].tolist() == [10, 0] and batch["lengths"].tolist() == [13, 20]
    assert batch["tokens"][0, :13].equal(torch.cat([before["tokens"], one["tokens"]])) and not batch["tokens"][0, 13:].any()
    assert batch["mel"][0, :26].equal(torch.cat([before["mel"][:10], one["mel"][:16]])) and not batch["mel"][0, 26:].any()
    assert batch["speaker"].equal(torch.stack([before["speaker"], other["speaker"]]))
    loss, _ = o.train().loss(batch, torch.Generator().manual_seed(0), "main", 1)
    assert bool(torch.isfinite(loss))


def test_what_comes_before_is_the_prompt_where_there_is_one():
    frames, first = torch.tensor([100, 100]).repeat(500), torch.tensor([60, 0]).repeat(500)
    made = lambda share: draw(FlowSettings(prompt=share), frames, 1, 1, torch.Generator().manual_seed(0), first).prompt.unflatten(0, (500, 2))
    assert (made(1.0)[:, 0] == 60).all() and made(1.0)[:, 1].max() <= 30 and len(made(1.0)[:, 1].unique()) > 20
    assert not made(0.0).any()
    assert set(made(0.5)[:, 0].tolist()) == {0, 60} and abs(float((made(0.5)[:, 0] > 0).float().mean()) - 0.5) < 0.1


@pytest.mark.parametrize(("frames", "chunk"), [(1, 1), (7, 3), (50, 25), (9, 50)])
def test_chunk_mask_against_brute_force(frames, chunk):
    mask = chunk_mask(frames, chunk)
    for i in range(frames):
        for j in range(frames):
            assert bool(mask[i, j]) == (j < (i // chunk + 1) * chunk)
    padded = attention_mask(frames, chunk, torch.tensor([frames, 1]), mask.device)
    assert padded[0, 0].equal(mask) and padded[1, 0, :, 0].all() and not padded[1, 0, :, 1:].any()


def test_masked_mse_does_not_see_padding():
    a, b, mask = torch.randn(2, 5, 3), torch.randn(2, 5, 3), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()
    wanted = (torch.cat([a[0], a[1, :2]]) - torch.cat([b[0], b[1, :2]])).square().mean()
    assert torch.allclose(masked_mse(a, b, mask), wanted)
    a[1, 2:] = 1e3
    assert torch.allclose(masked_mse(a, b, mask), wanted)


@pytest.mark.parametrize("streaming", [False, True])
def test_padding_changes_nothing(streaming):
    o = objective().eval()
    items = [item(codes, codes) for codes in (1, 40, 66)]
    batch = o.collate(items, torch.Generator(), False)
    assert batch["mel"].shape == (3, 132, 80) and batch["lengths"].tolist() == [1, 40, 66]
    drawn = draw(o.settings, 2 * batch["lengths"], 132, 80, torch.Generator().manual_seed(5))
    drawn.streaming, drawn.kept, drawn.prompt = streaming, torch.tensor([True, True, False]), torch.tensor([0, 20, 9])
    whole = o.distance(batch, drawn)
    sums = []
    for i, n in enumerate(batch["lengths"].tolist()):
        alone = o.collate(items[i : i + 1], torch.Generator(), False)
        part = draw(o.settings, 2 * alone["lengths"], 2 * n, 80, torch.Generator())
        part.t, part.noise, part.kept, part.prompt, part.streaming = drawn.t[i : i + 1], drawn.noise[i : i + 1, : 2 * n], drawn.kept[i : i + 1], drawn.prompt[i : i + 1], streaming
        sums.append(o.distance(alone, part) * n)
        ids = items[i]["tokens"]
        mu = o.flow.encode(batch["tokens"], streaming, True, batch["lengths"])[i, : 2 * n]
        assert torch.allclose(mu, o.flow.encode(ids, streaming, True), atol=1e-4)
    assert torch.allclose(whole, sum(sums) / 107, rtol=1e-4)


def test_dropped_conditions_are_all_zero():
    o = objective().eval()
    seen = []
    o.flow.decoder.estimator.register_forward_pre_hook(lambda _, given: seen.append(given))
    batch = o.collate([item(12, 1), item(12, 2)], torch.Generator(), False)
    drawn = draw(o.settings, 2 * batch["lengths"], 24, 80, torch.Generator())
    drawn.kept, drawn.prompt = torch.tensor([False, True]), torch.tensor([5, 5])
    o.distance(batch, drawn)
    _, mu, _, spks, cond, _, _ = seen[0]
    for condition in (mu, spks, cond):
        assert not condition[0].any() and condition[1].any()
    assert torch.equal(cond[1, :, :5], batch["mel"][1, :5].T) and not cond[1, :, 5:].any()


def test_a_toy_learns_one_utterance_by_heart():
    o = objective(drop=0.0, channels=32, mel_bins=2).train()  # few bins: the noise of each must be found again
    one = item(6, 3)
    one["mel"] = -5 + 2 * torch.sin(torch.arange(13)[:, None] / 3 + torch.arange(2))
    batch = o.collate([one] * 16, torch.Generator(), True)
    optimizer = torch.optim.AdamW(o.parameters(), 5e-3)
    losses = []
    with torch.enable_grad():
        for update in range(250):
            loss, numbers = o.loss(batch, torch.Generator().manual_seed(update), "main", update)
            losses.append(numbers["loss"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert sum(losses[-20:]) / 20 < 0.15 * losses[0]
