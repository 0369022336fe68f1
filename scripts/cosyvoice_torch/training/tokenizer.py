"""The speech tokenizer's objective: codes that tell the phonemes (CTC) and the sound (mel) apart.

Encoder and quantizer are `speech_tokenizer.py`. A decoder that only training has, fed with the quantized digits, says two phoneme
distributions per code (50 a second: phonemes come faster than codes) and, told who speaks, the 80-bin mel. So the digits need not say
who: that is what makes them fit for a voice that is not the speaker's. Most utterances are heard through distortions; what they have
to say is of the clean sound. Rounding is straight-through.
The released tokenizer was trained with a speech recogniser's loss alone (CosyVoice 2, section 2.2); at this size that loses
prosody, so the reconstruction stays.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..lm import rotary
from ..speech_tokenizer import HEAD_DIM, Block, SpeechTokenizer
from .checkpoints import best_weights
from .data import SPEAKER_DIM, Dataset
from .distort import distorted
from .recipe import training
from .run import Run, Stage
from .train import Training
from .trainer import Numbers, Objective

SPREAD = 1.2  # of the projections before tanh: the three levels are then about equally likely


@dataclass
class TokenizerSizes:
    width: int = 192  # a multiple of 64
    layers: int = 3
    ffn: int = 576
    dims: int = 6  # 3^dims codes
    decoder_layers: int = 3
    mel_weight: float = 2.0
    spread_weight: float = 0.1
    clean: float = 1.0  # share of utterances that are heard as they are


class Decoder(nn.Module):
    """Digits [B, S, dims] and who speaks [B, 192] -> phoneme logits [B, 2 S, P] and mel [B, 2 S, 80]."""

    def __init__(self, sizes: TokenizerSizes, phonemes: int):
        super().__init__()
        w = sizes.width
        self.project_out = nn.Linear(sizes.dims, w)
        self.blocks = nn.ModuleList(Block(w, sizes.ffn) for _ in range(sizes.decoder_layers))
        self.norm = nn.LayerNorm(w)
        self.phonemes = nn.Linear(w, 2 * phonemes)
        self.person = nn.Linear(SPEAKER_DIM, w)
        self.spread = nn.Linear(w, 2 * w)
        self.convs = nn.ModuleList(nn.Conv1d(w, w, 5, padding=2) for _ in range(2))
        self.mel = nn.Linear(w, 80)

    def read(self, digits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the digits say, [B, S, W], and its phoneme logits."""
        b, s, _ = digits.shape
        x = self.project_out(digits) * mask
        cos, sin = rotary(torch.arange(s, device=x.device), HEAD_DIM, 10000.0)
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        x = self.norm(x)
        return x, self.phonemes(x).reshape(b, 2 * s, -1)

    def forward(self, digits: Tensor, mask: Tensor, person: Tensor) -> tuple[Tensor, Tensor]:
        """mask [B, S, 1]"""
        b, s, _ = digits.shape
        x, logits = self.read(digits, mask)
        fine = mask.repeat_interleave(2, 1).transpose(1, 2)
        y = self.spread(x + self.person(SPEAKER_DIM**0.5 * person)[:, None]).reshape(b, 2 * s, -1).transpose(1, 2) * fine
        for conv in self.convs:
            y = y + F.gelu(conv(y)) * fine
        return logits, self.mel(y.transpose(1, 2))


MANNER = ("clean",)
"""Settings that may change while it trains."""


