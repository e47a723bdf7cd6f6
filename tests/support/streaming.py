"""A whole mix through a separator."""

import numpy as np


def stream(separator, mix):
    """Return the stems of the whole hops of ``mix``, separated hop by hop."""
    hops = mix.shape[1] // separator.hop
    parts = [separator.process(mix[:, k * separator.hop : (k + 1) * separator.hop]).copy() for k in range(hops)]
    return np.concatenate(parts, axis=2)


def separate(separator, mix):
    """Return the stems of a whole mix by name, separated hop by hop and aligned with it."""
    hop, latency, frames = separator.hop, separator.latency, mix.shape[1]
    padded = np.pad(mix, ((0, 0), (0, -(-(frames + latency) // hop) * hop - frames)))
    return dict(zip(separator.stems, stream(separator, padded)[..., latency : latency + frames], strict=True))
