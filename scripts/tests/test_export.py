from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cosyvoice_torch.checkpoint import Model, build
from cosyvoice_torch.bundle import read_bundle
from cosyvoice_torch.flow import Flow
from cosyvoice_torch.lm import Qwen2LM
from cosyvoice_torch.official_yaml import Sampling, Speaks
from cosyvoice_torch.release import Sizes
from cosyvoice_torch.sample_text import LINES
from cosyvoice_torch.speaker import SpeakerEncoder, SpeakerSizes
from cosyvoice_torch.speech_tokenizer import SpeechTokenizer
from cosyvoice_torch.synthetic import fill_random
from cosyvoice_torch.training.bpe import train_bpe
from cosyvoice_torch.training.export import ExportSettings, Trained, Voice, check, check_speakers, on_disk, sizes_of, speaks_of, write_reference, write_voice
from cosyvoice_torch.training.lm import LmSettings
from cosyvoice_torch.verify import verify
from cosyvoice_torch.vocabulary import text_rows
from cosyvoice_torch.vocoder import Hift

SMALL = Sizes(
    **dict(lm_layers=1, lm_width=16, lm_heads=2, lm_kv_heads=1, lm_ffn=24, codes=27),
    **dict(flow_input=16, flow_width=16, flow_heads=2, flow_ffn=24, flow_blocks=1, flow_up_blocks=1),
    **dict(estimator_channels=16, estimator_heads=2, estimator_head_dim=8, estimator_blocks=1, estimator_mid_blocks=1),
    **dict(hift_base=16, f0_width=8, front_end=False),
)
OWN = Sampling(top_p=0.5, tau_r=0.3, min_token_text_ratio=1, max_token_text_ratio=12)


def filled(kind: type, config) -> torch.nn.Module:
    module = build(kind, config).to_empty(device="cpu")
    for name, value in module.state_dict().items():
        fill_random(3)(name, value)
    if kind is Qwen2LM:
        module.llm.model.lm_head.weight = module.backbone.embed_tokens.weight
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Voice:
    bpe = train_bpe(LINES, 40, tmp_path_factory.mktemp("bpe"))
    sizes = replace(SMALL, text_rows=text_rows(bpe.vocab))
    parts = (filled(Qwen2LM, sizes.lm), filled(Flow, sizes.flow), filled(Hift, sizes.vocoder))
    return Voice(*parts, bpe.folder, {"ann": torch.ones(192) / 192**0.5}, OWN)


def test_an_export_reads_back(voice: Voice, tmp_path: Path):
    files = write_voice(tmp_path, voice, half=False)
    model = Model(tmp_path)
    assert set(files) >= {"llm.pt", "flow.pt", "hift.pt", "cosyvoice2.yaml", "spk2info.pt", "CosyVoice-BlankEN/merges.txt"}
    for written, given in ((model.lm, voice.lm), (model.flow, voice.flow)):
        assert all(value.equal(given.state_dict()[name]) for name, value in written.state_dict().items())
    assert model.config.lm.top_p == 0.5 and model.config.yaml["llm"]["sampling"]["tau_r"] == 0.3
    assert model.config.yaml["llm"]["max_token_text_ratio"] == 12
    assert torch.load(tmp_path / "spk2info.pt", weights_only=True)["ann"]["embedding"].shape == (1, 192)


def test_what_a_voice_can_say_is_written_where_the_engine_reads_it(voice: Voice, tmp_path: Path):
    speaks = Speaks(" !\"'-.:;?aä你", ("en", "de"), ("sft", "zero-shot"))
    write_voice(tmp_path, replace(voice, speaks=speaks, sampling=replace(OWN, segment_length=8, segment_limit=40)))
    written = Model(tmp_path).config.yaml
    assert written["speaks"] == {"characters": speaks.characters, "languages": ["en", "de"], "modes": ["sft", "zero-shot"]}
    assert (written["segment_length"], written["segment_limit"]) == (8, 40)
    write_voice(tmp_path, voice)
    assert not {"speaks", "segment_length", "segment_limit"} & Model(tmp_path).config.yaml.keys()


def test_a_voice_can_say_what_it_learned_and_what_its_release_could(voice: Voice, tmp_path: Path):
    lm = Trained(torch.nn.Module(), {}, {"ann"}, set("cba."))
    hears = ExportSettings(hearing=("tokenizer",))
    assert speaks_of({}, hears, lm) == Speaks(".abc", ("en",), ("sft",))
    assert speaks_of({"lm": {"pairs": 0.3, "train": {"updates": 5}}}, hears, lm).modes == ("sft", "zero-shot", "cross-lingual")
    write_voice(tmp_path, voice)
    for recipe, settings in (({"lm": {"start": str(tmp_path)}}, hears), ({}, ExportSettings(start=str(tmp_path)))):
        assert speaks_of(recipe, settings, lm) is None
    write_voice(tmp_path, replace(voice, speaks=Speaks("xyz", ("de",), ("sft", "instruct"))))
    tuned = speaks_of({}, ExportSettings(start=str(tmp_path)), lm)
    assert tuned == Speaks(".abcxyz", ("de", "en"), ("sft", "instruct"))
    assert speaks_of({}, ExportSettings(start=str(tmp_path)), None) == Speaks("xyz", ("de",), ("sft", "instruct"))


def test_halves_take_half_the_room_and_read_as_floats(voice: Voice, tmp_path: Path):
    write_voice(tmp_path / "whole", voice, half=False)
    write_voice(tmp_path / "half", voice, half=True)
    state = torch.load(tmp_path / "half" / "flow.pt", weights_only=True)
    assert all(value.dtype == (torch.float16 if value.dim() > 1 else torch.float32) for value in state.values())
    whole, half = Model(tmp_path / "whole", half=True), Model(tmp_path / "half")
    for a, b in ((whole.lm, half.lm), (whole.flow, half.flow)):
        assert all(value.dtype == torch.float32 and value.equal(a.state_dict()[n]) for n, value in b.state_dict().items())


