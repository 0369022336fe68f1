"""What hearing others takes: distortions, and the small speaker encoder."""

import torch
from cosyvoice_torch.features import whisper_mel
from cosyvoice_torch.speaker import SpeakerEncoder, SpeakerSizes
from cosyvoice_torch.training import speaker
from cosyvoice_torch.training.distort import along_frequency, distorted, echoed, recorded
from cosyvoice_torch.training.run import Run, Stage
from cosyvoice_torch.training.speaker import HEARD, SpeakerObjective, SpeakerSettings, folded, vectors, with_norms
from safetensors.torch import save_file
from torch.nn import functional as F

SMALL = dict(head=2, channels=8, growth=4, bottleneck=8, seconds=0.5)


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


def test_speakers_are_told_apart():
    settings = SpeakerSettings(**SMALL, layers=(1, 1), played=0.0, distorted=0.0)
    objective = SpeakerObjective(settings, ["ann", "bob"]).train()
    items = [{"by": name, "audio": tone(hertz, 1, 24000)} for name, hertz in (("ann", 300), ("bob", 900)) for _ in range(3)]
    optimizer = torch.optim.AdamW(objective.parameters(), 1e-2)
    with torch.enable_grad():
        for update in range(60):
            loss, numbers = objective.loss(objective.collate(items, seeded(update), True), seeded(0), "main", update)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert numbers["right"] == 1.0 and numbers["cosine"] > 0.8
    centres = F.normalize(objective.centres, dim=-1)[[objective.number[name, HEARD] for name in ("ann", "bob")]]
    said = vectors(folded(objective.eval().encoder, settings.sizes), [tone(*given, 24000) for given in ((300, 0.6), (300, 0.9), (900, 0.9))], 0.5)
    assert said.shape == (3, 192) and said.norm(dim=1).allclose(torch.ones(3))
    assert (said @ centres.T).argmax(1).tolist() == [0, 0, 1]
    assert said[0] @ said[1] > said[0] @ said[2]


def test_a_margin_is_asked_for():
    objective = SpeakerObjective(SpeakerSettings(**SMALL, layers=(1,), margin=0.0), ["ann", "bob"]).eval()
    batch = objective.collate([{"by": "ann", "audio": tone(300, 1, 24000)}], seeded(0), False)
    plain = objective.loss(batch, seeded(0), "main", 0)[0]
    cosines = F.normalize(objective.encoder.batched(batch["fbank"]), dim=-1) @ F.normalize(objective.centres, dim=-1).T
    assert torch.allclose(plain, F.cross_entropy(20 * cosines, batch["person"]), atol=1e-4)
    objective.settings.margin = 0.2
    assert objective.loss(batch, seeded(0), "main", 0)[0] > plain + 1


def test_another_speed_is_another_person():
    objective = SpeakerObjective(SpeakerSettings(**SMALL, layers=(1,), played=1.0), ["synthetic", "synthetic-60-85"])
    batch = objective.collate([{"by": "synthetic", "audio": tone(300, 1, 24000)}] * 6, seeded(0), True)
    people = [objective.people[i] for i in batch["person"].tolist()]
    assert all(name == "synthetic" and rate != HEARD for name, rate in people) and len(set(people)) > 1
    held = objective.collate([{"by": "synthetic-60-85", "audio": tone(300, 1, 24000)}], seeded(0), False)
    assert objective.people[int(held["person"])] == ("synthetic-60-85", HEARD)
    assert len(objective.centres) == len(set(objective.people)) == 10


def test_names_with_blanks_are_whole(tmp_path):
    settings = SpeakerSettings(**SMALL, layers=(1,))
    objective = SpeakerObjective(settings, ["Anna Smith", "bob"])
    run = Run(tmp_path)
    stage = Stage(run, "speaker", objective.state())
    stage.begin()
    (stage.folder / "checkpoints").mkdir()
    save_file(objective.state_dict(), stage.folder / "checkpoints" / "best-00000001.safetensors", {"score": "1.0"})
    assert speaker.trained(run).state_dict().keys() == SpeakerEncoder(settings.sizes).state_dict().keys()
