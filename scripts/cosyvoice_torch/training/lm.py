"""
The language model's training: cross-entropy of the next speech code, on whole texts (unistream) and on text and speech in turns
(bistream), as upstream's `Qwen2LM.forward` has it; a coin decides for every utterance on every visit. Some utterances follow another
one of the same speaker, as speech follows a prompt. Without a prompt the model speaks as one of its speakers: the others' utterances
always follow one, and of that one nothing is asked.
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

from ..checkpoint import Model, trainable
from ..config import LmConfig
from ..lm import TASK, Qwen2LM, rotary
from ..vocabulary import text_rows
from .bpe import Bpe, BpeSettings, make_bpe
from .data import Dataset, in_order, with_others_before
from .layout import IGNORE, MARK, SPEECH, TEXT, Layout, bistream, continued, pad, qualifies, unistream
from .recipe import table, training
from .run import Run, Stage, fingerprint
from .spelling import SLOTS, Speller, SpellingBook, spelling_error, spelling_loss
from .train import Training
from .trainer import Numbers, Objective

ORDERS = ("uni", "bi", "after")
"""Of a row: text then speech, both in turns, or in either order after another utterance."""

MANNER = ("pairs", "own", "bistream", "bpe_dropout", "plain_case", "no_end_mark", "smoothing", "dropout", "spelling", "spelling_rows")
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
    pairs: float = 0.0  # share of utterances that follow another one of the same speaker
    own: str = ""  # the speaker the model is without a prompt; "": any
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


def spelling_places(kinds: Tensor, ids: Tensor, prefix: str) -> dict[str, Tensor]:
    """`spelled` [B, L]: text positions and TASK, which has seen all of the text, then others; `slots` [B] for phonemes of the former."""
    places = (kinds == TEXT) | ((kinds == MARK) & (ids == TASK))
    first = (~places).int().argsort(dim=1, stable=True)[:, : int(places.sum(1).max())]
    return {f"{prefix}spelled": first, f"{prefix}slots": SLOTS * places.sum(1)}


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

    def gather(self, data: Dataset, indices: list[int], rng: torch.Generator, training: bool) -> list[dict[str, Any]]:
        own = self.settings.own
        return with_others_before(data, indices, self.settings.pairs if training else 0.0, rng, (lambda name: name != own) if own else None)

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Tensor]:
        """
        kinds, ids [B, N]; `asked` [M], places among B N that have a target, `wanted` [M] and `order` [M], an index of ORDERS. In
        validation every utterance is a unistream row, and those with speech enough are a bistream row as well. Where the model learns
        to spell, `phonemes` of all rows in one, their `counts` [B] and the `spelled` places; the last rows of a training batch then
        have text alone.
        """
        chance = random.Random(int(torch.randint(1 << 62, (), generator=rng)))
        rows: list[tuple[int, Layout]] = []
        spelled: list[list[int]] = []
        for item in items:
            made = self._train_row(item, chance) if training else self._valid_rows(item)
            rows += made
            said = [symbol for part in in_order(item) for symbol in part["phonemes"].tolist()] if self.speller else []
            spelled += [said] * len(made) if self.speller else []
        layout = pad([layout for _, layout in rows])
        asked = (layout.targets != IGNORE).flatten().nonzero()[:, 0]
        order = torch.tensor([order for order, _ in rows])[asked // layout.targets.shape[1]]
        batch = {"kinds": layout.kinds, "ids": layout.ids, "asked": asked, "wanted": layout.targets.flatten()[asked], "order": order}
        if self.speller:
            batch |= spelling_places(layout.kinds, layout.ids, "")
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
        return {"text_kinds": layout.kinds, "text_ids": layout.ids, **spelling_places(layout.kinds, layout.ids, "text_")}

    def _row(self, streamed: bool, item: dict[str, Any], ids: list[int], head: list[int]) -> tuple[int, Layout]:
        """One sequence of an utterance; `head`: text ids of the one before, of whose speech the others' rows are asked nothing."""
        c = self.model.config
        before = item.get("before")
        said = before["tokens"].tolist() if before else []
        text, speech = head + ids, said + item["tokens"].tolist()
        made = bistream(text, speech, c.speech_codes, c.mix_ratio) if streamed else unistream(text, speech, c.speech_codes)
        if before and self.settings.own and item["by"] != self.settings.own:
            made = continued(made, len(said), c.speech_codes)
        return ORDERS.index("after" if before else "bi" if streamed else "uni"), made

    def _train_row(self, item: dict[str, Any], chance: random.Random) -> list[tuple[int, Layout]]:
        s, c = self.settings, self.model.config
        spell = lambda text: self.bpe.encode_with_dropout(text, s.bpe_dropout, chance)
        before = item.get("before")
        streamed = chance.random() < s.bistream
        text, head = varied(item["text"], s, chance), varied(before["text"], s, chance) if before else ""
        if before and chance.random() < 0.5:  # as in a paragraph; a prompt's text and the text to speak are spelled apart, without a blank
            text = " " + text
        codes = len(item["tokens"]) + (len(before["tokens"]) if before else 0)
        parts = spell(head), spell(text)
        if streamed and not qualifies(sum(map(len, parts)), codes, c.mix_ratio):
            parts = self.bpe.encode(head), self.bpe.encode(text)  # fewer ids may do
            streamed = qualifies(sum(map(len, parts)), codes, c.mix_ratio)
        return [self._row(streamed, item, parts[1], parts[0])]

    def _valid_rows(self, item: dict[str, Any]) -> list[tuple[int, Layout]]:
        ids, before = self.bpe.encode(item["text"]), item.get("before")
        head = self.bpe.encode(before["text"]) if before else []
        rows = [self._row(False, item, ids, head)]
        if not before and qualifies(len(ids), len(item["tokens"]), self.model.config.mix_ratio):
            rows.append(self._row(True, item, ids, head))
        return rows

    def embed(self, kinds: Tensor, ids: Tensor) -> Tensor:
        """[B, N] each -> [B, N, W]; zeros where there is only padding."""
        m, x = self.model, 0.0
        for kind, table in ((MARK, m.llm_embedding), (TEXT, m.backbone.embed_tokens), (SPEECH, m.speech_embedding)):
            here = kinds == kind
            x = x + table(torch.where(here, ids, 0)) * here[..., None]
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

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, Numbers]:
        m, middle = self.model, self.settings.spelling_layer if self.speller else 0
        x = self.layers(self.embed(batch["kinds"], batch["ids"]), 0, middle)
        hidden = m.backbone.norm(self.layers(x, middle, m.config.layers))
        logits = m.llm_decoder(hidden.flatten(0, 1)[batch["asked"]])  # [M, V]
        loss = smoothed_loss(logits, batch["wanted"], self.settings.smoothing)
        numbers = self._numbers(logits.detach(), batch["wanted"], batch["order"])
        if self.speller:
            nats, spelled = self._spell(batch, x)
            loss = loss + self.settings.spelling * nats
            numbers |= spelled
        return loss, {"loss": loss.detach(), **numbers}

    def _spell(self, batch: dict[str, Tensor], x: Tensor) -> tuple[Tensor, Numbers]:
        """x: hidden states of the batch's rows in the middle of the model. Each sentence weighs the same, spoken or not."""
        parts = [(x, batch["spelled"], batch["slots"])]
        if "text_ids" in batch:
            hidden = self.layers(self.embed(batch["text_kinds"], batch["text_ids"]), 0, self.settings.spelling_layer)
            parts.append((hidden, batch["text_spelled"], batch["text_slots"]))
        total, rows, phonemes, numbers = torch.zeros((), device=x.device), 0, 0, {}
        for hidden, places, slots in parts:
            counts = batch["counts"][rows : rows + len(hidden)]
            wanted = batch["phonemes"][phonemes : phonemes + int(counts.sum())]
            said = self.speller(hidden, places), slots
            total = total + len(hidden) * spelling_loss(*said, wanted, counts)
            rows, phonemes = rows + len(hidden), phonemes + len(wanted)
            if not self.training:
                numbers["phoneme_error"] = spelling_error(*said, wanted, counts)
        return total / rows, {"spelling": total.detach() / rows, **numbers}

    def _numbers(self, logits: Tensor, wanted: Tensor, order: Tensor) -> Numbers:
        """Loss in nats and share of exact answers, of the orders apart; eos and fill count as answers."""
        nats = F.cross_entropy(logits.float(), wanted, reduction="none")
        exact = (logits.argmax(-1) == wanted).float()
        numbers: Numbers = {"accuracy": exact.mean()}
        for number, name in enumerate(ORDERS):
            rows = order == number
            if rows.any():
                numbers |= {f"{name}_loss": nats[rows].mean(), f"{name}_accuracy": exact[rows].mean()}
        return numbers | {"end_loss": nats[wanted == self.model.config.speech_codes].mean()}


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
    speakers = {meta["speaker"] for meta in data.all}
    if settings.own and settings.own not in speakers:
        raise ValueError(f"[lm] own {settings.own!r}: must be one of the corpus's speakers, {', '.join(sorted(speakers))}")
    return Training(objective, data, train, inputs)


def fine_tuned(settings: LmSettings, codes: int, origin: str = "", made: str = "") -> LmObjective:
    """The objective around a release's own language model. @raises ValueError when it speaks other codes"""
    release = Model(Path(settings.start))
    model = release.lm
    if model.config.speech_codes != codes:
        raise ValueError(f"{release.folder}: its language model knows {model.config.speech_codes} speech codes, the corpus has {codes}")
    trainable(model)
    model.llm.model.lm_head.weight = model.backbone.embed_tokens.weight
    return LmObjective(settings, Bpe(release.folder / "CosyVoice-BlankEN"), codes, model=model, origin=origin, made=made)
