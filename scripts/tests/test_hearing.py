"""What hears other speakers: distortions, the robust encoder for frozen codes, the small speaker encoder, their files."""

import json
import random
from dataclasses import asdict

import onnx
import pytest
import torch
from cosyvoice_torch.features import fbank, whisper_mel
from cosyvoice_torch.onnx_weights import read_onnx
from cosyvoice_torch.speaker import SpeakerEncoder, SpeakerSizes
from cosyvoice_torch.speaker import from_state as speaker_from_state
from cosyvoice_torch.speech_tokenizer import Quantizer
from cosyvoice_torch.speech_tokenizer import from_state as tokenizer_from_state
from cosyvoice_torch.training.corpus import CorpusSettings, make_corpus
from cosyvoice_torch.training.data import speaker_vector
from cosyvoice_torch.training.distort import along_frequency, distorted, echoed, recorded
from cosyvoice_torch.training.encode import encode
from cosyvoice_torch.training.features import make_features
from cosyvoice_torch.training.hearing import figures, halved, networks, rows, write_networks
from cosyvoice_torch.training import robust
from cosyvoice_torch.training.report import write_report
from cosyvoice_torch.training.robust import EDGE, build, decision_loss
from cosyvoice_torch.training.run import Run
from cosyvoice_torch.training.speaker import HEARD, SpeakerObjective, SpeakerSettings, folded, with_norms
from cosyvoice_torch.training.train import train
from onnx.reference import ReferenceEvaluator

SETTINGS = dict(updates=8, batch=300, lr=5e-3, warmup=3, validate_every=4, log_every=2)
VOICE = {"tokenizer": {"width": 64, "layers": 1, "ffn": 64, "dims": 3, "decoder_layers": 1, "train": SETTINGS}}
HEARING = {
    "robust": {"voice": "../voice", "train": SETTINGS | {"lr": 1e-3}},
    "speaker": {"head": 2, "channels": 8, "growth": 4, "bottleneck": 8, "layers": [1, 2], "seconds": 0.5, "train": SETTINGS | {"batch": 8}},
}
TEACHERS = "synthetic synthetic-60-85 synthetic-140-115"


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def tone(hertz, seconds=1.0, rate=16000):
    return 0.3 * torch.sin(2 * torch.pi * hertz * torch.arange(round(seconds * rate)) / rate)


def test_distortions_are_of_the_seed_and_keep_the_range():
    mel = whisper_mel(tone(440) + 0.01 * torch.randn(16000, generator=seeded(0))).T
    assert distorted(mel, seeded(5)).equal(distorted(mel, seeded(5)))
    heard = [distorted(mel, seeded(n)) for n in range(40)]
    assert all(h.shape == mel.shape and bool(torch.isfinite(h).all()) for h in heard)
    assert all(float(h.max() - h.min()) <= 2.0001 for h in heard) and sum(h.equal(mel) for h in heard) < 3
    samples = tone(440)
    assert recorded(samples, seeded(1)).shape == samples.shape and bool(torch.isfinite(recorded(samples, seeded(1))).all())


def test_the_frequency_axis_moves_as_the_sound_would():
    low, high = (whisper_mel(tone(hertz)).T for hertz in (1000, 1150))
    moved = along_frequency(low, 1.15)
    assert abs(int(moved[20].argmax()) - int(high[20].argmax())) <= 1
    assert along_frequency(low, 1.0).allclose(low, atol=1e-5)


def test_an_echo_follows_its_sound():
    power = torch.zeros(40, 3)
    power[10] = 1
    heard = echoed(power, 0.5, 5.0)
    assert heard[:10].abs().max() < 1e-6 and heard[10].allclose(torch.ones(3))
    assert bool((heard[11:30].diff(dim=0) < 0).all()) and abs(float(heard[11:, 0].sum()) - 0.5) < 0.05


