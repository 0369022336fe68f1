"""
A trained voice in the layout of the official release, which `cosyvoice convert` reads like any other.

Written as halves, the matrices lie on the f16 grid in PyTorch and in the engine alike: an f16 conversion changes nothing more,
and the reference bundle beside it is exact for both.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..bundle import write_bundle
from ..cases import HEARING as HEARING_CASES
from ..cases import SETS, record, text_cases
from ..checkpoint import DIRECTION, LENGTH, Model
from ..config import FlowConfig, LmConfig, VocoderConfig, read_yaml
from ..flow import Flow
from ..lm import Qwen2LM
from ..official_yaml import Sampling, Speaks, official_yaml
from ..onnx_writer import HALF_MAX, write_speaker, write_speech_tokenizer
from ..release import Sizes
from ..speaker import SpeakerEncoder
from ..speech_tokenizer import SpeechTokenizer
from ..stages import NEEDS
from ..vocabulary import read_vocabulary, write_blank_en
from ..vocoder import Hift
from . import speaker, tokenizer
from .checkpoints import averaged_best, best_files
from .encode import HEARS, stored_vectors
from .lm import LmSettings
from .recipe import table, training
from .run import Run, write_atomically
from .trainer import Objective


@dataclass(frozen=True)
class ExportSettings(Sampling):
    """`[export]` of a recipe: what the voice is, and how it is sampled."""

    about: str = "A voice trained from scratch."
    best: int = 3  # checkpoints of each training to average
    speaker: str = ""  # the corpus's name of the speaker, also the voice's
    others: tuple[str, ...] = ()  # more speakers that flow and vocoder have learned, as further stored voices
    half: bool = True
    start: str = ""  # a release in the official layout, of which everything is taken that this run has not trained
    languages: tuple[str, ...] = ("en",)  # of the corpus, as BCP 47 names them
    hearing: tuple[str, ...] = ()  # of "tokenizer" and "speaker": what is part of the release, for cloning and conversion


@dataclass
class Voice:
    """Everything a release holds. `vocabulary`: a folder with vocab.json and merges.txt; `speakers`: name -> [192]."""

    lm: Qwen2LM
    flow: Flow
    vocoder: Hift
    vocabulary: Path
    speakers: dict[str, Tensor]
    sampling: Sampling = field(default_factory=Sampling)
    speech_tokenizer: SpeechTokenizer | None = None
    speaker_encoder: SpeakerEncoder | None = None
    speaks: Speaks | None = None  # what it can say; None: everything


def sizes_of(lm: LmConfig, flow: FlowConfig, vocoder: VocoderConfig) -> Sizes:
    """The fields that `cosyvoice2.yaml` is written from. Refuses what the release's layout has no field for."""
    if lm.speech_codes != flow.codes:
        raise ValueError(f"export: the language model has {lm.speech_codes} speech codes and the flow {flow.codes}")
    fixed = Sizes(front_end=False)
    e = flow.estimator
    sizes = Sizes(
        lm_layers=lm.layers,
        lm_width=lm.width,
        lm_heads=lm.heads,
        lm_kv_heads=lm.kv_heads,
        lm_ffn=lm.ffn,
        text_rows=lm.text_rows,
        codes=flow.codes,
        flow_input=flow.input_width,
        flow_width=flow.width,
        flow_heads=flow.heads,
        flow_ffn=flow.ffn,
        flow_blocks=flow.blocks,
        flow_up_blocks=flow.up_blocks,
        estimator_channels=e.channels,
        estimator_heads=e.heads,
        estimator_head_dim=e.head_dim,
        estimator_blocks=e.blocks,
        estimator_mid_blocks=e.mid_blocks,
        hift_base=vocoder.base,
        f0_width=vocoder.f0_width,
        weight_norm=fixed.weight_norm,
        front_end=False,
    )
    for given, written in ((lm, sizes.lm), (flow, sizes.flow), (vocoder, sizes.vocoder)):
        differ = {k: v for k, v in asdict(given).items() if v != asdict(written)[k] and k not in ("top_p", "top_k")}
        if differ:
            raise ValueError(f"export: {type(given).__name__} has {differ}, which the layout cannot say")
    return sizes


def on_disk(state: dict[str, Tensor], half: bool) -> dict[str, Tensor]:
    """What a file holds: contiguous floats on the CPU; matrices as halves where asked. Tensors that share memory stay shared."""
    seen: dict[tuple, Tensor] = {}
    out = {}
    for name, value in state.items():
        value = value.detach()
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ValueError(f"export: {name} has values that are not finite; this checkpoint is damaged")
        key = (value.data_ptr(), value.shape)
        if key not in seen:
            narrow = half and value.dim() > 1 and value.is_floating_point()
            if narrow and float(value.abs().max()) > HALF_MAX:
                raise ValueError(f"export: {name} has a value of {float(value.abs().max()):.0f}, a half holds {HALF_MAX:.0f}")
            seen[key] = value.cpu().to(torch.float16 if narrow else torch.float32).contiguous()
        out[name] = seen[key]
    return out


