"""
The language model's training: cross-entropy of the next speech code, on whole texts (unistream) and on text and speech in turns
(bistream), as upstream's `Qwen2LM.forward` has it; a coin decides for every utterance on every visit.
"""

import json
import math
import random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checkpoint import Model
from ..config import LmConfig
from ..lm import TASK, Qwen2LM, rotary
from ..vocabulary import text_rows
from .bpe import Bpe, BpeSettings, make_bpe
from .data import Dataset
from .layout import IGNORE, MARK, SPEECH, TEXT, Layout, bistream, pad, qualifies, unistream
from .recipe import table, training
from .run import Run, Stage, fingerprint
from .spelling import Speller, SpellingBook, spelling_error, spelling_loss
from .train import Training
from .trainer import Objective

MANNER = ("bistream", "bpe_dropout", "plain_case", "no_end_mark", "smoothing", "dropout", "spelling", "spelling_rows")
"""Settings that may change while it trains."""


@dataclass
class LmSettings:
    """`[lm]` of a recipe: the sizes of the model, and what happens to an utterance on the way in."""

    layers: int = 5
    width: int = 192
    heads: int = 4
    kv_heads: int = 2
    ffn: int = 512
    bistream: float = 0.5  # share of the visits that interleave text and speech, where there is speech enough
    bpe_dropout: float = 0.1
    plain_case: float = 0.1  # share of the texts that begin with a small letter
    no_end_mark: float = 0.1  # share of the texts that lack their end mark
    smoothing: float = 0.0  # probability given to the other ids; 0 is plain cross-entropy
    dropout: float = 0.0  # of what each half of a layer adds
    spelling: float = 0.0  # weight of saying the teacher's phonemes at the text positions (spelling.py)
    spelling_layer: int = 2  # after this many layers
    spelling_rows: int = 24  # unspoken sentences a batch
    start: str = ""  # a release in the official layout to go on from: its sizes and its vocabulary then hold

    def config(self, text_rows: int, codes: int) -> LmConfig:
        return LmConfig(self.layers, self.width, self.heads, self.kv_heads, self.ffn, text_rows, codes)


def initialise(model: Qwen2LM, rng: torch.Generator) -> None:
    """Gaussian matrices, unit gains, no biases; what a layer adds starts smaller the more layers there are."""
    c = model.config
    model.llm.model.lm_head.weight = model.backbone.embed_tokens.weight  # tied, as in the release
    for name, p in model.named_parameters():
        if p.dim() < 2:
            nn.init.constant_(p, 0.0 if name.endswith("bias") else 1.0)
            continue
        spread = 0.02 if "embed" in name else c.width**-0.5
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            spread = (2 * c.layers * p.shape[1]) ** -0.5
        if name.startswith("llm_decoder"):
            spread = 0.02
        nn.init.normal_(p, 0.0, spread, generator=rng)


def varied(text: str, settings: LmSettings, chance: random.Random) -> str:
    """The same words; now and then with a small first letter or without the end mark."""
    if chance.random() < settings.plain_case and text[1:2].islower():
        text = text[:1].lower() + text[1:]
    if chance.random() < settings.no_end_mark and text.endswith((".", "!")) and not text.endswith(".."):
        text = text[:-1]
    return text


def smoothed_loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """
    Kullback-Leibler divergence from 1 - e on the target and e / (V - 1) elsewhere, a mean over the rows. logits [N, V],
    targets [N]. With e = 0 it is cross-entropy. (Upstream: `LabelSmoothingLoss` with `length_normalized_loss`.)
    """
    if smoothing == 0:
        return F.cross_entropy(logits.float(), targets)
    logprobs = logits.float().log_softmax(-1)
    others = smoothing / (logprobs.shape[-1] - 1)
    hit = logprobs.gather(-1, targets[:, None])[:, 0]
    expected = (1 - smoothing - others) * hit + others * logprobs.sum(-1)
    entropy = (1 - smoothing) * math.log(1 - smoothing) + smoothing * math.log(others)
    return entropy - expected.mean()


def spelling_places(kinds: Tensor, ids: Tensor) -> Tensor:
    """Text positions and TASK, which has seen all of the text."""
    return (kinds == TEXT) | ((kinds == MARK) & (ids == TASK))


