"""How near one folder of speech is to another that says the same sentences: NN.wav beside NN.wav, for instance engine and teacher.

| figure | what it is |
| --- | --- |
| pitch_rmse_semitones | over frames that both voice, after aligning the two in time |
| voicing_error | share of aligned frames that only one of them voices |
| mel_cepstral_distortion | dB, 13 cepstra without the loudness (Kubichek 1993), of the 80-bin mel |
| length_ratio | seconds of the first over seconds of the second |
| peak, dc | greatest absolute sample and greatest absolute mean of any file of the first |
| longest_pause | seconds, inside a file |
| similarity | cosine of resemblyzer's voice vectors, where the package is installed |
| dnsmos, dnsmos_other | overall quality that DNSMOS P.835 predicts, where speechmos is installed |

Time is aligned by dynamic time warping of the cepstra, with steps of one frame in either or both.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..features import mel24k
from .features import read_audio
from .pitch import yin

CEPSTRA = 13
FRAME = 480 / 24000  # seconds
QUIET = 40.0  # dB under the loudest frame


def cepstra(mel: Tensor) -> Tensor:
    """Log-mel [T, bins] -> [T, CEPSTRA], the loudness left out: orthonormal cosine transform."""
    bins = mel.shape[1]
    k, n = torch.arange(1, CEPSTRA + 1)[:, None], torch.arange(bins)[None]
    basis = math.sqrt(2 / bins) * torch.cos(math.pi * k * (n + 0.5) / bins)
    return mel @ basis.T


def aligned(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """[T, C], [U, C] -> the frames of both along the cheapest path from start to end."""
    cost = torch.cdist(a, b).numpy().astype(np.float64)
    t, u = cost.shape
    total = np.full((t + 1, u + 1), np.inf)
    total[0, 0] = 0
    for i in range(1, t + 1):
        ahead = np.minimum(total[i - 1, 1:], total[i - 1, :-1])
        row = total[i]
        for j in range(1, u + 1):
            row[j] = cost[i - 1, j - 1] + min(ahead[j - 1], row[j - 1])
    path, i, j = [], t, u
    while i > 0:
        path.append((i - 1, j - 1))
        i, j = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda cell: total[cell])
    first, second = zip(*reversed(path), strict=True)
    return torch.tensor(first), torch.tensor(second)


def longest_pause(mel: Tensor) -> float:
    """Seconds of the longest quiet stretch that speech follows and precedes."""
    loudness = mel.logsumexp(1) * (20 / math.log(10))
    loud = torch.nonzero(loudness > loudness.max() - QUIET)[:, 0]
    return float((loud[1:] - loud[:-1]).max() - 1) * FRAME if len(loud) > 1 else 0.0


def compare_files(a: Tensor, b: Tensor) -> dict[str, float]:
    """[N], [M] at 24 kHz."""
    mel_a, mel_b = mel24k(a), mel24k(b)
    i, j = aligned(cepstra(mel_a), cepstra(mel_b))
    f0_a, f0_b = yin(a)[i.clamp(max=len(a) // 480 - 1)], yin(b)[j.clamp(max=len(b) // 480 - 1)]
    both = (f0_a > 0) & (f0_b > 0)
    apart = 12 * torch.log2(f0_a[both] / f0_b[both])
    distance = (cepstra(mel_a)[i] - cepstra(mel_b)[j]).square().sum(1)
    return {
        "pitch_rmse_semitones": float(apart.square().mean().sqrt()) if len(apart) else math.nan,
        "voicing_error": float(((f0_a > 0) != (f0_b > 0)).float().mean()),
        "mel_cepstral_distortion": float(10 / math.log(10) * (2 * distance).sqrt().mean()),
        "length_ratio": len(a) / len(b),
        "longest_pause": longest_pause(mel_a),
        "peak": float(a.abs().max()),
        "dc": float(a.mean().abs()),
    }


def voice_similarity(pairs: list[tuple[Tensor, Tensor]]) -> float | None:
    """Cosine of the mean voice vectors of both sides; none without resemblyzer."""
    try:
        from resemblyzer import VoiceEncoder, preprocess_wav
    except ImportError:
        return None
    encoder = VoiceEncoder("cpu", verbose=False)
    sides = [encoder.embed_speaker([preprocess_wav(x.numpy(), 24000) for x in side]) for side in zip(*pairs, strict=True)]
    return float(np.dot(*sides))


def predicted_quality(sounds: list[Tensor]) -> float | None:
    """Mean overall DNSMOS; none without speechmos. It hears 16 kHz."""
    try:
        from speechmos import dnsmos
    except ImportError:
        return None
    from ..features import resample

    scores = []
    for sound in sounds:
        heard = resample(sound, 24000, 16000).clamp(-1, 1).numpy()
        scores.append(dnsmos.run(heard, 16000, return_df=False)["ovrl_mos"])
    return float(np.mean(scores))


def compare(folder: Path, other: Path) -> dict[str, float | int]:
    """Means over all files that both folders hold (peak, dc and pauses: the worst)."""
    names = sorted(path.name for path in folder.glob("*.wav") if (other / path.name).exists())
    if not names:
        raise FileNotFoundError(f"{folder}: no .wav that {other} has too")
    pairs = [(read_audio(folder / name), read_audio(other / name)) for name in names]
    each = [compare_files(a, b) for a, b in pairs]
    worst = ("peak", "dc", "longest_pause")
    figures: dict[str, float | int] = {"files": len(names)}
    for key in each[0]:
        values = [one[key] for one in each if not math.isnan(one[key])]
        figures[key] = (max if key in worst else lambda v: sum(v) / len(v))(values) if values else math.nan
    optional = {
        "similarity": voice_similarity(pairs),
        "dnsmos": predicted_quality([a for a, _ in pairs]),
        "dnsmos_other": predicted_quality([b for _, b in pairs]),
    }
    return figures | {key: value for key, value in optional.items() if value is not None}
