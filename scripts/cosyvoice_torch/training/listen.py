"""Sentences made audible at one point of the chain, for a judge: OUT/00.wav, 01.wav, ... and OUT/sentences.txt.

| point | what is heard |
| --- | --- |
| teacher | the recording itself |
| mel | its mel through Griffin-Lim |
| codes | its speech tokens, the tokenizer's own mel decoder, Griffin-Lim |
| vocoder | its mel through the vocoder |
| flow | its speech tokens through the flow, Griffin-Lim |
| chain | its speech tokens through the flow and the vocoder |

With another teacher than the corpus's, what has codes in it is voice conversion: the voice says what the other one said.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from ..vocoder import Hift
from . import flow, vocoder
from .corpus import level, read_manifest, trim
from .data import speaker_vector
from .encode import stored_vector
from .features import extract, read_audio
from .griffin_lim import griffin_lim
from .run import Run, Stage
from .teachers import teacher
from .tokenizer import TokenizerObjective, trained

POINTS = ("teacher", "mel", "codes", "vocoder", "flow", "chain")
RATE = 24000


def sentences_of(run: Run, split: str, count: int, speaker: str = "") -> Iterator[tuple[str, Tensor]]:
    """(text, audio [N] at 24 kHz) of the first held-out utterances, of one speaker or of all."""
    folder = Stage.existing(run, "corpus").folder
    entries = [entry for entry in read_manifest(folder / "manifest.jsonl") if entry["split"] == split and speaker in ("", entry["speaker"])]
    for entry in entries[: count or None]:
        yield entry["text"], read_audio(folder / entry["wav"])


def spoken(name: str, lines: list[str]) -> Iterator[tuple[str, Tensor]]:
    """(text, audio) of sentences that are in no corpus, said by a teacher."""
    voice = teacher(name)
    for line in lines:
        audio = voice.speak(line).audio
        start, end = trim(audio)
        kept = torch.from_numpy(level(audio[start:end])).float()
        yield line, torch.nn.functional.pad(kept, (0, end - start - len(kept)))


def decoded(objective: TokenizerObjective, whisper: Tensor, person: Tensor) -> tuple[Tensor, Tensor]:
    """whisper [F, 128] -> codes [S], mel [2 S, 80] from the codes alone, in a speaker's voice."""
    quantizer = objective.tokenizer.quantizer
    hidden = quantizer.project_in(objective.tokenizer.encode(whisper.T[None]))
    mask = torch.ones(1, hidden.shape[1], 1)
    return quantizer.ids(hidden)[0], objective.decoder(quantizer.levels(hidden), mask, person[None])[1][0]


def vocoded(hift: Hift, mel: Tensor, seed: int = 0) -> Tensor:
    """mel [M, 80] -> samples [N], with the noise in the source that it was trained with."""
    shape = (len(mel) * hift.config.samples_per_frame, hift.config.overtones + 1)
    return hift(mel, torch.zeros(0), torch.randn(shape, generator=torch.Generator().manual_seed(seed)))[0]


def heard(run: Run, point: str, speaker: str) -> Callable[[Tensor], Tensor]:
    """What a point makes of a recording: samples [N] -> samples [N]; `speaker`: whose voice says what was codes."""
    if point == "teacher":
        return lambda audio: audio
    features = lambda audio: extract(audio, torch.zeros(1))
    vocode = griffin_lim
    if point in ("vocoder", "chain"):
        hift = vocoder.trained(run)
        vocode = lambda mel: vocoded(hift, mel)
    if point in ("mel", "vocoder"):
        return lambda audio: vocode(features(audio)["mel"].float())
    tokenizer, person = trained(run)[0], speaker_vector(speaker)
    if point == "codes":
        return lambda audio: vocode(decoded(tokenizer, features(audio)["whisper"].float(), person)[1])
    estimate = flow.trained(run)
    embedding = stored_vector(run, speaker)
    no_codes, no_mel = torch.zeros(0, dtype=torch.long), torch.zeros(0, estimate.config.mel_bins)
    mel_of = lambda codes: estimate(codes, no_codes, no_mel, embedding, streaming=False, finalize=True).mel.T
    return lambda audio: vocode(mel_of(decoded(tokenizer, features(audio)["whisper"].float(), person)[0]))


@torch.inference_mode()
def listen(run: Run, point: str, utterances: Iterator[tuple[str, Tensor]], out: Path, speaker: str) -> int:
    """Write the files; how many."""
    import soundfile

    if point not in POINTS:
        raise ValueError(f"point {point}: must be one of {', '.join(POINTS)}")
    out.mkdir(parents=True, exist_ok=True)
    made, texts = heard(run, point, speaker), []
    for number, (text, audio) in enumerate(utterances):
        soundfile.write(out / f"{number:02d}.wav", made(audio).clamp(-1, 1).numpy(), RATE, subtype="PCM_16")
        texts.append(text)
    (out / "sentences.txt").write_text("\n".join(texts) + "\n", encoding="utf8")
    return len(texts)
