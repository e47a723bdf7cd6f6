"""Analysis and synthesis windows."""

import numpy as np
import pytest

from stream_sep.separators.causal.config import SIZES
from stream_sep.separators.causal.windows import lookback_windows


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_windows_reconstruct_perfectly(size):
    analysis, synthesis = lookback_windows(size.window, size.hop, size.fade)
    product = (analysis[-(size.hop + size.fade) :] * synthesis).astype(np.float64)
    total = product[: size.hop].copy()
    total[: size.fade] += product[size.hop :]
    assert np.abs(total - 1).max() < 1e-6