def split_weight_norm(vocoder: Hift, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Plain weights -> length and direction, as `hift.pt` has them; the norm over every axis but the first."""
    normed = {f"{name}.weight" for name in vocoder.weight_normed()}
    out = {}
    for name, value in state.items():
        if name not in normed:
            out[name] = value
            continue
        base = name.removesuffix("weight")
        whole = value.float()
        out[base + LENGTH] = torch.norm_except_dim(whole, 2, 0)
        out[base + DIRECTION] = whole
    return out


def _save(path: Path, state: dict) -> None:
    part = path.with_name(path.name + ".part")
    torch.save(state, part)
    part.rename(path)


def write_voice(folder: Path, voice: Voice, half: bool = True, about: str = "A voice trained from scratch.") -> dict[str, str]:
    """Writes the release and returns the sha256 of each file."""
    sizes = sizes_of(voice.lm.config, voice.flow.config, voice.vocoder.config)
    folder.mkdir(parents=True, exist_ok=True)
    vocab, merges = read_vocabulary(voice.vocabulary)
    write_blank_en(folder / "CosyVoice-BlankEN", voice.lm.config, vocab, merges, header=True)
    (folder / "cosyvoice2.yaml").write_text(official_yaml(sizes, voice.sampling, about, voice.speaks), encoding="utf-8")
    _save(folder / "llm.pt", on_disk(voice.lm.state_dict(), half))
    _save(folder / "flow.pt", on_disk(voice.flow.state_dict(), half))
    _save(folder / "hift.pt", split_weight_norm(voice.vocoder, on_disk(voice.vocoder.state_dict(), half)))
    speakers = {name: {"embedding": vector.detach().cpu().float().reshape(1, -1).clone()} for name, vector in voice.speakers.items()}
    _save(folder / "spk2info.pt", speakers)
    for module, file, write in (
        (voice.speech_tokenizer, "speech_tokenizer_v2.onnx", write_speech_tokenizer),
        (voice.speaker_encoder, "campplus.onnx", write_speaker),
    ):
        if module is not None:
            write(folder / file, module.cpu().eval(), half)
        else:
            (folder / file).unlink(missing_ok=True)
    check(folder, voice)
    return {str(p.relative_to(folder)): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "export.json"}


def check(folder: Path, voice: Voice) -> None:
    """Reads the release back: every tensor is there, and differs by no more than its rounding."""
    model = Model(folder)
    for name, written, given in (("lm", model.lm, voice.lm), ("flow", model.flow, voice.flow), ("vocoder", model.vocoder, voice.vocoder)):
        _compare(name, written, given)
    if voice.speech_tokenizer is not None:
        _compare("speech tokenizer", model.speech_tokenizer, voice.speech_tokenizer)
    if voice.speaker_encoder is not None:
        _compare("speaker encoder", model.speaker, voice.speaker_encoder)


def _compare(part: str, written: nn.Module, given: nn.Module) -> None:
    expected = given.state_dict()
    for name, value in written.state_dict().items():
        want = expected[name].detach().cpu().float()
        bound = 2.0**-10 * want.abs().clamp(min=2.0**-14)
        if bool(((value.float() - want).abs() > bound).any()):
            raise ValueError(f"export: {part} {name} came back changed")


def write_reference(model: Path, folder: Path, cases: str = "short", seed: int = 0) -> int:
    """The bundle that `cosyvoice parity` and `verify` read; returns how many cases it has. Of a voice that hears, what it hears too."""
    loaded, lengths = Model(model), SETS[cases]
    if not lengths.audio and any((model / file).exists() for file in NEEDS.values()):
        lengths = replace(lengths, audio=HEARING_CASES.audio, resample=HEARING_CASES.resample)
    recorded = record(loaded, lengths, seed)
    write_bundle(folder, recorded, text_cases(loaded), f"cosyvoice_torch, torch {torch.__version__}")
    return sum(len(c) for c in recorded.values())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass
class Trained:
    """A training of the run, with the mean of its best checkpoints."""

    objective: Objective
    said: dict[str, Any]  # what `export.json` says of it
    speakers: set[str]
    characters: set[str]


def trained(run: Run, recipe: dict[str, Any], name: str, best: int) -> Trained:
    made = import_module(f".{name}", __package__).build(run, recipe)
    weights, files = averaged_best(run.path(name), best)
    made.objective.load_state_dict(weights)
    learned = made.dataset.split("train").items
    speakers, characters = {meta["speaker"] for meta in learned}, {c for meta in learned for c in meta["text"]}
    return Trained(made.objective.eval().requires_grad_(False), said_of(run, name, files), speakers, characters)


def speaks_of(recipe: dict[str, Any], settings: ExportSettings, lm: Trained | None) -> Speaks | None:
    """What the voice can say: what its language model learned, and what the release could from which it started."""
    learned, _ = training(recipe, "lm", LmSettings)
    begun_from = settings.start or learned.start
    before = read_yaml(Path(begun_from) / "cosyvoice2.yaml").get("speaks") if begun_from else None
    if begun_from and not before:
        return None  # a few hours more take nothing from a release that says everything
    known = Speaks(before["characters"], tuple(before["languages"]), tuple(before["modes"])) if before else Speaks("", (), ())
    if not lm:
        return known
    after_others = ("zero-shot", "cross-lingual") if learned.pairs > 0 and "tokenizer" in settings.hearing else ()
    union = lambda old, new: tuple(dict.fromkeys((*old, *new)))
    characters = "".join(sorted(lm.characters | set(known.characters)))
    return Speaks(characters, union(known.languages, settings.languages), union(known.modes, ("sft", *after_others)))


def said_of(run: Run, name: str, files: list[str]) -> dict[str, Any]:
    """What `export.json` says of a training and the checkpoints of it that are shipped."""
    record = json.loads(run.path(name, "stage.json").read_text(encoding="utf-8"))
    counts = {key: value for key, value in record["counts"].items() if key != "best"}
    return {"checkpoints": files, "settings": record["config_hash"], **counts}


def check_speakers(names: tuple[str, ...], learned: set[str]) -> None:
    """A vector that the flow has never met would be stored without a sign that it speaks with nobody's voice."""
    for name in names:
        if name not in learned:
            known = ", ".join(sorted(learned))
            raise ValueError(f"export: speaker {name!r} was not in the flow's training; [export] speaker and others must be among {known}")


def known_to(start: Model, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Vectors that a release's flow knows. @raises ValueError for a name that is not among its speakers"""
    stored = torch.load(start.folder / "spk2info.pt", map_location="cpu", weights_only=True)
    for name in names:
        if name not in stored:
            raise ValueError(f"export: {start.folder} has no speaker {name!r}; [export] speaker and others must be among {', '.join(stored)}")
    return {name: stored[name]["embedding"].flatten() for name in names}


def taken_over(start: Path, folder: Path, files: list[str]) -> dict[str, str]:
    """Files of a release, byte for byte into another; the sha256 of those it has."""
    there = [file for file in files if (start / file).exists()]
    for file in there:
        shutil.copyfile(start / file, folder / file)
    return {file: sha256(folder / file) for file in there}


def export(run: Run, recipe: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The run's trainings as a release in `folder`; returns what `export.json` says."""
    settings = table(recipe, "export", ExportSettings)
    unknown = set(settings.hearing) - set(HEARS)
    if unknown:
        raise ValueError(f"export: hearing names {', '.join(sorted(unknown))}: must be among {', '.join(HEARS)}")
    start = Model(Path(settings.start)) if settings.start else None
    if start and start.folder.resolve() == folder.resolve():
        raise ValueError(f"{folder}: the release to start from would be written over; name another folder")
    made = [name for name in ("vocoder", "flow", "lm") if start is None or run.path(name, "stage.json").exists()]
    parts = {name: trained(run, recipe, name, settings.best) for name in made}
    said = {name: part.said for name, part in parts.items()}
    names = (settings.speaker, *settings.others)
    if "flow" in parts:
        check_speakers(names, parts["flow"].speakers)
    inside = lambda name, kind: next(m for m in parts[name].objective.modules() if isinstance(m, kind)) if name in parts else getattr(start, name)
    voice = Voice(
        inside("lm", Qwen2LM),
        inside("flow", Flow),
        inside("vocoder", Hift),
        parts["lm"].objective.bpe.folder if "lm" in parts else start.folder / "CosyVoice-BlankEN",
        stored_vectors(run, names) if "flow" in parts else known_to(start, names),
        settings,
        tokenizer.trained(run)[0].tokenizer if "tokenizer" in settings.hearing else None,
        speaker.trained(run) if "speaker" in settings.hearing else None,
        speaks_of(recipe, settings, parts.get("lm")),
    )
    said |= {name: said_of(run, name, [best_files(run.path(name))[0].name]) for name in settings.hearing}
    files = write_voice(folder, voice, settings.half, settings.about)
    if start:
        files |= taken_over(start.folder, folder, [file for part, file in HEARS.items() if part not in settings.hearing])
    manifest = {"format": "cosyvoice-export-1", "files": files, "training": said}
    write_atomically(folder / "export.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    return manifest
