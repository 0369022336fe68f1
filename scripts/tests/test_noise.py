import pytest
from cosyvoice_torch.noise import NOISE_FRAMES, flow_noise, noise_table


def test_the_table_is_the_one_the_released_model_uses():
    table = noise_table().flatten()
    first = [-1.1258398, -1.1523602, -0.2505786, -0.4338788, 0.8487104, 0.6920092, -0.3160128, -2.1152194]
    assert table[:8].tolist() == pytest.approx(first, abs=5e-6)
    places = {15000: 0.8691794, 600000: -2.3171363, 1199999: -0.0832944}
    for index, value in places.items():
        assert float(table[index]) == pytest.approx(value, abs=5e-6)
    assert float(table.mean()) == pytest.approx(-0.001076, abs=1e-6)
    assert float(table.double().pow(2).sum()) == pytest.approx(1199689.953, rel=1e-6)


def test_a_shorter_sequence_sees_the_head_of_a_longer_one():
    assert flow_noise(7).equal(flow_noise(90)[:, :7])


def test_beyond_the_table_is_refused():
    with pytest.raises(ValueError, match="15001"):
        flow_noise(NOISE_FRAMES + 1)
