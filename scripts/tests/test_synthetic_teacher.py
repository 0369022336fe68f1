import numpy as np
from cosyvoice_torch.training.hibari import F0_HOP, RATE
from cosyvoice_torch.training.synthetic_teacher import Teacher


def test_the_same_text_gives_the_same_samples_and_another_text_others():
    a, b, c = (Teacher().speak(text) for text in ("The sun rose.", "The sun rose.", "The sun sank."))
    assert np.array_equal(a.audio, b.audio)
    assert a.phonemes == "thesunrose" and c.phonemes == "thesunsank"
    assert not np.array_equal(a.audio[: len(c.audio)], c.audio[: len(a.audio)])


def test_pitch_stands_beside_the_samples():
    spoken = Teacher().speak("A small boat, far away.")
    assert len(spoken.audio) == len(spoken.f0) * F0_HOP
    assert spoken.audio.dtype == spoken.f0.dtype == np.float32
    assert 0.05 < np.abs(spoken.audio).max() < 1.0
    voiced = spoken.f0[spoken.f0 > 0]
    assert 0.3 < len(voiced) / len(spoken.f0) < 0.95 and voiced.min() > 140 and voiced.max() < 230


def test_a_vowel_has_the_pitch_it_says():
    spoken = Teacher().speak("aaaa")
    middle = len(spoken.f0) // 2
    piece = spoken.audio[(middle - 8) * F0_HOP : (middle + 8) * F0_HOP] * np.hanning(16 * F0_HOP)
    lags = np.fft.irfft(np.abs(np.fft.rfft(piece, 2 * len(piece))) ** 2)
    low, high = RATE // 300, RATE // 100
    assert abs(RATE / (low + lags[low:high].argmax()) - spoken.f0[middle]) < 8


def test_nothing_to_say_is_no_sound():
    assert len(Teacher().speak("?!").audio) == 0