def test_the_tied_head_is_written_once(voice: Voice, tmp_path: Path):
    write_voice(tmp_path, voice)
    state = torch.load(tmp_path / "llm.pt", weights_only=True)
    assert state["llm.model.lm_head.weight"].data_ptr() == state["llm.model.model.embed_tokens.weight"].data_ptr()


def test_the_vocoder_is_written_as_length_and_direction(voice: Voice, tmp_path: Path):
    write_voice(tmp_path, voice)
    state = torch.load(tmp_path / "hift.pt", weights_only=True)
    assert "conv_pre.weight" not in state and "source_downs.0.weight" in state
    g = state["conv_pre.parametrizations.weight.original0"]
    v = state["conv_pre.parametrizations.weight.original1"]
    assert torch.allclose(g.flatten(), v.flatten(1).norm(dim=1))
    assert torch.allclose(v, voice.vocoder.conv_pre.weight, rtol=2**-10)


def test_a_reference_bundle_is_met_by_the_release_it_came_from(voice: Voice, tmp_path: Path):
    write_voice(tmp_path / "model", voice)
    assert write_reference(tmp_path / "model", tmp_path) > 15
    assert [row for row in verify(tmp_path) if row.verdict == "fail"] == []


def networks(seed: int) -> dict[str, torch.nn.Module]:
    made = {
        "speech_tokenizer": SpeechTokenizer(64, 1, 64, 3),
        "speaker_encoder": SpeakerEncoder(SpeakerSizes(head=2, channels=8, layers=(1, 1), growth=4, bottleneck=8)),
    }
    rng = torch.Generator().manual_seed(seed)
    for module in made.values():
        for value in module.state_dict().values():
            value.copy_(torch.rand(value.shape, generator=rng) * 0.2 + 0.1)
        module.eval().requires_grad_(False)
    return made


@pytest.fixture(scope="module")
def hearing(voice: Voice) -> Voice:
    return replace(voice, **networks(4))


def test_the_bundle_of_a_voice_that_hears_has_what_it_hears(voice: Voice, hearing: Voice, tmp_path: Path):
    write_voice(tmp_path / "model", hearing)
    write_reference(tmp_path / "model", tmp_path)
    heard = {"speech_tokenizer", "speaker", "fbank", "whisper_mel", "mel24k", "resample"}
    assert heard <= {stage for stage, cases in read_bundle(tmp_path)[0].items() if cases}
    assert [row for row in verify(tmp_path) if row.verdict == "fail"] == []
    write_voice(tmp_path / "model", voice)
    write_reference(tmp_path / "model", tmp_path)
    assert not heard & {stage for stage, cases in read_bundle(tmp_path)[0].items() if cases}


def test_the_networks_that_hear_are_read_back_too(hearing: Voice, tmp_path: Path):
    write_voice(tmp_path, hearing)
    for part, other in networks(5).items():
        with pytest.raises(ValueError, match=f"{part.replace('_', ' ')} .* came back changed"):
            check(tmp_path, replace(hearing, **{part: other}))


def test_a_speaker_that_nobody_learned_is_refused():
    check_speakers(("ann", "bob"), {"ann", "bob", "eve"})
    for name in ("", "bop"):
        with pytest.raises(ValueError, match=f"speaker '{name}' was not in the flow's training; .* must be among ann, bob"):
            check_speakers(("ann", name), {"bob", "ann"})


def test_what_the_layout_cannot_say_is_refused(voice: Voice):
    lm, flow, vocoder = voice.lm.config, voice.flow.config, voice.vocoder.config
    with pytest.raises(ValueError, match="27 speech codes and the flow 9"):
        sizes_of(lm, replace(flow, codes=9), vocoder)
    with pytest.raises(ValueError, match="FlowConfig has {'lookahead': 2}"):
        sizes_of(lm, replace(flow, lookahead=2), vocoder)


def test_a_damaged_checkpoint_is_not_exported():
    with pytest.raises(ValueError, match="w has values that are not finite"):
        on_disk({"w": torch.tensor([1.0, float("nan")])}, False)
    with pytest.raises(ValueError, match="w has a value of 70000"):
        on_disk({"w": torch.full((2, 2), 70000.0)}, True)


def test_a_renamed_tensor_is_noticed(voice: Voice, tmp_path: Path):
    write_voice(tmp_path, voice)
    state = torch.load(tmp_path / "flow.pt", weights_only=True)
    state["encoder_projection.weight"] = state.pop("encoder_proj.weight")
    torch.save(state, tmp_path / "flow.pt")
    with pytest.raises(ValueError, match="1 tensors missing .*encoder_proj.weight.*encoder_projection"):
        _ = Model(tmp_path).flow


def test_a_pickle_with_code_is_refused(voice: Voice, tmp_path: Path):
    import os

    class Code:
        def __reduce__(self):
            return os.getcwd, ()

    write_voice(tmp_path, voice)
    torch.save({"x": Code()}, tmp_path / "llm.pt")
    with pytest.raises(Exception, match="[Ww]eights.only|Unsupported"):
        _ = Model(tmp_path).lm


def test_nothing_exported_names_this_machine(voice: Voice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2-hunter2")
    assert write_voice(tmp_path, voice).keys() >= {"llm.pt"}
    for path in tmp_path.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert b"hunter2" not in data and str(tmp_path).encode() not in data, path


def test_settings_of_a_recipe_give_the_sizes():
    assert LmSettings(1, 16, 2, 1, 24).config(300, 27) == replace(SMALL, text_rows=300).lm
