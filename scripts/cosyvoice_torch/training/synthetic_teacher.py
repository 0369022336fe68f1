"""
A teacher made of sines and noise, for tests and for the toy: letters become sounds with formants of their own. It needs no package
and no weights; what it says is not English, but it is different for different texts and the same for the same one.
"""

import hashlib

import numpy as np

from .hibari import F0_HOP, RATE, Spoken

HARMONICS, BANDWIDTH, FADE = 30, 90.0, 0.008
VOWELS = {"a": (730, 1200, 2450), "e": (530, 1840, 2480), "i": (300, 2250, 3000), "o": (500, 900, 2400), "u": (330, 870, 2250)}
"""Hz of three formants."""
VOICED = {"y": "i", "w": "u", "l": "o", "r": "e", "m": "u", "n": "e", "b": "u", "d": "e", "g": "o", "v": "u", "z": "i", "j": "i"}
"""Consonants that sound like a soft vowel."""
HISS = {"s": 1.0, "z": 0.5, "f": 0.5, "v": 0.3, "h": 0.3, "x": 0.8, "c": 0.6, "t": 0.6, "k": 0.5, "p": 0.4, "j": 0.4, "q": 0.5}
"""Loudness of the noise."""
SECONDS = {"vowel": 0.11, "consonant": 0.06, " ": 0.03, ",": 0.12}


class Teacher:
    """Speaks one sentence at a time, the same samples every time."""

    rate = RATE

    def __init__(self, pitch: float = 1.0, axis: float = 1.0):
        """Factors of the pitch and of the formants; 1 and 1 is the voice that the others keep time with."""
        self.pitch, self.axis = pitch, axis
        self.name = "synthetic" if pitch == axis == 1 else f"synthetic-{round(100 * pitch)}-{round(100 * axis)}"

    def phonemes(self, text: str) -> str:
        """What `speak` would say, without saying it."""
        return "".join(c for c in text.lower() if c in VOWELS or c in VOICED or c in HISS)

    def speak(self, text: str) -> Spoken:
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))
        letters = [c for c in text.lower() if c in VOWELS or c in VOICED or c in HISS or c in " ,"]
        phonemes = self.phonemes(text)
        if not phonemes:
            return Spoken(np.zeros(0, np.float32), np.zeros(0, np.float32), "")
        frames = [max(2, round(_seconds(c) * rng.uniform(0.85, 1.15) * RATE / F0_HOP)) for c in letters]
        pitch = self.pitch * (np.linspace(210, 160, sum(frames)) + 12 * np.sin(np.arange(sum(frames)) / 9))
        voiced = np.repeat([c in VOWELS or c in VOICED for c in letters], frames)
        f0 = np.where(voiced, pitch, 0).astype(np.float32)
        noise = self._noise(letters, frames, rng)
        silence = np.zeros(RATE // 20)
        padding = np.zeros(len(silence) // F0_HOP, np.float32)
        whole = lambda voice: np.concatenate([silence, 0.3 * (voice + noise), silence]).astype(np.float32)
        audio = whole(self._voice(letters, frames, pitch, self.axis))
        timed_by = None if self.pitch == self.axis == 1 else whole(self._voice(letters, frames, pitch / self.pitch))
        return Spoken(audio, np.concatenate([padding, f0, padding]), phonemes, timed_by)

    @staticmethod
    def _voice(letters: list[str], frames: list[int], pitch: np.ndarray, axis: float = 1.0) -> np.ndarray:
        """Harmonics of the pitch under the formants of each letter."""
        k = np.arange(1, HARMONICS + 1)
        formants = axis * np.repeat([_formants(c) for c in letters], frames, axis=0)  # [F, 3]
        loud = np.repeat([1.0 if c in VOWELS else 0.35 if c in VOICED else 0.0 for c in letters], frames)
        hertz = pitch[:, None] * k  # [F, K]
        near = 1 / (1 + ((hertz[:, :, None] - formants[:, None, :]) / BANDWIDTH) ** 2)  # [F, K, 3]
        gains = _smooth(_spread((near @ np.array([1.0, 0.6, 0.3])) * loud[:, None]))  # [N, K]
        phase = np.cumsum(_spread(pitch) / RATE)
        out = np.zeros(len(phase))
        for i in k:
            out += gains[:, i - 1] * np.sin(2 * np.pi * i * phase)
        return out

    @staticmethod
    def _noise(letters: list[str], frames: list[int], rng: np.random.Generator) -> np.ndarray:
        """Hiss, brighter for s and z than for the others."""
        white = rng.standard_normal(sum(frames) * F0_HOP + 1)
        bright = np.repeat([c in "sz" for c in letters], frames)
        level = _smooth(_spread(np.repeat([HISS.get(c, 0.0) for c in letters], frames)))
        return 0.1 * level * np.where(_spread(bright), np.diff(white), white[1:])


def _seconds(letter: str) -> float:
    return SECONDS.get(letter, SECONDS["vowel" if letter in VOWELS else "consonant"])


def _formants(letter: str) -> tuple[float, float, float]:
    return VOWELS[letter if letter in VOWELS else VOICED.get(letter, "e")]


def _spread(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, F0_HOP, axis=0)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Mean over FADE seconds, so that letters join without clicks."""
    size = round(FADE * RATE)
    total = np.cumsum(np.pad(values, ((size, 0), *[(0, 0)] * (values.ndim - 1)), mode="edge"), axis=0)
    return (total[size:] - total[:-size]) / size
