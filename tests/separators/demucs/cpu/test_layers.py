"""Every layer that is computed otherwise than torch does, beside what torch makes of it."""

import pytest
from requirements import require_package

require_package("demucs", "demucs")

import torch
from demucs.demucs import DConv
from demucs.transformer import MyGroupNorm

from stream_sep.separators.demucs.cpu import dconv
from stream_sep.separators.demucs.cpu.attention import QUERY_TILE
from stream_sep.separators.demucs.cpu.layers import MAX_THREADS, ROWS, accelerated_forward


@pytest.fixture(autouse=True, params=[1, MAX_THREADS + 1], ids=["one-thread", "many"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def null_db(got, expected):
    return float(20 * torch.log10((got - expected).norm() / expected.norm()))


def layer(kind, *sizes, **options):
    """A layer none of whose weights is so near to 0 or 1 that it does nothing."""
    torch.manual_seed(0)
    made = kind(*sizes, **options).eval()
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
    return made


def compared(module, *sounds, half=False):
    """What the quick way makes, and what torch makes."""
    with torch.inference_mode():
        expected = module(*sounds)
        return accelerated_forward(module, half=half)(*(sound.clone() for sound in sounds)), expected


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("frames", [5, 16, 336, 5000])
@pytest.mark.parametrize(("channels", "compress", "depth"), [(48, 8, 2), (96, 8, 1), (8, 8, 2), (12, 4, 3)])
def test_residual_branches(channels, compress, depth, frames, half):
    module = layer(DConv, channels, compress, depth)
    sound = torch.randn(3, channels, frames) + 0.5
    got, expected = compared(module, sound, half=half)
    assert null_db(got - sound, expected - sound) < -110


@pytest.mark.parametrize("options", [{"kernel": 5}, {"channels": 18}, {"depth": -2}, {"compress": 1}])
def test_residual_branches_of_other_sizes(options):
    module, sound = layer(DConv, **{"channels": 16, **options}), torch.randn(2, options.get("channels", 16), 40)
    got, expected = compared(module, sound)
    assert null_db(got - sound, expected - sound) < -110


def test_residual_branches_some_rows_at_a_time(monkeypatch):
    module, sound = layer(DConv, 16, 8), torch.randn(7, 16, 40)
    whole, _ = compared(module, sound)
    monkeypatch.setattr(dconv, "CACHED", 3 * 16 * 40)
    counts = []
    module.layers[0][0].register_forward_hook(lambda _module, given, _made: counts.append(len(given[0])))
    with torch.inference_mode():
        parts = accelerated_forward(module, half=True)(sound)
    assert counts == [3, 3, 1]
    assert null_db(parts, whole) < -110


def test_residual_branches_of_other_kinds_of_sound():
    module = layer(DConv, 16, 8)
    for sound in (torch.randn(2, 8, 16, 40).transpose(1, 2)[:, :, 0], 1e-3 * torch.randn(2, 16, 40)):
        got, expected = compared(module, sound)
        assert null_db(got - sound, expected - sound) < -100
    with torch.no_grad():
        module.layers[0][1].bias.fill_(100.0)  # so that hidden channels are far from 0
    got, expected = compared(module, sound)
    assert null_db(got - sound, expected - sound) < -80
    silence = torch.zeros(1, 16, 40)
    got, expected = compared(module, silence)
    assert torch.allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("options", [{"lstm": True}, {"attn": True}, {"norm": False}, {"gelu": False}])
def test_other_residual_branches_are_left_to_torch(options):
    assert accelerated_forward(DConv(**{"channels": 16, "compress": 2, **options}), half=True) is None


def test_wide_residual_branches_are_left_to_torch():
    assert accelerated_forward(DConv(2 * dconv.WIDEST, 8), half=True) is None


@pytest.mark.parametrize("rows", [1, ROWS - 1, ROWS, 3 * ROWS + 1])
@pytest.mark.parametrize("step", [2, 4])
def test_transposed_convolutions(rows, step):
    module = layer(torch.nn.ConvTranspose2d, 12, 5, (2 * step, 1), (step, 1))
    got, expected = compared(module, torch.randn(2, 12, rows, 7))
    assert got.shape == expected.shape
    assert null_db(got, expected) < -110


@pytest.mark.parametrize(
    ("sizes", "options"),
    [(((6, 1), (4, 1)), {}), (((8, 3), (4, 1)), {}), (((8, 1), (4, 1)), {"bias": False, "padding": (2, 0)})],
)
def test_other_transposed_convolutions(sizes, options):
    got, expected = compared(layer(torch.nn.ConvTranspose2d, 12, 5, *sizes, **options), torch.randn(2, 12, 9, 7))
    assert torch.equal(got, expected)


def test_norms_keep_frames_together():
    got, expected = compared(layer(MyGroupNorm, 1, 24), torch.randn(2, 24, 50).transpose(1, 2) + 3)
    assert null_db(got, expected) < -110
    assert got.is_contiguous()


@pytest.mark.parametrize("keys", [QUERY_TILE // 2, 2 * QUERY_TILE + 5])
def test_attention_in_bfloat16(keys):
    module = layer(torch.nn.MultiheadAttention, 24, 3, batch_first=True)
    query, memory = torch.randn(2, QUERY_TILE + 9, 24), torch.randn(2, keys, 24)
    with torch.inference_mode():
        expected = module(query, memory, memory, need_weights=False)[0]
        got = accelerated_forward(module, half=True)(query, memory, memory, need_weights=False)[0]
    assert -80 < null_db(got.float(), expected) < -40
    assert accelerated_forward(module, half=False) is None


@pytest.mark.parametrize("kind", [torch.nn.Conv1d, torch.nn.ConvTranspose1d])
def test_convolutions_in_bfloat16_and_not(kind):
    module, sound = layer(kind, 6, 4, 3, stride=2), torch.randn(2, 6, 50)
    got, expected = compared(module, sound, half=True)
    assert -80 < null_db(got.float(), expected) < -40
    assert torch.equal(compared(module, sound)[0], expected)