class TokenizerObjective(Objective):
    name = "tokenizer"

    def __init__(self, sizes: TokenizerSizes, phonemes: int, seed: int = 0):
        super().__init__()
        self.sizes, self.count = sizes, phonemes
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.tokenizer = SpeechTokenizer(sizes.width, sizes.layers, sizes.ffn, sizes.dims)
            self.decoder = Decoder(sizes, phonemes)
            self.decoder.mel.bias.data.fill_(-5.0)
            nn.init.normal_(self.tokenizer.quantizer.project_in.weight, std=SPREAD / sizes.width**0.5)
            nn.init.zeros_(self.tokenizer.quantizer.project_in.bias)

    def state(self) -> dict[str, Any]:
        return {**{k: v for k, v in asdict(self.sizes).items() if k not in MANNER}, "phonemes": self.count}

    def manner(self) -> dict[str, Any]:
        return {name: getattr(self.sizes, name) for name in MANNER}

    def fields(self) -> list[str]:
        return ["whisper", "mel", "phonemes", "person"]

    def length(self, meta: dict[str, Any]) -> int:
        """Codes; 0 where CTC cannot align the phonemes."""
        codes, symbols = meta["frames"] // 2, meta["phonemes"]
        repeats = sum(a == b for a, b in zip(symbols, symbols[1:], strict=False))
        return codes if len(symbols) + repeats <= 2 * codes else 0

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Any]:
        codes = [len(item["mel"]) // 2 for item in items]
        longest = max(codes)
        pad = lambda x, length: F.pad(x[:length], (0, 0, 0, length - len(x[:length])))

        def heard(share: float) -> Tensor:
            """[B, 128, F]; `share` of the utterances distorted"""
            change = lambda mel: distorted(mel, rng) if float(torch.rand((), generator=rng)) < share else mel
            rows = [pad(change(item["whisper"][: 4 * n]), 4 * longest) for item, n in zip(items, codes, strict=True)]
            return torch.stack(rows).transpose(1, 2).contiguous()

        batch = {
            "whisper": heard(1 - self.sizes.clean if training else 0.0),
            "mel": torch.stack([pad(item["mel"][: 2 * n], 2 * longest) for item, n in zip(items, codes, strict=True)]),
            "codes": torch.tensor(codes),
            "phonemes": torch.cat([item["phonemes"] for item in items]),
            "phoneme_lengths": torch.tensor([len(item["phonemes"]) for item in items]),
            "person": torch.stack([item["person"] for item in items]),
        }
        return batch if training or self.sizes.clean == 1 else batch | {"distorted": heard(1.0)}

    def loss(self, batch: dict[str, Any], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, Numbers]:
        loss, numbers = self._heard(batch, update)
        if "distorted" in batch:  # of held-out utterances: both count
            other, found = self._heard(batch | {"whisper": batch["distorted"]}, update)
            loss = (loss + other) / 2
            numbers |= {f"{name}_distorted": value for name, value in found.items()}
        return loss, {"loss": loss.detach(), **numbers}

    def _heard(self, batch: dict[str, Any], update: int) -> tuple[Tensor, Numbers]:
        codes = batch["codes"]
        encoded = self.tokenizer.encode(batch["whisper"], 4 * codes)
        mask = (torch.arange(encoded.shape[1], device=codes.device) < codes[:, None])[..., None].to(encoded.dtype)
        if update == 0 and self.training:
            self._centre(encoded, mask)
        hidden = self.tokenizer.quantizer.project_in(encoded).float()
        inside = hidden[mask[..., 0] > 0]
        spread = inside.mean(0).square().mean() + (inside.std(0) - SPREAD).square().mean()
        logits, mel = self.decoder(self.tokenizer.quantizer.levels(hidden) * mask, mask, batch["person"])
        log_probabilities = logits.float().log_softmax(-1).transpose(0, 1)
        ctc = F.ctc_loss(log_probabilities, batch["phonemes"], 2 * codes, batch["phoneme_lengths"], zero_infinity=True)
        fine = mask.repeat_interleave(2, 1)
        l1 = ((mel.float() - batch["mel"]).abs() * fine).sum() / (80 * fine.sum())
        loss = ctc + self.sizes.mel_weight * l1 + self.sizes.spread_weight * spread
        numbers = {"ctc": ctc.detach(), "mel": l1.detach(), "spread": spread.detach()}
        if not self.training:
            numbers["phoneme_error"] = phoneme_error(log_probabilities, batch)
        ids = self.tokenizer.quantizer.ids(inside.detach())
        share = torch.bincount(ids, minlength=3**self.sizes.dims).float() / len(ids)
        numbers["entropy_bits"] = -(share * share.clamp(min=1e-9).log2()).sum()
        return loss, numbers

    @torch.no_grad()
    def _centre(self, encoded: Tensor, mask: Tensor) -> None:
        """Scale the projection on the first batch, so that all levels are in use from the start."""
        project = self.tokenizer.quantizer.project_in
        hidden = project(encoded)[mask[..., 0] > 0].float()
        scale = SPREAD / hidden.std(0)
        project.weight.mul_(scale[:, None])
        project.bias.sub_(hidden.mean(0)).mul_(scale)


def phoneme_error(log_probabilities: Tensor, batch: dict[str, Any]) -> float:
    """Edits per phoneme of the best path, over a batch; log_probabilities [2 S, B, P]."""
    best = log_probabilities.argmax(-1).T.cpu()
    wrong, start = 0, 0
    for row, codes, length in zip(best, batch["codes"].tolist(), batch["phoneme_lengths"].tolist(), strict=True):
        heard = torch.unique_consecutive(row[: 2 * codes])
        wrong += edits(heard[heard != 0].tolist(), batch["phonemes"][start : start + length].tolist())
        start += length
    return wrong / max(1, start)


def edits(a: list[int], b: list[int]) -> int:
    """Levenshtein distance."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def build(run: Run, recipe: dict[str, Any]) -> Training:
    """`[tokenizer]` and `[tokenizer.train]` of the recipe, on the run's features."""
    sizes, settings = training(recipe, "tokenizer", TokenizerSizes)
    features = Stage.existing(run, "features")
    dataset = Dataset(features.folder, ["whisper", "mel", "phonemes", "person"])
    return Training(TokenizerObjective(sizes, len(dataset.phonemes), settings.seed), dataset, settings, [features])


def trained(run: Run) -> tuple[TokenizerObjective, Stage]:
    """The tokenizer of a run as it validated best, in eval mode."""
    stage = Stage.existing(run, "tokenizer")
    sizes = stage.settings(TokenizerSizes)
    objective = TokenizerObjective(sizes, stage.record["config"]["phonemes"])
    objective.load_state_dict(best_weights(stage.folder))
    return objective.eval(), stage