def test_decisions_lie_where_the_quantizer_rounds():
    just = torch.tensor([[EDGE - 1e-3, EDGE + 1e-3, -EDGE + 1e-3, -EDGE - 1e-3]])
    ids = Quantizer.ids(just)
    assert (ids[0] // 3 ** torch.arange(4) % 3 - 1).tolist() == [0, 1, 0, -1]
    sure = 3 * torch.tensor([[0.0, 1.0, 0.0, -1.0]])
    assert decision_loss(sure, ids, 0.25) < 0.9 < decision_loss(-sure, ids, 0.25)
    assert abs(float(decision_loss(torch.tensor([[EDGE]]), torch.tensor([1]), 0.25)) - 0.7) < 0.02  # ln 2, and a sure one


def test_norms_fold_into_the_convolutions():
    sizes = SpeakerSizes(head=2, channels=8, layers=(1, 2), growth=4, bottleneck=8)
    encoder = with_norms(SpeakerEncoder(sizes)).train()
    for seed in range(3):
        encoder.batched(3 * torch.randn(4, 60, 80, generator=seeded(seed)))
    for name, parameter in encoder.named_parameters():
        if "norm" in name or name.endswith("mean"):
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=seeded(len(name))))
    features = torch.randn(2, 70, 80, generator=seeded(9))
    before = encoder.eval().batched(features)
    plain = folded(encoder, sizes)
    assert plain.state_dict().keys() == SpeakerEncoder(sizes).state_dict().keys()
    assert plain.batched(features).allclose(before, atol=1e-4)


def test_speakers_are_told_apart_and_called_by_their_vectors():
    settings = SpeakerSettings(head=2, channels=8, growth=4, bottleneck=8, layers=(1, 1), seconds=0.5, played=0.0, distorted=0.0)
    objective = SpeakerObjective(settings, ["ann", "ann-60-90", "bob"]).train()
    assert objective.known == ["ann", "ann-60-90", "bob"]  # hibari and synthetic alone have others in their time
    items = [{"speaker": name, "audio": tone(hertz, 1, 24000)} for name, hertz in (("ann", 300), ("bob", 900)) for _ in range(3)]
    optimizer = torch.optim.AdamW(objective.parameters(), 1e-2)
    with torch.enable_grad():
        for update in range(60):
            loss, numbers = objective.loss(objective.collate(items, seeded(update), True), seeded(0), "main", update)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert numbers["right"] == 1.0 and numbers["cosine_known"] > 0.8
    encoder = folded(objective.eval().encoder, settings.sizes)
    vector = encoder(fbank(tone(300, 0.5)))
    assert torch.cosine_similarity(vector, speaker_vector("ann"), dim=0) > torch.cosine_similarity(vector, speaker_vector("bob"), dim=0)


def test_another_speed_is_another_person():
    objective = SpeakerObjective(SpeakerSettings(head=2, channels=8, growth=4, bottleneck=8, layers=(1,), seconds=0.5, played=1.0), ["synthetic", "synthetic-60-85"])
    batch = objective.collate([{"speaker": "synthetic", "audio": tone(300, 1, 24000)}] * 6, seeded(0), True)
    assert all(objective.people[i][1] != HEARD for i in batch["person"].tolist())
    held = objective.collate([{"speaker": "synthetic-60-85", "audio": tone(300, 1, 24000)}], seeded(0), False)
    assert objective.people[int(held["person"])] == ("synthetic-60-85", HEARD) and int(objective.fixed.sum()) == 1


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    rng = random.Random(0)
    lines = [" ".join("".join(rng.choice("aeioubdgklmnrst") for _ in range(4)) for _ in range(3)) for _ in range(40)]
    (folder / "lines.txt").write_text("\n".join(lines))
    voice, hearing = Run(folder / "voice"), Run(folder / "hearing")
    for run, teachers in ((voice, "synthetic"), (hearing, TEACHERS)):
        make_corpus(run, CorpusSettings(teacher=teachers, sentences=str(folder / "lines.txt"), valid=8, test=12), None, processes=1)
        make_features(run, processes=1)
    with torch.enable_grad():
        assert train(voice, VOICE, "tokenizer") == "done"
        encode(voice, processes=1)
        first = figures(hearing, HEARING)
        assert set(first) == {"first", "first distorted"} and first["first"]["synthetic"]["agreed"] == 1.0
        for name in ("robust", "speaker"):
            assert train(hearing, HEARING, name) == "done"
    return voice, hearing


def test_a_voice_learns_to_hear_others(runs):
    voice, hearing = runs
    objective = build(hearing, HEARING).objective.train()
    before = {k: v.clone() for k, v in objective.state_dict().items()}
    said = figures(hearing, HEARING)
    assert {"robust", "robust distorted", "speaker"} <= set(said) and set(said["robust"]) <= set(TEACHERS.split())
    assert set(said["speaker"]) == {"synthetic"}
    trained = networks(hearing)[0].state_dict()
    assert any(not value.equal(before[f"tokenizer.{name}"]) for name, value in trained.items())
    assert all(name.startswith(("tokenizer.", "decoder.")) for name in before)
    assert objective.turns()["main"] == list(objective.tokenizer.parameters())


