"""BiT-HyperRule at every boundary, against the behaviour of the official ``bit_hyperrule.py`` and the paper's text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitdoc.training.hyperrule import get_lr, get_mixup, get_resolution, get_schedule, learning_rate, task_size

SIZES = {1: "small", 19_999: "small", 20_000: "medium", 499_999: "medium", 500_000: "large", 1_281_167: "large"}
CODE = {
    "small": (100, 200, 300, 400, 500),
    "medium": (500, 3000, 6000, 9000, 10_000),
    "large": (500, 6000, 12_000, 18_000, 20_000),
}
PAPER = {
    "small": (0, 150, 300, 450, 500),
    "medium": (0, 3000, 6000, 9000, 10_000),
    "large": (0, 6000, 12_000, 18_000, 20_000),
}


@pytest.mark.parametrize(("examples", "size"), SIZES.items())
def test_task_sizes_and_what_hangs_on_them(examples, size):
    assert task_size(examples) == size
    assert get_schedule(examples) == CODE[size]
    assert get_schedule(examples, source="paper") == PAPER[size]
    assert get_mixup(examples) == (0.0 if size == "small" else 0.1)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((32, 32), (160, 128)),
        ((96, 95), (160, 128)),
        ((95, 97), (160, 128)),  # 9,215 pixels
        ((96, 96), (512, 480)),
        ((72, 128), (512, 480)),  # exactly 96 x 96 pixels in another shape
        ((224, 224), (512, 480)),
    ],
)
def test_resolution_of_the_code(size, expected):
    assert get_resolution(size) == expected
    assert get_resolution(size, arch="R50x1") == get_resolution(size, arch="R152x4") == expected


def test_resolution_of_the_paper():
    assert get_resolution((32, 32), "paper") == get_resolution((32, 32), "paper", "R152x4") == (160, 128)
    assert get_resolution((224, 224), "paper", "R50x3") == (448, 384)
    assert get_resolution((224, 224), "paper", "R152x4") == (512, 480)


@pytest.mark.parametrize(("examples", "drops"), [(50, CODE["small"]), (50_000, CODE["medium"]), (10**6, CODE["large"])])
def test_learning_rate_around_every_boundary(examples, drops):
    warmup, first, second, third, last = drops

    def rate(step):
        return get_lr(step, examples, base_lr=0.003)

    assert rate(0) == 0.0
    assert rate(1) == pytest.approx(0.003 / warmup)
    assert rate(warmup - 1) == pytest.approx(0.003 * (warmup - 1) / warmup)
    assert rate(warmup) == rate(first) == 0.003  # a drop is felt one step after its boundary
    assert rate(first + 1) == rate(second) == pytest.approx(3e-4)
    assert rate(second + 1) == rate(third) == pytest.approx(3e-5)
    assert rate(third + 1) == rate(last - 1) == pytest.approx(3e-6)
    assert rate(last) is rate(last + 1) is None


def test_learning_rate_of_the_paper_has_no_warmup():
    assert get_lr(0, 50, source="paper") == 0.003
    assert get_lr(150, 50, source="paper") == 0.003
    assert get_lr(151, 50, source="paper") == pytest.approx(3e-4)


@given(
    examples=st.sampled_from([50, 50_000, 10**6]),
    source=st.sampled_from(["code", "paper"]),
    base=st.floats(1e-5, 1),
    step=st.integers(0, 25_000),
)
def test_learning_rate_is_proportional_to_its_base_and_ends_once(examples, source, base, step):
    rate = get_lr(step, examples, base, source)
    assert (rate is None) == (step >= get_schedule(examples, source)[-1])
    if rate is not None:
        assert 0 <= rate <= base
        assert rate == pytest.approx(base * get_lr(step, examples, 1.0, source))


def test_steps_run_from_zero_to_last():
    """The official loop stops at the first None: 500 updates for a small task, the first with learning rate 0."""
    rates = [get_lr(step, 50) for step in range(600)]
    assert rates.index(None) == 500
    assert sum(rate == 0 for rate in rates if rate is not None) == 1


def test_learning_rate_takes_any_schedule():
    assert [learning_rate(s, (2, 3, 4, 5, 6), 1.0) for s in range(7)] == [0, 0.5, 1, 1, 0.1, 0.01, None]


@pytest.mark.parametrize("examples", [0, -1])
def test_a_task_without_examples_is_refused(examples):
    with pytest.raises(ValueError, match=f"at least one labelled example, got {examples}"):
        task_size(examples)


def test_an_unknown_source_is_refused():
    for function in (lambda: get_schedule(50, "blog"), lambda: get_resolution((32, 32), "blog")):
        with pytest.raises(ValueError, match="unknown source 'blog'"):
            function()
