"""Losses: what is read, what is refused, what is drawn, and which series end a training."""

from __future__ import annotations

import numpy as np
import pytest

from tools.files.errors import UserError
from tools.training.losses import DivergenceGuard, Step, draw_losses, read_losses, smoothed

HEADER = "step,loss,learning_rate,out_learning_rate,seconds\n"


def test_read(tmp_path):
    path = tmp_path / "loss.csv"
    path.write_text(HEADER + "1,2.5,0,0,60.5\n2,2.25,1e-3,16e-3,0.5\n")
    assert read_losses(path) == [Step(1, 2.5, 0, 0, 60.5), Step(2, 2.25, 1e-3, 16e-3, 0.5)]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (HEADER + "1,2.5,1e-3,1e-3,0.5\n2,x,0,0,0\n", 3, "not a row"),
        (HEADER + "1,nan,0,0,0\n", 2, "not a row"),
        (HEADER + "1,2.5\n", 2, "not a row"),
        ("step,loss,learning_rate,seconds\n1,2,0,0\n", 2, "out_learning_rate"),
        (HEADER, None, "holds no step"),
        ("", None, "holds no step"),
    ],
)
def test_refused(tmp_path, text, line, what):
    path = tmp_path / "loss.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=what) as caught:
        read_losses(path)
    assert str(caught.value.where) == (f"{path}:{line}" if line else str(path))


def _lines(steps):
    """What is drawn: the labels and the ordinates of every line, by axes."""
    figure = draw_losses(steps)
    return [{line.get_label(): list(line.get_ydata()) for line in a.lines} for a in figure.axes]


def test_each_group_has_its_rate():
    steps = [Step(n, 4 / n, n * 1e-3, n * 16e-3, 1.0) for n in range(1, 61)]
    loss, rate = _lines(steps)
    assert loss["each step"] == [step.loss for step in steps]
    assert loss["moving mean"][0] == pytest.approx((4 + 2 + 4 / 3) / 3)
    assert len(loss["moving mean"]) == 58
    assert rate == {
        "in matrices, A": [step.learning_rate for step in steps],
        "out matrices, B": [step.out_learning_rate for step in steps],
    }


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("rate", [0.0, 1e-3])
def test_one_rate_and_few_steps(count, rate):
    loss, rates = _lines([Step(n, 2.0, rate, rate, 1.0) for n in range(1, count + 1)])
    assert list(loss) == ["each step"] and rates == {"learning rate": [rate] * count}


def test_means_are_of_the_last_twentieth():
    steps = [Step(n, float(n), 0.1, 0.1, 1.0) for n in range(1, 61)]
    width, means = smoothed(steps)
    assert width == 3
    assert means[0] == (3, 2.0)
    assert means[-1] == (60, 59.0)
    assert smoothed(steps[:19]) == (0, [])


def stops_at(losses, resumed=0):
    """The step at which a training of these losses is stopped; None where it goes on to its end."""
    guard = DivergenceGuard(losses[:resumed])
    for step, loss in enumerate(losses[resumed:], resumed + 1):
        try:
            guard.check(step, loss)
        except FloatingPointError:
            return step
    return None


def noisy(count, floor):
    """Losses that fall from 2.5 to `floor`, each up to four times as large as the curve."""
    curve = floor + (2.5 - floor) * np.exp(-np.arange(count) / 60)
    return (curve * np.random.default_rng(1).uniform(0.2, 4, count).clip(0, 4)).tolist()


@pytest.mark.parametrize("floor", [1.0, 0.1, 0.01])
def test_a_healthy_training_goes_on(floor):
    losses = noisy(1500, floor)
    windows = [sum(losses[i - 20 : i]) / 20 for i in range(20, len(losses) + 1)]
    assert windows[-1] > 1.2 * min(windows)  # by 20 losses alone it would seem to rise
    assert stops_at(losses) is None


@pytest.mark.parametrize(
    ("losses", "step"),
    [
        # 2 + 8 k / 100 is more than 3 from k = 13 on.
        ([2.0] * 100 + [10.0] * 50, 113),
        # No hundred losses are there before.
        ([2.0] * 20 + [10.0] * 100, 100),
        # Below 1.0 the limit is 1.5, whatever the beginning: 0.4 + 1.2 k / 100.
        ([0.4] * 100 + [1.6] * 100, 192),
        ([0.4] * 100 + [1.49] * 300, None),
        # A peak is no divergence.
        ([2.0] * 150 + [90.0] + [2.0] * 99, None),
        ([2.0] * 20 + [3.0] * 300, None),
        # 2 n + 3.1 (100 - n) is more than 300 once 9 of the first are left.
        ([2.0] * 20 + [3.1] * 300, 111),
    ],
)
def test_a_training_that_diverges_stops(losses, step):
    assert stops_at(losses) == step
    for resumed in (1, 19, 20, 50, 99):
        assert stops_at(losses, resumed) == step


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_at_once(loss):
    assert stops_at([2.0, 1.0, loss, 1.0]) == 3 and stops_at([loss]) == 1
