"""A whole mix through a separator."""

import numpy as np


def stream(separator, mix):
    """Return the stems of the whole hops of ``mix``, separated hop by hop."""
    hops = mix.shape[1] // separator.hop
    parts = [separator.process(mix[:, k * separator.hop : (k + 1) * separator.hop]).copy() for k in range(hops)]
    return np.concatenate(parts, axis=2)
