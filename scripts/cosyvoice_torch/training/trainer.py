"""The loop that all trainings share. Interrupted and resumed gives the same bits as never interrupted (on a CPU).

All randomness of an update is a function of (seed, update): the generators are seeded anew each time, so a checkpoint
needs no random state beyond the two numbers, and validation draws the same times, noise and masks whenever it runs.
"""

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from .checkpoints import Checkpoints
from .data import Batches, Dataset
from .metrics import Metrics, Report
from .run import Stage, fingerprint
from .updates import interruptible, rate, seed_of, to_device

GROWS = ("updates", "validate_every", "validate_batches", "keep_best", "keep_last", "patience", "log_every", "save_minutes", "threads", "loaders", "device")


Numbers = dict[str, Tensor | float]


class Objective(nn.Module):
    """What one training minimises. Holds every module it trains as a submodule."""

    name: str
    select = "loss"  # the validation number that ranks checkpoints; lower is better
    later: tuple[str, ...] = ()  # keys of state() that the records of older trainings lack

    def turns(self) -> dict[str, list[nn.Parameter]]:
        """Optimiser groups in the order of their turns in one update: {"main": [...]} or {"discriminator": [...], "generator": [...]}."""
        return {"main": list(self.parameters())}

    def gather(self, data: Dataset, indices: list[int], rng: torch.Generator, training: bool) -> list[dict[str, Any]]:
        """
        The items that `collate` gets for a batch. An objective that wants others beside them takes them here, with what `collate` is to
        tell them by; they count neither in the batch's size nor in epochs. `rng` is then `collate`'s.
        """
        return [data[i] for i in indices]

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Any]:
        """Utterances to one padded batch on the CPU; every random choice about data from rng (a CPU generator)."""
        raise NotImplementedError

    def loss(self, batch: dict[str, Any], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, Numbers]:
        """Scalar to minimise and named numbers for the log: as tensors, for a GPU that waits for each number is idle.

        The turns of one update get the same `batch` dict, so an earlier turn may leave tensors in it for a later one. A
        scalar that needs no gradient skips the turn. `rng` is a generator of the device; validation calls only the last turn, in eval
        mode and without gradients. Gradients are cleared before every turn, of all parameters.
        """
        raise NotImplementedError

    def fields(self) -> list[str]:
        """Features it needs of each item: "mel", "audio", "f0", "whisper", "tokens", "text", "phonemes", "person", "speaker"."""
        raise NotImplementedError

    def length(self, meta: dict[str, Any]) -> int:
        """Size for bucketing, in its own unit (frames or tokens); `meta` as in Dataset.meta. 0 leaves the utterance out."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """What shapes the modules: part of the stage's config, so that other sizes cannot resume this training."""
        return {}

    def manner(self) -> dict[str, Any]:
        """How they are trained: part of the stage's config too, but it may change on the way."""
        return {}


@dataclass
class TrainSettings:
    updates: int = 10000
    batch: int = 6000  # in units of Objective.length, padding included
    accumulate: int = 1
    lr: float = 1e-3
    turn_lr: dict[str, float] = field(default_factory=dict)  # by turn, where it differs from lr
    warmup: int = 200
    decay: str = "linear"  # to zero at `updates`; or "constant"
    weight_decay: float = 0.01  # of matrices; never of vectors
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    ema: float = 0.0  # 0: none; else the decay, e.g. 0.999
    validate_every: int = 500
    validate_batches: int = 0  # 0: all
    keep_best: int = 3
    keep_last: int = 2
    patience: int = 0  # validations without a new best before an early stop; 0: never
    seed: int = 0
    bf16: bool = False  # where the device has it
    threads: int = 1
    loaders: int = 0  # processes that read ahead; 0 reads in the loop
    log_every: int = 20
    save_minutes: float = 5.0
    device: str = "auto"


