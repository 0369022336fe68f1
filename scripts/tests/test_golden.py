"""Numbers of the official code at the sizes of the release, with weights filled from their names."""

from pathlib import Path

import pytest
import torch
from cosyvoice_torch import lm as language
from cosyvoice_torch.checkpoint import build, fold_weight_norm
from cosyvoice_torch.flow import Flow
from cosyvoice_torch.lm import Qwen2LM
from cosyvoice_torch.release import PRESETS, official_names
from cosyvoice_torch.synthetic import fill_hash, hash_input, materialise
from cosyvoice_torch.vocoder import Hift
from torch import Tensor, nn

from golden import check

pytestmark = pytest.mark.slow
FULL = PRESETS["full"]


def row(count: int, factor: int, offset: int, modulus: int) -> Tensor:
    return (factor * torch.arange(count) + offset) % modulus


TOKENS, PROMPT = row(40, 977, 13, 6561), row(12, 31, 5, 6561)


def filled(module: nn.Module, folder: Path) -> nn.Module:
    head = "llm.model.lm_head.weight"
    state = materialise([(n, v.shape) for n, v in module.state_dict().items() if n != head], fill_hash, folder)
    if isinstance(module, Qwen2LM):
        state[head] = state["llm.model.model.embed_tokens.weight"]
    module.load_state_dict(state, assign=True)
    return module.eval()


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return filled(build(Flow, FULL.flow), tmp_path_factory.mktemp("flow"))


@pytest.fixture(scope="module")
def vocoder(tmp_path_factory: pytest.TempPathFactory) -> Hift:
    module = build(Hift, FULL.vocoder)
    shapes = [(by, shape) for _, by, shape in official_names(module, legacy=False)]
    state = materialise(shapes, fill_hash, tmp_path_factory.mktemp("hift"))
    module.load_state_dict(fold_weight_norm(state), assign=True)
    return module.eval()


@pytest.mark.parametrize(
    ("rows", "context", "streaming", "values", "mean", "rms"),
    [
        (40, 0, False, "-0.352267 0.549206 1.499362 -0.128449 1.427088 1.322174 0.218679 1.177117", 0.0047291, 1.0005364),
        (40, 0, True, "-0.346492 0.557652 1.50679 -0.113711 1.438831 1.322773 0.219198 1.177421", 0.0047438, 1.0005371),
        (37, 3, True, "-1.110526 1.347077 -2.151865 0.398205 -0.058334 1.327765 -1.75252 0.47229", 0.0048296, 1.0006402),
    ],
)
def test_encoder(flow: Flow, rows: int, context: int, streaming: bool, values: str, mean: float, rms: float):
    x = flow.input_embedding(TOKENS)
    check(flow.encoder(x[:rows], x[rows:] if context else None, streaming), values, mean, rms)


@pytest.mark.parametrize(
    ("streaming", "values", "mean", "rms"),
    [
        (False, "-0.046057 0.326966 -2.068583 -0.556517 -1.007304 0.364247 -1.272076 -0.36458", -0.0706375, 0.6925745),
        (True, "0.037313 0.464004 -2.154894 -0.558727 -1.019378 0.519933 -1.457105 -0.644529", -0.0595661, 0.6940714),
    ],
)
def test_estimator(flow: Flow, streaming: bool, values: str, mean: float, rms: float):
    x, mu, cond = (hash_input(f"in.{name}", 2, 80, 120) for name in ("x", "mu", "cond"))
    out = flow.decoder.estimator(x, mu, torch.tensor([0.1, 0.7]), hash_input("in.spks", 2, 80), cond, streaming)
    check(out, values, mean, rms)


@pytest.mark.parametrize(
    ("streaming", "values", "mean", "rms"),
    [
        (False, "1.597855 0.316133 -0.592572 1.228867 -1.581201 -1.366017 -1.841931 0.293292", -0.1242359, 1.3260144),
        (True, "1.627383 0.214149 -0.583175 1.064355 -1.726407 -1.040665 -1.854159 0.259432", -0.1223537, 1.328206),
    ],
)
def test_flow(flow: Flow, streaming: bool, values: str, mean: float, rms: float):
    given = (TOKENS, PROMPT, hash_input("in.prompt_feat", 24, 80), hash_input("in.embedding", 192))
    check(flow(*given, streaming=streaming, finalize=not streaming).mel, values, mean, rms, 1e-3)


