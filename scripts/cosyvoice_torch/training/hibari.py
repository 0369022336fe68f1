"""The teacher: `hibari-tts` 0.2.1 (Apache-2.0, distilled from Kokoro-82M), 24 kHz, one voice inside the wheel.

Its transforms are SciPy's where that is installed and NumPy's elsewhere: the same samples again need the pinned versions of both.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

VERSION = "0.2.1"
WHEEL_SHA256 = "49f2abbbe451c988e7448b5afa08c8a56410535ebb855c0e7d174275df5ca1f3"
FILES_SHA256 = "9a307289a4f5453bc1dacbfa3c4bc974849103dd12e42b17852e87dd8f5d0746"
RATE, F0_HOP, VOICED_HERTZ = 24000, 300, 40.0
UNSPOKEN = frozenset(" ˈˌ;:,.!?—…\"()“”'’")


@dataclass
class Spoken:
    audio: np.ndarray  # [N] f32 at 24 kHz
    f0: np.ndarray | None  # [N / 300] f32, Hz; 0 where unvoiced; frame k is centred on sample 300 k + 150
    phonemes: str  # one symbol a character, without stress, blanks and punctuation
    timed_by: np.ndarray | None = None  # audio whose silences are cut off in place of its own


def installed_hash(package: Path) -> str:
    """sha256 over the names and contents of the installed package's files."""
    digest = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def warped(parts: list[np.ndarray], pitch: float, axis: float) -> list[np.ndarray]:
    """
    Another speaker in the same time. parts: log magnitudes and phases [601, F] of the spectrum's branches, F0 [F] last; `pitch` scales F0,
    `axis` the frequencies of the spectrum. What moves in from above the band is as its edge.
    """
    *spectra, f0 = parts
    bins = np.minimum(np.arange(len(spectra[0])) / axis, len(spectra[0]) - 1)
    low = bins.astype(int)
    high, weight = np.minimum(low + 1, len(spectra[0]) - 1), (bins - low)[:, None].astype(np.float32)
    phases = (False, True, False, False, True)  # lh, th, ln, lr, phi of hibari.dsp
    moved = [s[low] if phase else s[low] * (1 - weight) + s[high] * weight for s, phase in zip(spectra, phases, strict=True)]
    return [*moved, f0 * np.float32(pitch)]


@lru_cache(maxsize=1)
def front_end() -> "Teacher":
    """The one that others' sentences are spelled by."""
    return Teacher()


@lru_cache(maxsize=1)
def _package() -> tuple[Any, Any]:
    """The package's voice and its synthesis. Raises RuntimeError if the package is not the known one."""
    spec = importlib.util.find_spec("hibari")
    if spec is None or spec.origin is None:
        raise RuntimeError(f"the teacher is not installed: pip install hibari-tts=={VERSION} (wheel sha256 {WHEEL_SHA256})")
    found = installed_hash(Path(spec.origin).parent)
    if found != FILES_SHA256:
        raise RuntimeError(f"hibari is not the known {VERSION}: its files hash to {found[:16]}, expected {FILES_SHA256[:16]}; reinstall that version")
    from hibari import Hibari
    from hibari.dsp import synth

    return Hibari(threads=1), synth


class Teacher:
    """Speaks one sentence at a time, the same samples every time. Raises RuntimeError if the package is not the known one."""

    rate = RATE

    def __init__(self, pitch: float = 1.0, axis: float = 1.0):
        """`pitch`, `axis`: see `warped`; 1 is the teacher's own voice."""
        self.pitch, self.axis = pitch, axis
        self.name = "hibari" if pitch == axis == 1 else f"hibari-{round(100 * pitch)}-{round(100 * axis)}"
        self.voice, self.synth = _package()

    def phonemes(self, text: str) -> str:
        """What `speak` would say, without saying it."""
        return "".join(self._symbols(piece) for piece in self.voice.phonemize(text) if len(self.voice.ids(piece)) >= 3)

    def _symbols(self, piece: str) -> str:
        return "".join(symbol for symbol in piece if symbol not in UNSPOKEN and symbol in self.voice.vocab)

    def speak(self, text: str) -> Spoken:
        whole = [self._predicted(piece) for piece in self.voice.phonemize(text)]
        pieces = [piece for piece in whole if piece is not None]
        if not pieces:
            return Spoken(np.zeros(0, np.float32), np.zeros(0, np.float32), "")
        phonemes = "".join(symbols for symbols, _ in pieces)
        parts = [parts for _, parts in pieces]
        own = self._sound(parts)
        if self.pitch == self.axis == 1:
            return Spoken(*own, phonemes)
        return Spoken(*self._sound([warped(p, self.pitch, self.axis) for p in parts]), phonemes, timed_by=own[0])

    def _predicted(self, piece: str) -> tuple[str, list[np.ndarray]] | None:
        ids = self.voice.ids(piece)
        if len(ids) < 3:
            return None
        feed = {"ids": np.asarray([ids], np.int64), "speed": np.asarray([1.0], np.float32)}
        return self._symbols(piece), [output[0] for output in self.voice.sess.run(None, feed)]

    def _sound(self, pieces: list[list[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
        """Samples and F0."""
        rng = np.random.default_rng(0)
        audio = [self.synth(*parts, rng) for parts in pieces]
        f0 = [np.where(parts[-1] > VOICED_HERTZ, parts[-1], 0).astype(np.float32) for parts in pieces]
        return np.concatenate(audio).astype(np.float32), np.concatenate(f0)
