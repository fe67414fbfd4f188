"""loss.csv: what is read, what is refused, what is drawn."""

from __future__ import annotations

import pytest

from tools.files.errors import UserError
from tools.training.losses import Step, draw_losses, read_losses

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


def _lines(monkeypatch, steps, path):
    """What is drawn: the labels and the ordinates of every line, by axes."""
    from matplotlib.figure import Figure

    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: (figures.append(f), save(f, *a, **k)))
    draw_losses(steps, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    return [{line.get_label(): list(line.get_ydata()) for line in a.lines} for a in figures[0].axes]


def test_each_group_has_its_rate(tmp_path, monkeypatch):
    steps = [Step(n, 4 / n, n * 1e-3, n * 16e-3, 1.0) for n in range(1, 61)]
    loss, rate = _lines(monkeypatch, steps, tmp_path / "loss.png")
    assert loss["each step"] == [step.loss for step in steps]
    assert loss["mean of 3 steps"][0] == pytest.approx((4 + 2 + 4 / 3) / 3)
    assert len(loss["mean of 3 steps"]) == 58
    assert rate == {
        "in matrices, A": [step.learning_rate for step in steps],
        "out matrices, B": [step.out_learning_rate for step in steps],
    }


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("rate", [0.0, 1e-3])
def test_one_rate_and_few_steps(tmp_path, monkeypatch, count, rate):
    steps = [Step(n, 2.0, rate, rate, 1.0) for n in range(1, count + 1)]
    loss, rates = _lines(monkeypatch, steps, tmp_path / "loss.png")
    assert list(loss) == ["each step"] and rates == {"all": [rate] * count}


def test_the_same_steps_give_the_same_bytes(tmp_path):
    steps = [Step(n, 2.0 / n, 1e-3, 1e-3, 1.0) for n in range(1, 50)]
    for name in "ab":
        draw_losses(steps, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
