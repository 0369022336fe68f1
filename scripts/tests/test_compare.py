"""The figures of a comparison on sounds whose difference is known."""

import math
from pathlib import Path

import pytest
import soundfile
import torch

from cosyvoice_torch.training.compare import aligned, compare, compare_files

RATE = 24000


def hum(seconds: float, hertz: float) -> torch.Tensor:
    """A voice-like sound: ten harmonics, that fade."""
    t = torch.arange(int(seconds * RATE)) / RATE
    return sum(torch.sin(2 * math.pi * hertz * k * t) / k for k in range(1, 11)) * 0.1


def test_a_sound_equals_itself():
    sound = torch.cat([hum(0.5, 180), torch.zeros(4800), hum(0.5, 140)])
    found = compare_files(sound, sound)
    assert found["pitch_rmse_semitones"] == 0 and found["voicing_error"] == 0 and found["mel_cepstral_distortion"] < 1e-3
    assert found["length_ratio"] == 1 and found["dc"] < 1e-3
    assert found["longest_pause"] == pytest.approx(0.2, abs=0.09)


def test_two_semitones_are_two_semitones():
    found = compare_files(hum(1, 200 * 2 ** (2 / 12)), hum(1, 200))
    assert found["pitch_rmse_semitones"] == pytest.approx(2, abs=0.05)
    assert found["mel_cepstral_distortion"] > 1


def test_time_is_warped_onto_the_other():
    frames = torch.tensor([[0.0], [1.0], [5.0], [2.0]])
    slow = frames.repeat_interleave(3, 0)
    i, j = aligned(slow, frames)
    assert torch.equal(slow[i], frames[j]) and i[0] == j[0] == 0 and (i[-1], j[-1]) == (11, 3)


def test_noise_is_not_voiced_like_a_hum(tmp_path: Path):
    rng = torch.Generator().manual_seed(0)
    for folder, sound in (("a", 0.1 * torch.randn(RATE, generator=rng) + 0.05), ("b", hum(1, 200))):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "00.wav", sound.numpy(), RATE)
    soundfile.write(tmp_path / "a" / "01.wav", hum(1, 200).numpy(), RATE)
    found = compare(tmp_path / "a", tmp_path / "b")
    assert found["files"] == 1 and found["voicing_error"] > 0.8
    assert found["dc"] == pytest.approx(0.05, abs=0.01)
    with pytest.raises(FileNotFoundError, match="no .wav"):
        compare(tmp_path, tmp_path / "b")
