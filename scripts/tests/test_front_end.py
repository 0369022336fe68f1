import re
import sys
import types
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from cosyvoice_torch import speaker, speech_tokenizer
from cosyvoice_torch.checkpoint import build
from cosyvoice_torch.features import fbank, mel24k, resample, whisper_mel
from cosyvoice_torch.onnx_weights import layer_name, read_onnx
from cosyvoice_torch.onnx_writer import write_speaker, write_speech_tokenizer
from cosyvoice_torch.speaker import SpeakerEncoder, SpeakerSizes
from cosyvoice_torch.speech_tokenizer import SpeechTokenizer
from cosyvoice_torch.synthetic import fill_hash, hash_input, materialise
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from golden import check


def tone(rate: int) -> Tensor:
    n = torch.arange(rate, dtype=torch.float64)
    wave = lambda f: torch.sin(2 * torch.pi * f * n / rate)
    return (0.5 * wave(220) + 0.25 * wave(1234.5)).float()


def test_features_of_two_tones():
    places = lambda x: x.flatten()[[(2 * k + 1) * x.numel() // 16 for k in range(8)]].tolist()
    mel = "2.28919 -2.967 -1.56141 -1.02226 -2.63368 -3.57623 -4.359 -5.01981"
    assert places(mel24k(tone(24000)).T) == pytest.approx([float(v) for v in mel.split()], abs=2e-4)
    log_mel = whisper_mel(tone(16000))
    whisper = "1.29507 0.38489 0.79548 0.89987 0.5325 0.33239 0.18126 0.07737"
    assert places(log_mel) == pytest.approx([float(v) for v in whisper.split()], abs=2e-4)
    assert float(log_mel.mean()) == pytest.approx(-0.204369, abs=1e-5)
    up = "-0.29216 0.54878 -0.74519 0.6389 -0.36113 0.25483 -0.45124 0.70787"
    assert places(resample(tone(16000), 16000, 24000)) == pytest.approx([float(v) for v in up.split()], abs=2e-5)
    assert float(fbank(tone(16000)).mean(0).abs().max()) < 1e-4


def filled(module: torch.nn.Module, folder: Path) -> dict[str, Tensor]:
    return materialise([(n, v.shape) for n, v in module.state_dict().items()], fill_hash, folder)


def test_layer_names():
    assert layer_name("/head/layer1/layer1.0/conv1/Conv") == "head.layer1.0.conv1"
    assert layer_name("/blocks.3/mlp/mlp.2/MatMul") == "blocks.3.mlp.2"


def test_the_tokenizer_file_holds_the_module(tmp_path: Path):
    state = filled(build(SpeechTokenizer, 64, 2, 96), tmp_path)
    module = speech_tokenizer.from_state(state)
    path = tmp_path / "speech_tokenizer_v2.onnx"
    write_speech_tokenizer(path, module)
    again = read_onnx(path)
    assert again.keys() == state.keys()
    assert all(again[name].equal(state[name]) for name in state)
    names = {t.name for t in onnx.load(str(path)).graph.initializer}
    assert {"onnx::Conv_2216", "blocks.1.attn.fsmn_block.weight", "quantizer.project_in.bias"} <= names
    mel = hash_input("in.mel", 1, 128, 57)
    ids = ReferenceEvaluator(str(path)).run(None, {"mel": mel.numpy(), "mel_length": torch.tensor([57]).int().numpy()})[0]
    assert ids.tolist() == module(mel)[1][None].tolist()


@pytest.mark.parametrize("half", [False, True])
def test_the_tokenizer_file_has_the_released_names(tmp_path: Path, half: bool):
    """Those of the release where it has them, and else the rule by which s3tokenizer knows a weight: the node that uses it."""
    torch.manual_seed(0)
    path = tmp_path / "speech_tokenizer_v2.onnx"
    write_speech_tokenizer(path, SpeechTokenizer(64, 6, 96), half)
    graph = onnx.load(str(path)).graph
    names = {t.name for t in graph.initializer}
    assert len(names) == len(graph.initializer) == 102
    assert {f"onnx::Conv_{number}" for number in range(2216, 2220)} | {"onnx::MatMul_2536", "quantizer.project_in.bias"} <= names
    assert {"onnx::LayerNormalization_2224", "onnx::Add_2227", "onnx::MatMul_2230", "onnx::MatMul_2275"} <= names
    assert {"onnx::MatMul_2535", "onnx::Add_2534", "onnx::LayerNormalization_2484", "blocks.5.attn.fsmn_block.weight"} <= names
    for node in graph.node:
        for name in names & set(node.input):
            known = name.startswith("onnx::Conv_") or name in ("onnx::MatMul_2536", "quantizer.project_in.bias")
            assert known or re.match(r"/blocks\.\d/(attn|attn_ln|mlp|mlp_ln)/", node.name), node.name
    mel = torch.randn(1, 128, 57).numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.run(None, {"mel": mel, "mel_length": torch.tensor([57]).int().numpy()})[0].shape == (1, 15)


@pytest.mark.parametrize("half", [False, True])
def test_s3tokenizer_reads_the_tokenizer_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: bool):
    # It needs torchaudio, to load sound, before it can be imported.
    monkeypatch.setitem(sys.modules, "torchaudio", types.ModuleType("torchaudio"))
    model = pytest.importorskip("s3tokenizer.model_v2", reason="s3tokenizer is not installed")
    torch.manual_seed(0)
    module = SpeechTokenizer(128, 2, 512).eval()
    write_speech_tokenizer(tmp_path / "t.onnx", module, half)
    other = model.S3TokenizerV2("speech_tokenizer_v2_25hz", model.ModelConfig(n_audio_state=128, n_audio_head=2, n_audio_layer=2))
    other.init_from_onnx(str(tmp_path / "t.onnx"))
    module = speech_tokenizer.from_state(read_onnx(tmp_path / "t.onnx"))
    mel = torch.randn(1, 128, 203)
    assert other.eval().quantize(mel, torch.tensor([203]))[0][0].tolist() == module(mel)[1].tolist()


def test_a_speaker_encoder_of_other_sizes_is_read_from_its_file(tmp_path: Path):
    sizes = SpeakerSizes(head=2, channels=8, layers=(1, 2), growth=4, bottleneck=6, embedding=5)
    state = filled(build(SpeakerEncoder, sizes), tmp_path)
    last = "xvector.dense.nonlinear.batchnorm"
    state[f"{last}.weight"], state[f"{last}.bias"] = torch.ones(5), torch.zeros(5)
    module = speaker.from_state(state)
    write_speaker(tmp_path / "campplus.onnx", module)
    again = speaker.from_state(read_onnx(tmp_path / "campplus.onnx"))
    assert speaker.sizes_of(again.state_dict()) == sizes
    features = hash_input("in.fbank", 301, 80)
    assert again(features).equal(module(features))
    # The reference evaluator, unlike the runtime, divides a last segment of fewer frames by its full length.
    session = onnxruntime.InferenceSession(tmp_path / "campplus.onnx", providers=["CPUExecutionProvider"])
    output = session.run(None, {"input": features[None].numpy()})[0]
    assert torch.allclose(torch.from_numpy(output)[0], module(features), atol=1e-5)
    with pytest.raises(ValueError, match="must be even"):
        SpeakerSizes(channels=7)


def test_the_speaker_file_holds_the_module(tmp_path: Path):
    state = filled(build(SpeakerEncoder), tmp_path)
    last = "xvector.dense.nonlinear.batchnorm"
    state[f"{last}.weight"], state[f"{last}.bias"] = torch.ones(192), torch.zeros(192)
    path = tmp_path / "campplus.onnx"
    write_speaker(path, speaker.from_state(state))
    again = read_onnx(path)
    assert again.keys() == state.keys()
    assert all(again[name].equal(state[name]) for name in state)
    names = [t.name for t in onnx.load(str(path)).graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    assert "onnx::Conv_4423" in names and len([n for n in names if not n.startswith("onnx::")]) == 485
    assert len(names) == 617


@pytest.mark.slow
def test_speech_tokenizer_at_full_size(tmp_path: Path):
    """The golden fill goes by the names of S3Tokenizer's state dict."""
    module = build(SpeechTokenizer, 1280, 6, 5120)
    rename = lambda n: "quantizer._codebook.project_down." + n.rsplit(".", 1)[1] if n.startswith("quantizer") else f"encoder.{n}"
    state = materialise([(rename(n), v.shape) for n, v in module.state_dict().items()], fill_hash, tmp_path)
    module = speech_tokenizer.from_state({n: state[rename(n)] for n in module.state_dict()})
    mel = hash_input("in.whisper_mel", 1, 128, 203)
    values = "5.073525 -0.631745 3.060127 5.478314 0.157253 -0.012831 3.412404 4.687551"
    check(module.encode(mel), values, -0.051166, 3.9797788)
    hidden, ids = module(mel)
    values = "-3.693408 -0.226097 -7.919445 2.555327 1.186555 -1.217266 -3.629889 -1.650886"
    check(hidden, values, -0.7749571, 3.8105045)
    expected = (
        "648 408 176 1458 168 4785 2130 162 1662 810 1950 6 234 1401 216 915 6498 168 4878 666 3017 181 188 828 180 5805 1621 "
        "2132 2847 1395 188 1620 971 4335 1638 909 177 2108 1881 915 3831 165 5559 5046 3123 8 162 672 187 222 5509"
    )
    assert ids.tolist() == [int(i) for i in expected.split()]
