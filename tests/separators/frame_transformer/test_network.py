"""The frame transformer as a network: its sizes, and that it streams, never sees the future, and forgets."""

import dataclasses
import warnings

import numpy as np
import pytest
from requirements import require_package

from stream_sep.errors import ConfigError
from stream_sep.separators.frame_transformer.config import SIZES, config_from

require_package("torch", "train")

import torch

from stream_sep.separators.causal.band_prior import PRIOR_CHANNELS
from stream_sep.separators.causal.features import FEATURES
from stream_sep.separators.frame_transformer.attention import RelativeAttention, attend
from stream_sep.separators.frame_transformer.network import FrameTransformer
from stream_sep.separators.frame_transformer.ring_step import RingStep

HOPS = 60


def network(stems=4, **changes):
    """A tiny one, every weight of which is random and none zero."""
    torch.manual_seed(0)
    made = FrameTransformer(dataclasses.replace(SIZES["tiny"], **changes), stems)
    with torch.no_grad():
        for weights in made.parameters():
            weights.copy_(torch.randn(weights.shape) * 0.3)
    return made


def given(made, hops=HOPS, batch=2):
    draw = torch.Generator().manual_seed(1)
    shape = (batch, hops, FEATURES + PRIOR_CHANNELS, made.plan.points)
    return torch.randn(shape, generator=draw).split([FEATURES, PRIOR_CHANNELS], dim=2)


@pytest.mark.parametrize(
    ("size", "weights", "state"),
    [("xs", 1_666_244, 0.89), ("s", 2_612_212, 1.56), ("m", 11_397_312, 12.2), ("l", 60_005_648, 72.7)],
)
def test_sizes_have_the_weights_and_the_state_they_should(size, weights, state):
    with torch.device("meta"):
        made = FrameTransformer(SIZES[size])
    assert sum(each.numel() for each in made.parameters()) == weights
    assert sum(each.numel() for each in made.initial_state(1)) * 4 / 2**20 == pytest.approx(state, rel=0.01)


@pytest.mark.parametrize("cuts", [[1] * HOPS, [8] * 7 + [4], [30, 30], [1, 7, 20, 2, 30]])
def test_streaming_equals_the_whole(cuts):
    made = network()
    features, prior = given(made)
    with torch.no_grad():
        whole, _ = made(features, prior, made.initial_state(2))
        state, parts = made.initial_state(2), []
        for part in zip(features.split(cuts, dim=1), prior.split(cuts, dim=1), strict=True):
            corrections, state = made(*part, state)
            parts.append(corrections)
    assert float((torch.cat(parts, dim=1) - whole).abs().max()) < 1e-5 * max(1.0, float(whole.abs().max()))


@pytest.mark.parametrize("changes", [{}, {"blocks": 2}, {"span": 1}, {"modules": 1}, {"hints": False}])
def test_hops_in_rings_are_those_of_the_network_and_hand_their_state_over(changes):
    made = network(**changes)
    features, prior = given(made, batch=1)
    ring = RingStep(made.config, {name: tensor.numpy() for name, tensor in made.state_dict().items()})
    with torch.no_grad():
        whole, _ = made(features, prior, made.initial_state(1))
        limit = 1e-5 * max(1.0, float(whole.abs().max()))
        half = HOPS // 2
        for hop in range(half):
            assert np.abs(ring(features[0, hop].numpy(), prior[0, hop].numpy()) - whole[0, hop].numpy()).max() < limit
        state = tuple(torch.from_numpy(array)[None] for array in ring.state())
        assert [each.shape for each in state] == [each.shape for each in made.initial_state(1)]
        part, state = made(features[:, half : half + 9], prior[:, half : half + 9], state)
        assert (part - whole[:, half : half + 9]).abs().max() < limit
        ring.load([tensor[0].numpy() for tensor in state])
        for hop in range(half + 9, HOPS):
            assert np.abs(ring(features[0, hop].numpy(), prior[0, hop].numpy()) - whole[0, hop].numpy()).max() < limit


def test_more_queries_than_fit_at_once_make_no_difference(monkeypatch):
    made = network()
    features, prior = given(made)
    with torch.no_grad():
        whole, _ = made(features, prior, made.initial_state(2))
        monkeypatch.setattr("stream_sep.separators.frame_transformer.attention.MAX_QUERIES", 7)
        blocks, _ = made(features, prior, made.initial_state(2))
    assert torch.allclose(whole, blocks, atol=1e-5)


def future_gradient(layer, x, at):
    """How much the output at one frame depends on the input after it; the frames are axis 1."""
    x = x.clone().requires_grad_()
    layer(x)[:, at].square().sum().backward()
    return float(x.grad[:, at + 1 :].abs().sum()), float(x.grad[:, : at + 1].abs().sum())