def test_what_reads_phonemes_stays_as_it_was(runs):
    from cosyvoice_torch.training.robust import trained
    from cosyvoice_torch.training.tokenizer import trained as first

    a, b = trained(runs[1]).decoder.state_dict(), first(runs[0])[0].decoder.state_dict()
    assert all(value.equal(b[name]) for name, value in a.items())


def test_the_files_hold_halves_and_say_what_the_networks_say(runs, tmp_path):
    tokenizer, encoder = networks(runs[1])
    write_networks(tmp_path, tokenizer, encoder)
    mel, features = torch.randn(1, 128, 61, generator=seeded(1)), torch.randn(120, 80, generator=seeded(2))
    for file, module, read in (("speech_tokenizer_v2.onnx", tokenizer, tokenizer_from_state), ("campplus.onnx", encoder, speaker_from_state)):
        graph = onnx.load(str(tmp_path / file)).graph
        wide = [t for t in graph.initializer if len(t.dims) > 1]
        assert wide and all(t.data_type == onnx.TensorProto.FLOAT16 for t in wide)
        again, half = read(read_onnx(tmp_path / file)), halved(module)
        assert all(value.equal(half.state_dict()[name]) for name, value in again.state_dict().items())
    feed = {"mel": mel.numpy(), "mel_length": torch.tensor([61]).int().numpy()}
    ids = ReferenceEvaluator(str(tmp_path / "speech_tokenizer_v2.onnx")).run(None, feed)[0]
    assert ids[0].tolist() == halved(tokenizer)(mel)[1].tolist()
    vector = ReferenceEvaluator(str(tmp_path / "campplus.onnx")).run(None, {"input": features[None].numpy()})[0]
    assert torch.from_numpy(vector)[0].allclose(halved(encoder)(features), atol=1e-4)


def test_codes_count_only_for_who_keeps_the_voices_time(runs, tmp_path):
    voice, hearing = runs
    stage = voice.path("corpus", "stage.json")
    record = json.loads(stage.read_text())
    try:
        stage.write_text(json.dumps(record | {"config": record["config"] | {"teacher": "synthetic-60-85"}}))
        data = build(hearing, HEARING).dataset
        assert {data.group(meta) for meta in data.all if meta["speaker"] == "synthetic"} == {2}
    finally:
        stage.write_text(json.dumps(record))


SPOKEN = {
    "flow": dict(input_width=16, width=16, heads=1, ffn=16, blocks=1, up_blocks=1, channels=16, estimator_heads=1, estimator_head_dim=16, mid_blocks=1)
    | {"also": "../hearing", "train": SETTINGS},
    "vocoder": {"base": 16, "f0_width": 16, "crop": 8, "period_width": 1, "spectrum_width": 2, "also": "../hearing", "train": SETTINGS},
    "bpe": {"merges": 8},
    "lm": {"layers": 1, "width": 16, "heads": 2, "kv_heads": 1, "ffn": 16, "train": SETTINGS},
}


def test_a_voice_learns_other_speakers_from_a_hearing_run(runs):
    from cosyvoice_torch.training import flow, vocoder
    from cosyvoice_torch.training.run import Stage

    voice, hearing = runs
    stage = encode(hearing, processes=1)
    assert stage.config["score"] == Stage.existing(hearing, "robust").record["counts"]["best"]["score"]
    assert stage.done() and encode(hearing).record == stage.record
    for module, inputs in ((flow, {"encode", "hearing/encode"}), (vocoder, {"features", "hearing/features"})):
        made = module.build(voice, SPOKEN)
        train_items = made.dataset.split("train").items
        assert {meta["speaker"] for meta in train_items} == {"synthetic", "synthetic-60-85", "synthetic-140-115"}
        assert set(Stage(voice, made.objective.name, {}, made.inputs).inputs) == inputs
        held = {meta["id"] for meta in made.dataset.all if meta["split"] != "train"}
        assert held and not held & {meta["id"] for meta in train_items}
        with torch.enable_grad():
            assert train(voice, SPOKEN, made.objective.name) == "done"
        said = Stage.existing(voice, made.objective.name).config
        assert all(said[key] == value for key, value in asdict(made.objective.settings).items())
    with pytest.raises(FileNotFoundError, match="no such run"):
        flow.build(voice, {"flow": {"also": "../elsewhere"}})


