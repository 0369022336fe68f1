"""The vocoder's objective, at toy size."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from cosyvoice_torch.config import VocoderConfig
from cosyvoice_torch.features import mel24k
from cosyvoice_torch.training.discriminators import Discriminators, discriminator_loss, generator_loss, truncated
from cosyvoice_torch.training.lead import led_sines
from cosyvoice_torch.training.run import Run, Stage
from cosyvoice_torch.training.shards import write_shard
from cosyvoice_torch.training.stft_loss import LowWave, SpectralLoss
from cosyvoice_torch.training.train import train
from cosyvoice_torch.training.trainer import GROWS, Trainer
from cosyvoice_torch.training.vocoder import BEFORE, VocoderObjective, VocoderSettings, build
from cosyvoice_torch.vocoder import Hift, Snake

TOY = VocoderSettings(base=16, f0_width=16, crop=20, lead=2, others=1, adversarial_from=3, judged=2, period_width=1, spectrum_width=2)


def item(frames, hertz, phase=0.0):
    t = torch.arange(frames * 480) / 24000
    audio = sum(0.2 / k * torch.sin(k * (2 * torch.pi * hertz * t + phase)) for k in (1, 2, 3))
    return {"mel": mel24k(audio), "audio": audio, "f0": torch.full((frames,), hertz)}


def batch_of(o, count=3):
    return o.collate([item(24 + i, 120.0 + 40 * i) for i in range(count)], torch.Generator().manual_seed(1), True)


def test_a_batch_is_its_rows():
    torch.manual_seed(0)
    hift = Hift(VocoderConfig(16, 8)).eval()
    mel, noise = torch.randn(3, 11, 80) - 3, torch.randn(3, 11 * 480, 9)
    f0 = hift.f0(mel) * 500
    source = hift.m_source(f0, noise)
    samples = hift.decode(mel, source)
    assert f0.shape == (3, 11) and source.shape == samples.shape == (3, 11 * 480)
    for i in range(3):
        assert torch.allclose(hift.f0(mel[i]) * 500, f0[i], rtol=1e-4, atol=1e-3)
        assert torch.allclose(hift.m_source(f0[i], noise[i]), source[i], atol=1e-4)
        assert torch.allclose(hift.decode(mel[i], source[i]), samples[i], atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3, 9), (3, 9)])
def test_snake_and_its_derivatives(shape):
    snake, x = Snake(3).double(), torch.randn(shape, dtype=torch.double)
    snake.alpha.data.uniform_(0.3, 2)
    a = snake.alpha[:, None]
    assert torch.allclose(snake(x), x + torch.sin(a * x) ** 2 / a)
    with torch.enable_grad():
        assert torch.autograd.gradcheck(snake, (x.requires_grad_(),))
        assert torch.autograd.gradcheck(lambda alpha: torch.func.functional_call(snake, {"alpha": alpha}, (x,)), (snake.alpha,))


def test_crops_are_aligned_and_short_utterances_left_out():
    o = VocoderObjective(TOY)
    assert o.length({"frames": 19}) == 0 and o.length({"frames": 20}) == o.length({"frames": 99}) == 20
    one = {"mel": torch.arange(30.0)[:, None].expand(30, 80), "f0": torch.arange(30.0), "audio": torch.arange(30).repeat_interleave(480).float()}
    made = o.collate([one] * 8, torch.Generator().manual_seed(0), True)
    assert made["mel"].shape == (8, 20, 80) and made["audio"].shape == (8, 9600)
    assert torch.equal(made["mel"][..., 0], made["f0"]) and torch.equal(made["audio"][:, ::480], made["f0"])
    assert len(set(made["f0"][:, 0].tolist())) > 2


def test_spectral_distance_is_zero_for_the_same_sound_and_blind_to_sign():
    loss, x = SpectralLoss(), torch.randn(2, 9600)
    assert [float(v) for v in loss(x, x)] == [0, 0]
    assert max(float(v) for v in loss(-x, x)) < 1e-3
    louder = loss(2 * x, x)
    assert torch.allclose(louder[1], torch.tensor(2.0).log(), atol=1e-3) and torch.allclose(louder[0], 1 + torch.tensor(2.0).log(), atol=1e-3)


def test_a_discriminator_learns_what_is_real():
    torch.manual_seed(0)
    d, real, fake = Discriminators(2, 2), torch.randn(2, 4801), 0.1 * torch.randn(2, 4801)
    optimizer = torch.optim.Adam(d.parameters(), 2e-3)
    with torch.enable_grad():
        for step in range(20):
            loss = discriminator_loss(d(real), d(fake))
            first = float(loss.detach()) if step == 0 else first
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert float(loss.detach()) < 0.7 * first
    assert float(generator_loss(d(real), d(fake))[0]) > float(generator_loss(d(real), d(real))[0])
    assert float(generator_loss(d(real), d(real))[1]) == 0


def test_only_pairs_out_of_order_count_and_at_most_tau():
    real, fake = torch.tensor([[3.0, 2.0, 2.0]]), torch.tensor([[0.0, 0.0, 0.1]])
    assert torch.allclose(truncated(real, fake), torch.tensor(0.01), atol=1e-6)  # gaps 3, 2, 1.9: one lies 0.1 below the median
    assert float(truncated(10 * real, 10 * fake)) == pytest.approx(0.04)
    assert float(truncated(torch.ones(1, 3), torch.zeros(1, 3))) == 0


def test_turns_before_and_after_the_discriminators_begin():
    o = VocoderObjective(TOY).train()
    batch = batch_of(o)
    with torch.enable_grad():
        loss, numbers = o.loss(batch, torch.Generator(), "discriminator", 2)
        assert not loss.requires_grad and not numbers and "made" not in batch
        loss, numbers = o.loss(batch, torch.Generator(), "generator", 2)
        assert loss.requires_grad and "adversarial" not in numbers
        loss, _ = o.loss(batch, torch.Generator(), "discriminator", 3)
        loss.backward()
        assert all(p.grad is not None for p in o.discriminators.parameters())
        assert all(p.grad is None for p in o.generator.parameters())
        o.zero_grad(set_to_none=True)
        loss, numbers = o.loss(batch, torch.Generator(), "generator", 3)
        loss.backward()
        assert numbers["matching"] > 0 and "made" not in batch
        assert all(p.grad is None for p in o.discriminators.parameters())
        assert all(p.grad is not None for p in o.generator.parameters())
    o.eval()
    before, after = (o.loss(batch, torch.Generator().manual_seed(0), "generator", update)[1]["rank"] for update in (2, 3))
    assert before - after == pytest.approx(BEFORE, rel=1e-3)


def test_the_recording_leads_the_source_at_first_and_then_the_predicted_pitch():
    o = VocoderObjective(TOY).train()
    batch, heard = batch_of(o), []
    o.generator.m_source.register_forward_pre_hook(lambda _, given: heard.append(given))
    for update in (1, 2):
        o.speak(batch, torch.Generator(), update)
    (led, _, sines), (alone, _) = heard
    assert torch.equal(led, batch["f0"]) and sines.shape == (*batch["audio"].shape, 9)
    assert torch.equal(alone, o.generator.f0(batch["mel"]))
    numbers = [o.loss(batch, torch.Generator(), "generator", update)[1] for update in (1, 2)]
    assert "wave" in numbers[0] and "wave" not in numbers[1]
    scores = [o.eval().loss(batch, torch.Generator().manual_seed(0), "generator", update)[1]["rank"] for update in (1, 2)]
    assert scores[0] == scores[1]  # a validation goes on as it began


@pytest.mark.parametrize("wrong", [0.0, 3.0])
@pytest.mark.parametrize("phase", [0.0, 2.0])
def test_a_led_source_lies_where_the_recording_does_even_if_its_pitch_is_a_little_wrong(phase, wrong):
    sound = item(32, 180.0, phase)
    f0 = sound["f0"] + wrong
    f0[:6] = f0[20:23] = 0
    sines = led_sines(VocoderConfig(16, 16), f0[None], sound["audio"][None])[0]
    t = torch.arange(32 * 480) / 24000
    for k in (1, 2, 9):
        expected = 0.1 * torch.sin(k * (2 * torch.pi * 180 * t + phase - torch.pi / 2))
        assert (sines[:, k - 1] - expected)[1200:-1200].abs().max() < 0.012 * k / 2 + 0.002
    assert sines.abs().max() <= 0.1 + 1e-6


def test_a_led_source_without_a_pitch_is_finite():
    sines = led_sines(VocoderConfig(16, 16), torch.zeros(2, 20), torch.zeros(2, 9600))
    assert sines.shape == (2, 9600, 9) and sines.isfinite().all()


def test_the_wave_distance_sees_phases_and_the_lowest_harmonics_alone():
    wave, t = LowWave(), torch.arange(9600) / 24000
    tone = lambda hertz, phase=0.0: torch.sin(2 * torch.pi * hertz * t + phase)[None]
    x = tone(200)
    assert float(wave(x, x)) < 1e-4
    assert float(wave(-x, x)) == pytest.approx(2, rel=1e-3)
    assert float(wave(tone(200, torch.pi / 2), x)) == pytest.approx(2**0.5, rel=0.02)
    assert float(wave(x + tone(3000), x)) < 0.05 and float(wave(x + tone(1200), x)) == pytest.approx(1, rel=0.05)


def test_others_teach_the_pitch_alone():
    class Data(list):
        meta = staticmethod(lambda i: i)

        def item(self, i, fields):
            return {name: self[i][name] for name in fields}

    o = VocoderObjective(TOY)
    data = Data(item(24 + i, 120.0 + i) for i in range(6))
    items = o.gather(data, [2, 4], torch.Generator().manual_seed(0), True)
    batch = o.collate(items, torch.Generator().manual_seed(1), True)
    assert len(batch["mel"]) == len(batch["audio"]) == 2 and len(batch["whole_f0"]) == 3
    assert batch["whole_f0"].shape == batch["whole_mel"].shape[:2]
    assert len(o.gather(data, [2, 4], torch.Generator(), False)) == 2
    off = [(o.generator.f0(one["mel"]) - one["f0"]).abs()[:-5] for one in items]  # as if alone, but for the last frames
    numbers = o.pitch(batch)
    assert torch.allclose(numbers["f0"], torch.cat(off).mean()) and numbers["f0"] == numbers["voiced_f0"]
    assert float(numbers["voicing"]) == 0


def test_a_validation_says_how_much_the_source_does():
    o = VocoderObjective(TOY).eval()
    said = lambda: float(o.loss(batch_of(o), torch.Generator().manual_seed(0), "generator", 0)[1]["source"])
    assert said() > 1e-3
    with torch.no_grad():
        for down in o.generator.source_downs:
            down.weight.zero_()
    assert said() == 0


def test_loss_falls_on_one_clip():
    o = VocoderObjective(TOY).train()
    batch = batch_of(o)
    optimizer = torch.optim.AdamW(o.generator.parameters(), 3e-3, betas=(0.8, 0.99))
    with torch.enable_grad():
        for update in range(40):
            loss, numbers = o.loss(batch, torch.Generator().manual_seed(update), "generator", 0)
            first = numbers if update == 0 else first
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert numbers["mel"] < 0.6 * first["mel"] and numbers["spectral"] < 0.8 * first["spectral"] and numbers["f0"] < 0.5 * first["f0"]


def tiny_run(folder: Path) -> Run:
    run = Run(folder)
    stage = Stage(run, "features", {})
    stage.begin()
    items = {f"u{i}": item(21 + i, 110.0 + 12 * i) for i in range(8)}
    for field, kind in (("mel", torch.half), ("audio", torch.half), ("f0", torch.float)):
        write_shard(stage.folder, field, {name: one[field].to(kind) for name, one in items.items()})
    row = lambda name, one: {"id": name, "split": "valid" if name in ("u3", "u6") else "train", "speaker": "x", "text": "", "frames": len(one["mel"])}
    (stage.folder / "index.jsonl").write_text("".join(json.dumps(row(*pair)) + "\n" for pair in items.items()))
    stage.finish({})
    return run


def recipe_of(updates: int = 6) -> dict:
    numbers = {"updates": updates, "batch": 60, "validate_every": 3, "warmup": 1, "log_every": 2, "ema": 0.9}
    sizes = {"base": 16, "f0_width": 16, "crop": 20, "period_width": 1, "spectrum_width": 2}
    return {"vocoder": sizes | {"lead": 3, "others": 2, "adversarial_from": 2, "judged": 1, "train": numbers}}


@pytest.mark.parametrize("loaders", [0, 2])
def test_an_interrupted_training_is_the_uninterrupted_one_to_the_bit(tmp_path: Path, loaders: int):
    def trainer(name: str, loaders: int = 0) -> Trainer:
        made = build(tiny_run(tmp_path / name) if not (tmp_path / name).exists() else Run(tmp_path / name), recipe_of())
        stage = Stage(Run(tmp_path / name), "vocoder", {**made.objective.state(), **asdict(made.settings)}, made.inputs, grows=GROWS)
        stage.begin()
        return Trainer(stage, made.objective, made.dataset, replace(made.settings, loaders=loaders))

    whole = trainer("whole")
    assert whole.fit() == "done"
    for until in (1, 3, 4):  # before the discriminators begin, where the lead ends, after it
        assert trainer("parts", loaders).fit(until=until) == "stopped"
    parts = trainer("parts", loaders)
    assert parts.fit() == "done"
    expected = whole.objective.state_dict()
    assert all(value.equal(expected[name]) for name, value in parts.objective.state_dict().items())


def test_a_run_from_before_the_lead_can_be_gone_on_with(tmp_path: Path):
    run, path = tiny_run(tmp_path), tmp_path / "vocoder" / "stage.json"
    with torch.enable_grad():
        assert train(run, recipe_of(2), "vocoder") == "done"
        record = json.loads(path.read_text())
        for name in ("lead", "others", "wave_weight"):
            del record["config"][name]
            record["grows"].remove(name)
        record["config"]["pitch_lead"] = 2000
        record["grows"].append("pitch_lead")
        path.write_text(json.dumps(record))
        assert train(run, recipe_of(3), "vocoder") == "done"
    assert json.loads(path.read_text())["counts"]["updates"] == 3
