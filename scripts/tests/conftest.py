import sys
from pathlib import Path

import pytest
import torch

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))
BUNDLES = SCRIPTS.parent / "test" / "bundles"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: builds modules of the 0.5B release; run with -m slow")
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)  # tiny models: a second thread costs more than it gives


@pytest.fixture(params=["a", "b"])
def bundle(request: pytest.FixtureRequest) -> Path:
    return BUNDLES / request.param