class Trainer:
    """`stage`: the training's folder; `dataset`: with the objective's fields, all splits."""

    def __init__(self, stage: Stage, objective: Objective, dataset: Dataset, settings: TrainSettings):
        self.stage, self.objective, self.settings = stage, objective, settings
        torch.set_num_threads(settings.threads)
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if settings.device == "auto" else settings.device)
        objective.to(self.device)
        if self.device.type == "cuda":  # 10 bits of mantissa in products, all of them in sums
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.train, train_lengths = self._sized(dataset.split("train"))
        self.valid, valid_lengths = self._sized(dataset.split("valid"))
        self.batches = Batches(train_lengths, settings.batch, settings.seed)
        held = Batches(valid_lengths, settings.batch, settings.seed).of_epoch(0) if valid_lengths else []
        self.held = held[: settings.validate_batches] if settings.validate_batches else held
        self.turns = objective.turns()
        self.optimizers = {turn: self._optimizer(turn, parameters) for turn, parameters in self.turns.items()}
        self.ema = {k: v.detach().clone() for k, v in objective.state_dict().items()} if settings.ema else None
        self.update, self.stale, self.skipped, self.seconds = 0, 0, 0, 0.0
        self.unranked = False  # the loaded weights have no score that counts
        self.checkpoints = Checkpoints(stage.folder / "checkpoints", settings.keep_last, settings.keep_best)
        self.metrics = Metrics(stage.folder / "metrics.jsonl")

    def _sized(self, data: Dataset) -> tuple[Dataset, list[int]]:
        """Without the utterances that the objective cannot use."""
        lengths = [self.objective.length(meta) for meta in data.items]
        data.items = [meta for meta, length in zip(data.items, lengths, strict=True) if length]
        return data, [length for length in lengths if length]

    def _optimizer(self, turn: str, parameters: list[nn.Parameter]) -> torch.optim.AdamW:
        s = self.settings
        matrices, vectors = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": s.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        return torch.optim.AdamW(groups, lr=s.turn_lr.get(turn, s.lr), betas=s.betas, fused=True if self.device.type == "cuda" else None)

    # one update ------------------------------------------------------------------------------------------------------

    def _batch(self, data: Dataset, indices: list[int], training: bool, *seed: Any) -> dict[str, Any]:
        rng = torch.Generator().manual_seed(seed_of(self.settings.seed, "data", *seed))
        return self.objective.collate(self.objective.gather(data, indices, rng, training), rng, training)

    def _rng(self, *seed: Any) -> torch.Generator:
        return torch.Generator(self.device).manual_seed(seed_of(self.settings.seed, *seed))

    def _autocast(self):
        able = self.device.type != "cuda" or torch.cuda.is_bf16_supported()
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.bf16 and able)

    @torch.enable_grad()
    def _step(self, batches: list[dict[str, Any]]) -> None:
        s = self.settings
        torch.manual_seed(seed_of(s.seed, "torch", self.update) % 2**63)
        self.objective.train()
        for turn, parameters in self.turns.items():
            self.objective.zero_grad(set_to_none=True)
            trained = False
            for micro, batch in enumerate(batches):
                with self._autocast():
                    loss, numbers = self.objective.loss(batch, self._rng(turn, self.update, micro), turn, self.update)
                if loss.requires_grad:
                    (loss / len(batches)).backward()
                    trained = True
                self.metrics.add(numbers, 1 / len(batches))
            if not trained:
                continue
            norm = float(nn.utils.clip_grad_norm_(parameters, s.clip if s.clip else math.inf))
            self.metrics.add({f"grad_norm/{turn}" if len(self.turns) > 1 else "grad_norm": norm if math.isfinite(norm) else 0.0})
            if not math.isfinite(norm):
                self.skipped += 1
                continue
            optimizer = self.optimizers[turn]
            for group in optimizer.param_groups:
                group["lr"] = s.turn_lr.get(turn, s.lr) * rate(s, self.update)
            optimizer.step()
        if self.ema is not None:
            decay = min(s.ema, (1 + self.update) / (10 + self.update))
            with torch.no_grad():
                now = self.objective.state_dict()
                floats = [name for name, value in now.items() if value.is_floating_point()]
                torch._foreach_lerp_([self.ema[name] for name in floats], [now[name] for name in floats], 1 - decay)
                for name in now.keys() - set(floats):
                    self.ema[name].copy_(now[name])

    @contextmanager
    def _averaged(self):
        """The EMA weights in place of the trained ones, where there are any."""
        if self.ema is None:
            yield
            return
        trained = {k: v.detach().clone() for k, v in self.objective.state_dict().items()}
        self.objective.load_state_dict(self.ema)
        try:
            yield
        finally:
            self.objective.load_state_dict(trained)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Means over the held-out utterances, the same draws every time."""
        self.objective.eval()
        turn = list(self.turns)[-1]
        sums: dict[str, list[float]] = {}
        for n, indices in enumerate(self.held):
            torch.manual_seed(seed_of(self.settings.seed, "valid", n) % 2**63)
            batch = self._batch(self.valid, indices, False, "valid", n)
            batch = {key: to_device(value, self.device) for key, value in batch.items()}
            with self._autocast():
                loss, numbers = self.objective.loss(batch, self._rng("valid", turn, n), turn, self.update)
            for key, value in {"loss": loss, **numbers}.items():
                total = sums.setdefault(key, [0.0, 0])
                total[0] += float(value) * len(indices)
                total[1] += len(indices)
        return {key: total / count for key, (total, count) in sums.items()}

    def _validated(self, report: Report) -> None:
        with self._averaged():
            values = self.validate()
            weights = {k: v.detach().clone() for k, v in self.objective.state_dict().items()}
        self.metrics.write(self.update, self.batches.passes, "valid", values)
        report.line(self.update, values, "valid")
        new_best = self.checkpoints.offer(self.update, values[self.objective.select], weights)
        self.stale = 0 if new_best else self.stale + 1

    # state -----------------------------------------------------------------------------------------------------------

    def _held_out(self) -> str:
        """What validation scores are of."""
        return fingerprint([(meta["id"], meta["speaker"]) for batch in self.held for meta in map(self.valid.meta, batch)])

    def save(self) -> None:
        self.checkpoints.save(
            self.update,
            {
                "objective": self.objective.state_dict(),
                "optimizers": {turn: optimizer.state_dict() for turn, optimizer in self.optimizers.items()},
                "ema": self.ema,
                "batches": self.batches.state(),
                "pending": self.metrics.pending(),
                "update": self.update,
                "stale": self.stale,
                "skipped": self.skipped,
                "held": self._held_out(),
                "seconds": self.seconds,
            },
        )
        self.stage.progress(self.counts())

    def load(self) -> bool:
        state = self.checkpoints.load()
        if state is None:
            return False
        self.objective.load_state_dict(state["objective"])
        for turn, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][turn])
        if self.ema is not None:
            self.ema = {k: v.to(self.device) for k, v in state["ema"].items()}
        self.update, self.stale, self.skipped, self.seconds = (state[k] for k in ("update", "stale", "skipped", "seconds"))
        if not self.batches.load(state["batches"]):
            print(f"{self.objective.name}: the data has changed since update {self.update}; a new epoch begins", flush=True)
        if state.get("held", self._held_out()) != self._held_out():
            print(f"{self.objective.name}: other utterances are held out than before, so earlier scores count no more", flush=True)
            self.checkpoints.forget_best()
            self.unranked = True
        self.metrics.rewind(self.update)
        self.metrics.restore(state["pending"])
        return True

    def counts(self) -> dict[str, Any]:
        ranked = self.checkpoints.best()
        return {
            "updates": self.update,
            "epochs": round(self.batches.passes, 3),
            "hours": round(self.seconds / 3600, 3),
            "parameters": sum(p.numel() for p in self.objective.parameters()),
            "train_utterances": len(self.train),
            "valid_utterances": len(self.valid),
            "skipped_updates": self.skipped,
            "best": {"score": ranked[0][0], "file": ranked[0][1].name} if ranked else None,
        }

    # the loop --------------------------------------------------------------------------------------------------------

    def fit(self, minutes: float | None = None, until: int | None = None) -> str:
        """Train to `updates`, or save and return after `minutes`, at update `until`, or when asked to stop by a signal.

        "done", "stopped" (go on by calling again) or "early" (no new best for `patience` validations).
        """
        s = self.settings
        resumed = self.load()
        started = saved = time.monotonic()
        before = self.seconds
        if not resumed:
            self._initial()
        with interruptible() as asked, Report(self.objective.name, s.updates, self.update) as report, self._loader() as load:
            if self.unranked and self.held:
                self._validated(report)  # at once: there may be no update left, and without a best checkpoint nothing can be exported
                self.unranked = False
            outcome, seen, since = "done", 0.0, time.monotonic()
            while self.update < s.updates:
                micros = [load() for _ in range(s.accumulate)]
                self._step([{k: to_device(v, self.device) for k, v in m.items()} for m in micros])
                self.update += 1
                now = time.monotonic()
                self.seconds = before + now - started
                report.at(self.update)
                if self.update % s.log_every == 0:
                    self.metrics.add({"lr": s.lr * rate(s, self.update - 1), "updates_per_second": s.log_every / max(now - since, 1e-9)})
                    values = self.metrics.flush(self.update, self.batches.passes, "train")
                    since = now
                    if self.update % (s.log_every * 5) == 0 or report.bar is None and now - seen > 30:
                        report.line(self.update, values)
                        seen = now
                if self.held and (self.update % s.validate_every == 0 or self.update == s.updates):
                    self._validated(report)
                    since = time.monotonic()
                    if s.patience and self.stale >= s.patience:
                        outcome = "early"
                        break
                if asked() or (until is not None and self.update >= until) or (minutes and now - started > 60 * minutes):
                    outcome = "done" if self.update >= s.updates else "stopped"
                    break
                if now - saved > 60 * s.save_minutes:
                    self.save()
                    saved = now
            self.save()
        if outcome != "stopped":
            self.stage.finish(self.counts())
        return outcome

    def _initial(self) -> None:
        """What the untrained model scores, so that every curve starts at update 0."""
        if self.held:
            with self._averaged():
                self.metrics.write(0, 0.0, "valid", self.validate())

    @contextmanager
    def _loader(self):
        """Yields a function that gives the next collated batch and moves the sampler's position only then."""
        if not self.settings.loaders:

            def read() -> dict[str, Any]:
                seed = (self.batches.epoch, self.batches.position)
                indices = self.batches.next()
                return self._batch(self.train, indices, True, *seed) | {"indices": indices}

            yield read
            return
        source = iter(
            DataLoader(
                _Collated(self),
                batch_size=None,
                sampler=_Order(self.batches),
                num_workers=self.settings.loaders,
                prefetch_factor=4,
                pin_memory=self.device.type == "cuda",
                worker_init_fn=_deaf,
                multiprocessing_context="fork",  # the processes share what the parent has read
            )
        )

        def take() -> dict[str, Any]:
            batch = next(source)
            self.batches.next()
            return batch

        try:
            yield take
        finally:
            source._shutdown_workers()


def _deaf(worker: int) -> None:
    """A signal to all processes of a group is for the one that saves."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Order:
    """The places and indices of the batches from now on, without end."""

    def __init__(self, batches: Batches):
        self.batches = batches

    def __iter__(self) -> Iterator[tuple[tuple[int, int], list[int]]]:
        ahead = Batches(self.batches.lengths, self.batches.budget, self.batches.seed, self.batches.window)
        ahead.load(self.batches.state())
        while True:
            place = (ahead.epoch, ahead.position)
            yield place, ahead.next()


class _Collated(torch.utils.data.Dataset):
    """What a reading process does: one training batch, by its place and indices."""

    def __init__(self, trainer: Trainer):
        self.trainer = trainer

    def __getitem__(self, which: tuple[tuple[int, int], list[int]]) -> dict[str, Any]:
        place, indices = which
        return self.trainer._batch(self.trainer.train, indices, True, *place) | {"indices": indices}