class LmObjective(Objective):
    """
    `codes`: how many speech codes there are; `origin`: what made them; `made`: what tells them from those of one begun anew. The model's sizes come from the settings, the text rows
    from the vocabulary.
    """

    name = "lm"
    later = ("codes_made",)
    select = "uni_loss"

    def __init__(
        self,
        settings: LmSettings,
        bpe: Bpe,
        codes: int,
        seed: int = 0,
        model: Qwen2LM | None = None,
        origin: str = "",
        book: SpellingBook | None = None,
        made: str = "",
    ):
        super().__init__()
        self.made = made
        self.settings, self.bpe, self.origin, self.book = settings, bpe, origin, book
        self.model = model or Qwen2LM(settings.config(text_rows(bpe.vocab), codes))
        if model is None:
            initialise(self.model, torch.Generator().manual_seed(seed))
        self.speller: Speller | None = None
        if settings.spelling:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                self.speller = Speller(self.model.config.width)

    def fields(self) -> list[str]:
        return ["text", "tokens", "phonemes"] if self.speller else ["text", "tokens"]

    def length(self, meta: dict[str, Any]) -> int:
        """In speech codes. Without text, or with more of it than 200 ids could be, there is nothing to learn."""
        return meta["tokens"] if 0 < len(meta["text"]) <= 1000 else 0

    def state(self) -> dict[str, Any]:
        sampling = ("top_p", "top_k")
        sizes = {k: v for k, v in asdict(self.model.config).items() if k not in sampling}
        spelling = {"spelling_layer": self.settings.spelling_layer} if self.speller else {}
        return sizes | {"codes_of": self.origin, "codes_made": self.made, "start": self.settings.start} | spelling

    def manner(self) -> dict[str, Any]:
        return {name: getattr(self.settings, name) for name in MANNER}

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Tensor]:
        """
        kinds, ids, targets [B, N] and streamed [B], whether a row is bistream. In validation every utterance is a unistream row,
        and those with speech enough are a bistream row as well. Where the model learns to spell, `phonemes` of all rows in one and
        their `counts` [B]; the last rows of a training batch then have text alone.
        """
        chance = random.Random(int(torch.randint(1 << 62, (), generator=rng)))
        rows: list[tuple[bool, Layout]] = []
        spelled: list[list[int]] = []
        for item in items:
            made = self._train_row(item, chance) if training else self._valid_rows(item)
            rows += made
            spelled += [item["phonemes"].tolist()] * len(made) if self.speller else []
        batch = {"streamed": torch.tensor([streamed for streamed, _ in rows]), **vars(pad([layout for _, layout in rows]))}
        if self.speller:
            lines = self.book.draw(self.settings.spelling_rows, chance) if self.book and training else []
            batch |= self._text_rows([varied(text, self.settings, chance) for text, _ in lines], chance)
            spelled += [phonemes for _, phonemes in lines]
            batch["phonemes"] = torch.tensor([symbol for row in spelled for symbol in row], dtype=torch.long)
            batch["counts"] = torch.tensor([len(row) for row in spelled])
        return batch

    def _text_rows(self, texts: list[str], chance: random.Random) -> dict[str, Tensor]:
        if not texts:
            return {}
        encode = lambda text: self.bpe.encode_with_dropout(text, self.settings.bpe_dropout, chance)
        layout = pad([unistream(encode(text), [], self.model.config.speech_codes) for text in texts])
        return {"text_kinds": layout.kinds, "text_ids": layout.ids}

    def _train_row(self, item: dict[str, Any], chance: random.Random) -> list[tuple[bool, Layout]]:
        s, c = self.settings, self.model.config
        text, speech = varied(item["text"], s, chance), item["tokens"].tolist()
        streamed = chance.random() < s.bistream
        ids = self.bpe.encode_with_dropout(text, s.bpe_dropout, chance)
        if streamed and not qualifies(len(ids), len(speech), c.mix_ratio):
            ids = self.bpe.encode(text)  # fewer ids may do
            streamed = qualifies(len(ids), len(speech), c.mix_ratio)
        if streamed:
            return [(True, bistream(ids, speech, c.speech_codes, c.mix_ratio))]
        return [(False, unistream(ids, speech, c.speech_codes))]

    def _valid_rows(self, item: dict[str, Any]) -> list[tuple[bool, Layout]]:
        c = self.model.config
        ids, speech = self.bpe.encode(item["text"]), item["tokens"].tolist()
        rows = [(False, unistream(ids, speech, c.speech_codes))]
        if qualifies(len(ids), len(speech), c.mix_ratio):
            rows.append((True, bistream(ids, speech, c.speech_codes, c.mix_ratio)))
        return rows

    def embed(self, kinds: Tensor, ids: Tensor) -> Tensor:
        """[B, N] each -> [B, N, W]; zeros where there is only padding."""
        m = self.model
        x = torch.zeros(*ids.shape, m.config.width, device=ids.device)
        for kind, table in ((MARK, m.llm_embedding), (TEXT, m.backbone.embed_tokens), (SPEECH, m.speech_embedding)):
            here = kinds == kind
            x[here] = table(ids[here]).to(x.dtype)
        return x

    def layers(self, x: Tensor, start: int, stop: int) -> Tensor:
        """[B, N, W] through layers start .. stop - 1"""
        m, c = self.model, self.model.config
        cos, sin = rotary(torch.arange(x.shape[1], device=x.device), c.head_dim, c.rope_theta)
        drop = lambda y: F.dropout(y, self.settings.dropout, self.training)
        for layer in m.backbone.layers[start:stop]:
            x = x + drop(layer.self_attn(layer.input_layernorm(x), cos, sin, None)[0])
            x = x + drop(layer.mlp(layer.post_attention_layernorm(x)))
        return x

    def hidden(self, x: Tensor) -> Tensor:
        """[B, N, W] -> [B, N, W] after the final norm"""
        return self.model.backbone.norm(self.layers(x, 0, self.model.config.layers))

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, dict[str, float]]:
        m, middle = self.model, self.settings.spelling_layer if self.speller else 0
        targets = batch["targets"]
        asked = targets != IGNORE
        x = self.layers(self.embed(batch["kinds"], batch["ids"]), 0, middle)
        hidden = m.backbone.norm(self.layers(x, middle, m.config.layers))
        logits = m.llm_decoder(hidden[asked])  # [M, V]
        wanted = targets[asked]
        loss = smoothed_loss(logits, wanted, self.settings.smoothing)
        numbers = self._numbers(logits.detach(), wanted, batch["streamed"][:, None].expand_as(asked)[asked])
        if self.speller:
            nats, spelled = self._spell(batch, x)
            loss = loss + self.settings.spelling * nats
            numbers |= spelled
        return loss, {"loss": float(loss.detach()), **numbers}

    def _spell(self, batch: dict[str, Tensor], x: Tensor) -> tuple[Tensor, dict[str, float]]:
        """x: hidden states of the batch's rows in the middle of the model. Each sentence weighs the same, spoken or not."""
        places = spelling_places(batch["kinds"], batch["ids"])
        parts = [(x, places)]
        if "text_ids" in batch:
            kinds, ids = batch["text_kinds"], batch["text_ids"]
            parts.append((self.layers(self.embed(kinds, ids), 0, self.settings.spelling_layer), spelling_places(kinds, ids)))
        total, rows, phonemes, numbers = torch.zeros((), device=x.device), 0, 0, {}
        for hidden, places in parts:
            counts = batch["counts"][rows : rows + len(hidden)]
            wanted = batch["phonemes"][phonemes : phonemes + int(counts.sum())]
            said = self.speller(hidden, places)
            total = total + len(hidden) * spelling_loss(*said, wanted, counts)
            rows, phonemes = rows + len(hidden), phonemes + len(wanted)
            if not self.training:
                numbers["phoneme_error"] = spelling_error(*said, wanted, counts)
        return total / rows, {"spelling": float(total.detach()) / rows, **numbers}

    def _numbers(self, logits: Tensor, wanted: Tensor, streamed: Tensor) -> dict[str, float]:
        """Loss in nats and share of exact answers, of the two orders apart; eos and fill count as answers."""
        nats = F.cross_entropy(logits.float(), wanted, reduction="none")
        exact = (logits.argmax(-1) == wanted).float()
        numbers = {"accuracy": float(exact.mean())}
        for name, rows in (("uni", ~streamed), ("bi", streamed)):
            if rows.any():
                numbers |= {f"{name}_loss": float(nats[rows].mean()), f"{name}_accuracy": float(exact[rows].mean())}
        ends = wanted == self.model.config.speech_codes
        return numbers | {"end_loss": float(nats[ends].mean())}


