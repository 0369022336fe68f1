"""From a recipe to a training: every objective's module offers `build(run, recipe)`, and this file runs what it gives."""

from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from typing import Any

from .data import Dataset
from .run import Run, Stage
from .trainer import GROWS, Objective, Trainer, TrainSettings

NAMES = ("tokenizer", "vocoder", "flow", "lm")
"""Of a voice."""
HEARING = ("robust", "speaker")
"""Of what hears other speakers."""


@dataclass
class Training:
    """What `build` gives: `dataset` with the objective's fields and all splits; `inputs`: the stages it reads."""

    objective: Objective
    dataset: Dataset
    settings: TrainSettings
    inputs: list[Stage] = field(default_factory=list)


def train(run: Run, recipe: dict[str, Any], name: str, minutes: float | None = None, restart: bool = False, overrides: dict[str, Any] | None = None) -> str:
    """Go on with a training of the run, or begin it: "done", "early" or "stopped" (call again to go on).

    A finished training is left alone unless its settings grew (more updates).
    """
    if name not in NAMES + HEARING:
        raise ValueError(f"training {name}: must be one of {', '.join(NAMES + HEARING)}")
    made: Training = import_module(f".{name}", __package__).build(run, recipe)
    settings = replace(made.settings, **(overrides or {}))
    stage = Stage(run, name, {**made.objective.state(), **asdict(settings)}, made.inputs, grows=GROWS)
    if stage.done() and not restart:
        return "done"
    if stage.begin(restart) == "extend" and stage.inputs_changed:
        print(f"{name}: what it reads has changed since it began; it goes on with the new data", flush=True)
    return Trainer(stage, made.objective, made.dataset, settings).fit(minutes)
