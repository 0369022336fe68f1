"""
The whole path in miniature: a corpus of a handful of sentences, features, all trainings, export, then the engine: convert, speak,
parity. Any step that fails ends it. What comes out is not speech; that it comes out, and the same from PyTorch and from the engine,
is the point.
"""

import importlib.util
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import soundfile

from .corpus import CorpusSettings, make_corpus
from .encode import embed, encode
from .export import export, write_reference
from .features import make_features
from .recipe import table
from .report import write_report
from .run import Run
from .spelling import make_spelling
from .train import train

SENTENCES = """
The ferry left the harbour at dawn.
Nobody on the pier waved.
She counted the lanterns twice.
Please read this sentence slowly.
The kettle is on, so sit down.
Snow fell over the quiet valley.
They are sure that it is fine.
A good voice is not loud.
The engine hums and the numbers agree.
He walked home along the river.
What did the radio say?
My sister keeps bees behind the barn.
The lamp went out before midnight.
We bought bread, cheese and apples.
The old clock was never wrong.
Rain is expected in the mountains.
"""
PARITY_STAGES = "tokenizer,normalize,resample,mel24k,fbank,whisper_mel,speech_tokenizer,speaker,lm,lm_greedy,flow,vocoder,whole"


@dataclass
class Step:
    name: str
    seconds: float
    said: str


def toy(
    folder: Path, recipe: dict[str, Any], engine: list[str], text: str = "Hello, it works.", adapter: str | None = None
) -> Iterator[Step]:
    """
    Yields every step when it is done. `engine`: the command line program, such as ["npx", "cosyvoice"]; none leaves its steps out.
    @raises RuntimeError with the engine's own words when one of its commands fails
    """
    run, release, model, wav = Run(folder), folder / "release", folder / "model", folder / "samples" / "toy.wav"
    corpus = _corpus_settings(run, recipe)
    recipe = recipe | {"export": {"speaker": corpus.teacher} | recipe.get("export", {})}
    yield _timed("corpus", lambda: make_corpus(run, corpus, None, processes=1).record["counts"])
    yield _timed("features", lambda: make_features(run, processes=1).record["counts"])
    for name in ("tokenizer", "speaker"):
        yield _timed(f"train {name}", lambda name=name: train(run, recipe, name))
    yield _timed("encode", lambda: encode(run, processes=1).record["counts"])
    yield _timed("embed", lambda: embed(run, processes=1).record["counts"])
    yield _timed("spelling", lambda: make_spelling(run, None, processes=1).record["counts"])
    for name in ("vocoder", "flow", "lm"):
        yield _timed(f"train {name}", lambda name=name: train(run, recipe, name))
    yield _timed("export", lambda: sorted(export(run, recipe, release / "model")["files"]))
    yield _timed("reference bundle", lambda: f"{write_reference(release / 'model', release)} cases")
    if engine:
        call = lambda *arguments: _engine([*engine, *(["--adapter", adapter] if adapter else []), *map(str, arguments)])
        yield _timed("convert", lambda: call("convert", release / "model", model, "--dtype", "f16", "--force"))
        wav.parent.mkdir(parents=True, exist_ok=True)
        yield _timed("speak", lambda: _speak(call, model, wav, text))
        yield _timed("parity", lambda: _parity(call, model, release, folder / "parity.json"))
    yield _timed("report", lambda: str(write_report(folder, folder / "report.html", "A toy").stat().st_size) + " bytes")


def _corpus_settings(run: Run, recipe: dict[str, Any]) -> CorpusSettings:
    """The sentences above, by the real teacher where it is installed."""
    sentences = run.path("sentences.txt")
    sentences.write_text(SENTENCES.strip() + "\n", encoding="utf-8")
    settings = table(recipe, "corpus", CorpusSettings)
    named = "teacher" in recipe.get("corpus", {})
    found = "hibari" if importlib.util.find_spec("hibari") else "synthetic"
    return replace(settings, sentences=str(sentences), teacher=settings.teacher if named else found)


def _timed(name: str, work: Callable[[], Any]) -> Step:
    started = time.monotonic()
    said = work()
    return Step(name, time.monotonic() - started, said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))


def _engine(command: list[str]) -> str:
    """Its last line; the engine reports progress on stderr and results on stdout."""
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr.strip()[-4000:]}\n{done.stdout.strip()[-4000:]}")
    lines = done.stdout.strip().splitlines()
    return lines[-1] if lines else ""


def _speak(call: Callable[..., str], model: Path, wav: Path, text: str) -> str:
    call("speak", text, "--model", model, "--output", wav)
    samples, rate = soundfile.read(wav)
    wav.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    if not len(samples):
        raise RuntimeError(f"{wav}: the engine spoke no samples")
    return f"{len(samples) / rate:.2f} s of sound, peak {abs(samples).max():.2f}"


def _parity(call: Callable[..., str], model: Path, release: Path, rows: Path) -> str:
    return call("parity", model, "--reference", release, "--stages", PARITY_STAGES, "--json", rows)