def test_vocoder(vocoder: Hift):
    mel = 2 * hash_input("in.mel", 1, 80, 20) - 4
    source = 0.1 * hash_input("in.source", 9600)
    seen: dict[str, Tensor] = {}
    for name in ("conv_pre", "ups.0", "source_resblocks.0", "resblocks.0"):
        vocoder.get_submodule(name).register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, out))
    f0 = "0.578628 0.618272 1.515869 0.711057 0.321273 0.658434 1.026386 1.179565"
    check(vocoder.f0_predictor(mel), f0, 0.7644645, 0.8242792)
    post = "1.033238 -1.452983 2.286591 -1.203597 1.019776 1.297015 0.883121 0.565083"
    check(vocoder.network(mel, source), post, -0.0456451, 2.3553445)
    pre = "-2.468805 -2.920892 -0.270255 -4.988285 -3.337705 2.119387 4.239076 0.518319"
    check(seen["conv_pre"], pre, -0.102534, 3.9494614)
    up = "0.18915 -0.003895 -0.164713 -0.534781 -0.984852 0.794326 1.685142 1.228165"
    check(seen["ups.0"], up, -0.0510123, 1.3784956)
    source_block = "0.146678 0.137863 0.32319 -0.155306 -0.222788 -0.224238 -0.000426 0.218637"
    check(seen["source_resblocks.0"], source_block, -0.0270393, 0.4613938)
    block = "-0.95963 -1.476439 -1.807012 -0.902201 0.493931 -3.506923 4.656424 4.547351"
    check(seen["resblocks.0"], block, 0.0936363, 4.9980982)
    spectrum = "0.033629 -0.058718 -0.081816 0.239523 0.16978 0.003962 -0.039317 -0.017036"
    check(vocoder.spectrum(source), spectrum, -3.06e-05, 0.1001989)
    samples = "0.033569 0.094889 -0.059715 0.033688 -0.100297 0.030187 -0.025165 0.003334"
    check(vocoder.inverse(hash_input("in.mag", 1, 9, 41).abs(), hash_input("in.ph", 1, 9, 41)), samples, 0.0039167, 0.0793244)


def test_source(vocoder: Hift):
    f0 = torch.zeros(30)
    f0[3:20] = hash_input("in.f0", 17).abs() * 200 + 80
    f0[22:26] = 9
    sines = "0.0 -0.002927 0.024985 0.017918 0.099715 0.023003 -0.033656 -0.099905"
    check(vocoder.m_source.sines(f0), sines, 0.0043969, 0.0689898)
    source = "-0.082408 -0.075467 -0.123827 -0.111109 -0.083758 -0.06991 -0.064489 -0.109927"
    check(vocoder.m_source(f0, hash_input("in.noise", 14400, 9)), source, -0.0829884, 0.0983708)


def test_language_model(tmp_path: Path):
    lm = filled(build(Qwen2LM, FULL.lm), tmp_path)
    text, speech, forced = row(20, 7919, 101, 151643), row(10, 977, 13, 6561), row(6, 31, 5, 6561)
    session, x = lm.session(), lm.prompt(text, speech)
    start = "0.0501675 -0.0435727 -0.0553779 0.0465679 -0.0561419 -0.0344187 0.0153514 0.0134597"
    check(x, start, -0.0002944695, 0.03345118)
    seen: dict[str, Tensor] = {}
    backbone = lm.backbone
    hooks = [backbone.norm.register_forward_hook(lambda _m, _i, out: seen.__setitem__("norm", out))]
    for i in (0, 1, 11, 22):
        hook = lambda _m, _i, out, i=i: seen.__setitem__(str(i), out[0])
        hooks.append(backbone.layers[i].register_forward_hook(hook))
    rows = [session.step(x)]
    for hook in hooks:
        hook.remove()
    layers = {
        "0": ("0.182846 0.297728 -0.784593 -0.816004 -0.483939 0.202984 0.777745 0.672761", 0.001909334, 0.7589836),
        "1": ("-1.09661 0.703885 -0.848419 -0.368338 0.413343 0.424067 1.23342 1.46324", 0.007187327, 1.176224),
        "11": ("-6.37941 -1.79553 -5.04681 -1.22925 -0.402396 -1.73238 -1.9728 0.871015", -0.02146772, 3.294474),
        "22": ("-5.50002 -1.59598 -5.08226 -1.86273 -0.681855 -2.58828 -4.42961 -0.154235", 0.05795657, 4.852531),
        "norm": ("-1.01715 -0.446638 -0.966012 -0.499289 -0.173302 -0.43977 -0.848985 0.0582976", 0.01751646, 1.006529),
    }
    for name, golden in layers.items():
        check(seen[name], *golden)
    rows += [session.step(lm.speech_embedding(i)[None]) for i in forced]
    keys = "0.826968 0.283796 1.11872 -0.0815632 -0.134693 0.206879 -1.42769 -0.115962"
    check(session.cache[0][0], keys, -0.003492553, 1.023496)
    values = "0.257912 -0.606583 -0.125928 -0.864781 -0.959405 -2.06382 -0.169772 0.576103"
    check(session.cache[23][1], values, 0.02293708, 0.9683316)
    logprobs = "-8.87868 -8.62019 -8.96087 -8.40034 -8.01238 -8.01781 -9.66133 -10.7892"
    check(torch.stack(rows), logprobs, -9.295019, 9.349041)
    greedy = (
        "4205 3695 698 3975 3695 4055 5702 2334 1026 5826 5647 1829 4205 3695 1180 1026 96 1026 1026 1026 3695 1180 2983 1180 "
        "2983 1180 3695 5647 1180 3695 1026 1026 5647 5647 5647 5647 5647 5647 5647 5647"
    )
    assert language.greedy(lm, text, speech, 40).tolist() == [int(i) for i in greedy.split()]