@pytest.mark.parametrize("training", [True, False])
def test_no_frame_depends_on_a_later_one(training):
    made = network().train(training)
    features, prior = given(made)
    layer = lambda x: made(*x.split([FEATURES, PRIOR_CHANNELS], dim=2), made.initial_state(2))[0]  # noqa: E731 - as short as it is
    future, past = future_gradient(layer, torch.cat([features, prior], dim=2), HOPS // 2)
    assert future == 0.0
    assert past > 0.0


def test_the_same_look_finds_the_leaks_of_the_design_it_comes_from():
    """A batch norm over time in training, and a position term that is transposed where it should be skewed."""
    x = torch.randn(2, 20, 8, generator=torch.Generator().manual_seed(2))
    norm = torch.nn.BatchNorm1d(8)
    assert future_gradient(lambda y: norm(y.transpose(1, 2)).transpose(1, 2), x, 9)[0] > 0

    memory, positions = x[0, :20], torch.randn(8, 20, generator=torch.Generator().manual_seed(3))

    def cross_attend(y, *, transpose):
        """Attend to another sequence, all of it, as a decoder does."""
        placed = y @ positions
        return torch.softmax(y @ memory.T + (placed.transpose(1, 2) if transpose else placed), dim=-1) @ memory

    assert future_gradient(lambda y: cross_attend(y, transpose=True), x, 9)[0] > 0
    assert future_gradient(lambda y: cross_attend(y, transpose=False), x, 9)[0] == 0.0


def test_attention_is_that_of_the_formula():
    draw = torch.Generator().manual_seed(4)
    frames, span, heads, size = 9, 4, 2, 3
    query = torch.randn(1, frames, heads * size, generator=draw)
    keys, values = (torch.randn(1, frames + span - 1, heads * size, generator=draw) for _ in range(2))
    positions = torch.randn(heads, span, size, generator=draw)
    found = attend(query, keys, values, positions)
    for head in range(heads):
        columns = slice(head * size, (head + 1) * size)
        q, k, v = query[0, :, columns], keys[0, :, columns], values[0, :, columns]
        for t in range(frames):
            scores = [q[t] @ (k[t + i] + positions[head, i]) / size**0.5 for i in range(span)]
            weights = torch.softmax(torch.stack(scores), dim=0)
            expected = sum(weights[i] * v[t + i] for i in range(span))
            assert torch.allclose(found[0, t, columns], expected, atol=1e-6)


def test_attention_stays_in_float32_where_the_rest_of_a_training_is_in_bfloat16(monkeypatch):
    made, products = network(), []

    def record(*rows):
        found = attend(*rows)
        products.append((found.dtype, torch.matmul(rows[0], rows[0].transpose(1, 2)).dtype))
        return found

    monkeypatch.setattr("stream_sep.separators.frame_transformer.attention.attend", record)
    features, prior = given(made)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        made(features, prior, made.initial_state(2))
        assert made.hidden(torch.zeros(1, made.hidden.in_features)).dtype == torch.bfloat16
    assert {*products} == {(torch.float32, torch.float32)}


@pytest.mark.parametrize(("size", "blocks"), [("tiny", 1), ("tiny", 2), ("s", 1)])
def test_earlier_state_has_no_effect_after_the_hops_it_reaches(size, blocks):
    """Of size S after 1209 hops, or 14 seconds."""
    made = network(**{**dataclasses.asdict(SIZES[size]), "blocks": blocks})
    reach = made.config.reach
    features, prior = given(made, reach + 20, batch=1)
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        outputs = []
        for _ in range(2):
            state = tuple(torch.randn(each.shape, generator=draw) for each in made.initial_state(1))
            outputs.append(made(features, prior, state)[0])
    apart = (outputs[0] - outputs[1]).abs().amax(dim=(0, 2, 3, 4))
    assert float(apart[0]) > 0
    assert float(apart[reach:].max()) == 0.0


def test_shipped_size_has_no_state_beyond_fourteen_seconds():
    assert SIZES["s"].reach == 1209


def test_the_state_never_grows():
    made = network()
    features, prior = given(made, 5)
    with torch.no_grad():
        state = made.initial_state(2)
        for _ in range(4):
            _, state = made(features, prior, state)
    assert [each.shape for each in state] == [each.shape for each in made.initial_state(2)]


def test_a_network_of_the_whole_sees_both_sides_and_keeps_no_state():
    made = network(form="whole")
    features, prior = given(made)
    assert made.initial_state(2) == ()
    layer = lambda x: made(*x.split([FEATURES, PRIOR_CHANNELS], dim=2), ())[0]  # noqa: E731 - as short as it is
    future, past = future_gradient(layer, torch.cat([features, prior], dim=2), HOPS // 2)
    assert future > 0.0
    assert past > 0.0


@pytest.mark.parametrize("span", [6, 2 * HOPS - 1])
def test_attention_of_the_whole_is_that_of_the_formula_over_the_frames_of_the_window(monkeypatch, span):
    monkeypatch.setattr("stream_sep.separators.frame_transformer.attention.MAX_QUERIES", 25)
    torch.manual_seed(6)
    attention = RelativeAttention(4, 2, span, causal=False)
    torch.nn.init.eye_(attention.out.weight)
    x = torch.randn(1, HOPS, 4)
    with torch.no_grad():
        query, keys, values = torch.cat([attention.query(x), attention.key_value(x)], dim=-1)[0].chunk(3, dim=-1)
        found = attention(x, x, ())[0][0]
        before = (span - 1) // 2
        for head in range(2):
            columns = slice(2 * head, 2 * head + 2)
            q, k, v = query[:, columns], keys[:, columns], values[:, columns]
            for t in range(HOPS):
                near = range(max(0, t - before), min(HOPS, t - before + span))
                scores = [q[t] @ (k[s] + attention.positions[head, s - t + before]) / 2**0.5 for s in near]
                weights = torch.softmax(torch.stack(scores), dim=0)
                expected = sum(weight * v[s] for weight, s in zip(weights, near, strict=True))
                assert torch.allclose(found[t, columns], expected, atol=1e-5)


def test_every_frame_of_a_window_attends_to_all_others():
    assert config_from({"form": "whole"}).span == 2 * -(-(8 * 44100 + 448) // 512) - 1
    assert config_from({"form": "whole", "window_seconds": 2}).span == 2 * 174 - 1
    assert config_from({"form": "whole", "span": 9}).span == 9
    assert config_from({}).span == 128
    assert "window_seconds" not in config_from({}).to_dict()
    table = {"size": "tiny", "form": "whole", "window_seconds": 0.1}
    made = FrameTransformer(config_from(table), 4)
    assert config_from(made.config.to_dict()) == made.config
    for weights in made.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    hops = (made.config.span + 1) // 2
    inputs = torch.cat(given(made, hops), dim=2)
    layer = lambda x: made(*x.split([FEATURES, PRIOR_CHANNELS], dim=2), ())[0]  # noqa: E731 - as short as it is
    for at in (0, hops - 1):
        x = inputs.clone().requires_grad_()
        layer(x)[:, at].square().sum().backward()
        assert (x.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


def test_without_the_prior_its_masks_are_not_seen():
    made = network(hints=False)
    features, prior = given(made)
    changed = prior.clone()
    changed[:, :, :6] += 1
    with torch.no_grad():
        one, other = (made(features, each, made.initial_state(2))[0] for each in (prior, changed))
        assert torch.equal(one, other)
        seen = network()
        assert not torch.equal(*(seen(features, each, seen.initial_state(2))[0] for each in (prior, changed)))


@pytest.mark.parametrize(("stems", "is_complex", "outputs"), [(4, True, 7), (2, True, 3), (5, False, 5)])
def test_there_is_an_output_for_each_logit_and_each_imaginary_part(stems, is_complex, outputs):
    made = network(stems, complex=is_complex)
    features, prior = given(made, 3)
    assert made(features, prior, made.initial_state(2))[0].shape == (2, 3, 2, outputs, made.plan.points)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"size": "huge"}, "unknown frame transformer size 'huge'"),
        ({"widht": 3}, "no setting 'widht'"),
        ({"width": 3.5}, "width must be like 128"),
        ({"heads": 3}, "that 4 and heads divide"),
        ({"modules": 9}, "9 levels"),
        ({"form": "half"}, "unknown form 'half'"),
        ({"form": "whole", "lookahead": 2}, "leave out lookahead"),
        ({"form": "whole", "window_seconds": 0}, "window of 0 s is not possible"),
        ({"channels": [8, 0]}, "positive sizes"),
        ({"channels": [8, "x"]}, "channels must be like"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(table, words):
    with pytest.raises(ConfigError, match=words):
        config_from(table)


def test_exported_to_onnx_it_computes_the_same_hop_by_hop(tmp_path):
    onnxruntime = require_package("onnxruntime", "train")
    made = network().eval()
    features, prior = given(made, 12, batch=1)
    names = [f"state{number}" for number in range(len(made.initial_state(1)))]

    class Flat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = made

        def forward(self, features, prior, *state):
            corrections, after = self.network(features, prior, state)
            return (corrections, *after)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(
            Flat(),
            (features[:, :1], prior[:, :1], *made.initial_state(1)),
            str(tmp_path / "step.onnx"),
            input_names=["features", "hints", *names],
            output_names=["corrections", *(f"{name}_after" for name in names)],
            opset_version=17,
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(str(tmp_path / "step.onnx"), providers=["CPUExecutionProvider"])
    state = [tensor.numpy() for tensor in made.initial_state(1)]
    with torch.no_grad():
        whole, _ = made(features, prior, made.initial_state(1))
    for hop in range(12):
        now = {"features": features[:, hop : hop + 1].numpy(), "hints": prior[:, hop : hop + 1].numpy()}
        corrections, *state = session.run(None, {**now, **dict(zip(names, state, strict=True))})
        assert np.abs(corrections[0, 0] - whole[0, hop].numpy()).max() < 1e-5 * max(1.0, float(whole.abs().max()))