def build(run: Run, recipe: dict[str, Any]) -> Training:
    """
    From scratch it learns the vocabulary first where there is none yet; `start` fine-tunes a release. Codes of another tokenizer are
    another training.
    """
    settings, train = training(recipe, "lm", LmSettings)
    encode = Stage.existing(run, "encode")
    codes, origin, made = encode.record["counts"]["codes"], str(encode.config.get("tokenizer", "")), fingerprint(encode.config)
    if settings.start:
        objective, inputs = fine_tuned(settings, codes, origin, made), [encode]
    else:
        bpe = make_bpe(run, table(recipe, "bpe", BpeSettings))
        book = None
        if settings.spelling and settings.spelling_rows:
            symbols = json.loads(run.path("features", "phonemes.json").read_text(encoding="utf-8"))
            book = SpellingBook(Stage.existing(run, "spelling").folder / "lines.jsonl", symbols)
        objective = LmObjective(settings, Bpe(bpe.folder), codes, train.seed, None, origin, book, made)
        inputs = [bpe, encode]
    data = Dataset(run.path("features"), objective.fields(), tokens=encode.folder)
    return Training(objective, data, train, inputs)


def fine_tuned(settings: LmSettings, codes: int, origin: str = "", made: str = "") -> LmObjective:
    """The objective around a release's own language model. @raises ValueError when it speaks other codes"""
    release = Model(Path(settings.start))
    model = release.lm
    if model.config.speech_codes != codes:
        raise ValueError(f"{release.folder}: its language model knows {model.config.speech_codes} speech codes, the corpus has {codes}")
    model.load_state_dict({name: value.clone() for name, value in model.state_dict().items()}, assign=True)
    model.llm.model.lm_head.weight = model.backbone.embed_tokens.weight
    return LmObjective(settings, Bpe(release.folder / "CosyVoice-BlankEN"), codes, model=model.requires_grad_(True), origin=origin, made=made)