def test_each_joined_utterance_keeps_its_own_codes(runs):
    from cosyvoice_torch.training.data import Dataset, Joined

    voice, hearing = runs
    encode(hearing, processes=1)
    parts = [Dataset(run.path("features"), ["tokens", "speaker"], tokens=run.path("encode")) for run in (voice, hearing)]
    joined = Joined(parts)
    both = {meta["id"] for meta in parts[0].all} & {meta["id"] for meta in parts[1].all}
    assert both
    for i, meta in enumerate(joined.items):
        place = next(n for n, other in enumerate(parts[meta["part"]].items) if other["id"] == meta["id"])
        assert joined[i]["tokens"].equal(parts[meta["part"]][place]["tokens"])
        assert joined[i]["speaker"].equal(speaker_vector(meta["speaker"]))


def test_an_exported_voice_says_who_hears_for_it(runs, tmp_path):
    from cosyvoice_torch.training.export import export

    voice, hearing = runs
    encode(hearing, processes=1)
    with torch.enable_grad():
        for name in ("flow", "vocoder", "lm"):
            assert train(voice, SPOKEN, name) == "done"
    recipe = SPOKEN | {"export": {"speaker": "synthetic", "others": ["synthetic-60-85"], "hearing": "../hearing"}}
    said = export(voice, recipe, tmp_path / "model")
    assert set(said["training"]) == {"flow", "vocoder", "lm", "robust", "speaker"} and "campplus.onnx" in said["files"]
    for name in ("robust", "speaker"):
        record = json.loads(hearing.path(name, "stage.json").read_text())
        assert said["training"][name]["checkpoints"] == [record["counts"]["best"]["file"]]
        assert said["training"][name]["settings"] == record["config_hash"]
    recipe["export"] |= {"others": ["synthetic-60-58"]}
    with pytest.raises(ValueError, match="speaker 'synthetic-60-58' .* among synthetic, synthetic-140-115, synthetic-60-85"):
        export(voice, recipe, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_report_of_a_hearing_run_has_its_figures(runs, tmp_path):
    said = figures(runs[1], HEARING)
    (page,) = json.loads(runs[1].path("figures.json").read_text())
    assert page["rows"] == rows(said) and all(len(row) == len(page["columns"]) for row in page["rows"])
    text = write_report(runs[1].folder, tmp_path / "report.html").read_text()
    assert page["title"] in text and "synthetic-140-115" in text and "robust distorted" in text


def test_codes_of_a_tokenizer_that_was_begun_anew_are_not_heard_by_the_old_encoder(runs):
    """The same number of updates, so that the best file has the same name."""
    voice, hearing = runs
    encode(hearing, processes=1)
    changed = {}
    try:
        for name, path in (("counts", ("best", "score")), ("config", ("score",))):
            stage = voice.path("tokenizer" if name == "counts" else "encode", "stage.json")
            changed[stage] = stage.read_text()
            record = json.loads(changed[stage])
            inside = record[name][path[0]] if len(path) > 1 else record[name]
            inside[path[-1]] = 0.125
            stage.write_text(json.dumps(record))
        for call in (lambda: robust.trained(hearing), lambda: encode(hearing), lambda: networks(hearing)):
            with pytest.raises(ValueError, match=r"it has learned the codes of the tokenizer best-.*\(score 0.1250.*train robust --restart"):
                call()
    finally:
        for stage, text in changed.items():
            stage.write_text(text)


def test_names_with_blanks_are_whole(tmp_path):
    from cosyvoice_torch.training import speaker
    from cosyvoice_torch.training.run import Stage
    from safetensors.torch import save_file

    settings = SpeakerSettings(head=2, channels=8, growth=4, bottleneck=8, layers=(1,))
    objective = SpeakerObjective(settings, ["Anna Smith", "bob"])
    run = Run(tmp_path)
    stage = Stage(run, "speaker", objective.state())
    stage.begin()
    (stage.folder / "checkpoints").mkdir()
    save_file(objective.state_dict(), stage.folder / "checkpoints" / "best-00000001.safetensors", {"score": "1.0"})
    assert speaker.trained(run).state_dict().keys() == SpeakerEncoder(settings.sizes).state_dict().keys()
