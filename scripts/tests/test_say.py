import pytest
import torch
from cosyvoice_torch.lm import greedy
from cosyvoice_torch.official_yaml import Sampling
from cosyvoice_torch.sample_text import LINES
from cosyvoice_torch.speech_tokenizer import Quantizer
from cosyvoice_torch.training.bpe import train_bpe
from cosyvoice_torch.training.lm import LmObjective, LmSettings
from cosyvoice_torch.training.say import Speaker, codes_of, levels_of, repetition_aware, write_spoken

EOS = 27


@pytest.fixture(scope="module")
def objective(tmp_path_factory: pytest.TempPathFactory) -> LmObjective:
    bpe = train_bpe(LINES, 40, tmp_path_factory.mktemp("bpe"))
    made = LmObjective(LmSettings(2, 32, 4, 2, 64), bpe, EOS).eval()
    made.model.llm_decoder.weight.mul_(40)
    return made


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_repeated_draw_is_drawn_anew():
    logprobs = torch.log(torch.tensor([0.98, 0.01, 0.01]))
    once, twice = Sampling(tau_r=0.1), Sampling(tau_r=0.2)
    assert repetition_aware(logprobs, [], once, rng()) == 0
    assert repetition_aware(logprobs, [0], once, rng()) in (1, 2)
    assert repetition_aware(logprobs, [0], twice, rng()) == 0
    assert repetition_aware(logprobs, [0, 0], twice, rng()) in (1, 2)
    assert repetition_aware(logprobs, [0] + [1] * 10, once, rng()) == 0


def test_the_length_is_bounded_by_the_text(objective: LmObjective):
    text = list(range(10))
    never, at_once = objective.model.llm_decoder.bias.clone(), objective.model.llm_decoder.bias.clone()
    never[EOS], at_once[EOS] = -1e4, 1e4
    objective.model.llm_decoder.bias.copy_(never)
    assert len(codes_of(objective.model, text, Sampling(max_token_text_ratio=3.5), rng())) == 35
    objective.model.llm_decoder.bias.copy_(at_once)
    codes = codes_of(objective.model, text, Sampling(min_token_text_ratio=1.5), rng())
    assert len(codes) == 15 and max(codes) < EOS
    objective.model.llm_decoder.bias.zero_()


def test_greedy_is_the_parity_stage_s(objective: LmObjective):
    text = torch.arange(8)
    said = codes_of(objective.model, text.tolist(), Sampling(min_token_text_ratio=2, max_token_text_ratio=2), None)
    assert said == greedy(objective.model, text, torch.tensor([], dtype=torch.long), 16).tolist()


def test_codes_and_levels_are_inverse():
    codes = torch.arange(729)
    assert Quantizer.ids(levels_of(codes, 6) * 3).equal(codes)


def test_sentences_become_files(objective: LmObjective, tmp_path):
    sampling = Sampling(max_token_text_ratio=2, min_token_text_ratio=2)
    speaker = Speaker(objective.model, objective.bpe.tokenizer, sampling, lambda codes: torch.zeros(960 * len(codes)), seed=1)
    made = write_spoken(speaker, LINES[:2], tmp_path)
    assert made["sentences"] == 2 and made["cut_off"] == 2 and made["seconds"] > 1
    assert (tmp_path / "01.wav").stat().st_size > 1000
    assert (tmp_path / "sentences.txt").read_text().splitlines() == LINES[:2]
    assert speaker.say(LINES[0])[1] == speaker.say(LINES[0])[1]
