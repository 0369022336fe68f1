"""The vocoder's objective, at toy size."""

import pytest
import torch

from cosyvoice_torch.config import VocoderConfig
from cosyvoice_torch.features import mel24k
from cosyvoice_torch.training.discriminators import Discriminators, discriminator_loss, generator_loss, truncated
from cosyvoice_torch.training.stft_loss import SpectralLoss
from cosyvoice_torch.training.vocoder import BEFORE, VocoderObjective, VocoderSettings
from cosyvoice_torch.vocoder import Hift, Snake

TOY = VocoderSettings(base=16, f0_width=16, crop=20, pitch_lead=2, adversarial_from=3, judged=2, period_width=1, spectrum_width=2)


def item(frames, hertz):
    t = torch.arange(frames * 480) / 24000
    audio = sum(0.2 / k * torch.sin(2 * torch.pi * k * hertz * t) for k in (1, 2, 3))
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


def test_the_source_follows_the_teacher_at_first_and_its_own_pitch_when_it_speaks():
    o = VocoderObjective(TOY).train()
    batch, heard = batch_of(o), []
    o.generator.m_source.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    for update in (1, 2):
        o.speak(batch, torch.Generator(), update)
    o.eval().speak(batch, torch.Generator(), 1)
    assert torch.equal(heard[0], batch["f0"]) and torch.equal(heard[1], heard[2]) and not torch.equal(heard[1], batch["f0"])


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
