"""The network in torch."""

from torch_runtime import TorchRuntime

from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.features import FEATURES


def test_network_on_a_whole_song_equals_hop_by_hop(weights):
    import torch  # noqa: PLC0415 - heavy

    network = TorchRuntime(weights / "tiny.safetensors")._network
    hops = 600  # more than are computed at once
    random = torch.Generator().manual_seed(0)
    features = torch.randn(2, hops, FEATURES, network.plan.points, generator=random)
    hints = torch.randn(2, hops, PRIOR_CHANNELS, network.plan.points, generator=random)
    whole, after = network(features, hints, network.initial_state(2))
    state, parts = network.initial_state(2), []
    for hop in range(hops):
        masks, state = network(features[:, hop : hop + 1], hints[:, hop : hop + 1], state)
        parts.append(masks)
    assert (torch.cat(parts, dim=1) - whole).abs().max() < 1e-5
    assert max((a - b).abs().max() / b.abs().max() for a, b in zip(state, after, strict=True)) < 1e-5
