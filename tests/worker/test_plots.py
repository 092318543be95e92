"""Plots never end a training: names that matplotlib would read as mathematics, and plots that fail."""

from pathlib import Path

import numpy as np
import pytest

from app.events import Completed, Failed
from app.worker import plots
from tests.data import image_bytes
from tests.worker.child import Run
from tests.worker.quality.helpers import write

NAMES = ["$\\frac$", "R$ 5 e R$ 10", "车", "🚗", "100% {ok} <b>", "_hidden", "a^b_c\\", "$"]


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    from app.worker import tasks

    assert tasks.TRAINERS


@pytest.mark.filterwarnings("ignore:Glyph")  # the font lacks some of them
def test_names_are_drawn_as_they_are_written(tmp_path: Path) -> None:
    from ultralytics.utils import metrics

    names = dict(enumerate(NAMES))
    x, values = np.linspace(0, 1, 1000), np.random.default_rng(0).random((len(NAMES), 1000))
    metrics.plot_mc_curve(x, values, tmp_path / "curve.png", names, ylabel="F1")
    metrics.plot_pr_curve(x, list(values), values[:, :1], tmp_path / "pr.png", names)
    matrix = metrics.ConfusionMatrix(names=names)
    matrix.plot(save_dir=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"curve.png", "pr.png"}
    assert any("confusion" in path.name for path in tmp_path.iterdir())


def test_a_failing_plot_is_logged_and_skipped(caplog: pytest.LogCaptureFixture) -> None:
    class Drawing:
        def plot_metrics(self) -> None:
            raise ValueError("no such glyph")

        def plot_val_samples(self) -> None:
            raise MemoryError

    plots.wrap(Drawing, [*plots.TRAINER, *plots.VALIDATOR])
    with caplog.at_level("WARNING", logger="ultralytics"):
        plots.logger.propagate = True
        assert Drawing().plot_metrics() is None  # type: ignore[func-returns-value]
    assert "no such glyph" in caplog.text
    with pytest.raises(MemoryError):
        Drawing().plot_val_samples()


def test_every_trainer_and_validator_is_covered() -> None:
    from ultralytics.engine.trainer import BaseTrainer
    from ultralytics.engine.validator import BaseValidator

    for base, names in ((BaseTrainer, plots.TRAINER), (BaseValidator, plots.VALIDATOR)):
        for kind in (base, *plots.subclasses(base)):
            for name in names:
                draw = vars(kind).get(name)
                assert draw is None or draw.harmless, f"{kind.__name__}.{name}"


@pytest.mark.training
def test_a_training_with_such_names_ends_well(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for number, _name in enumerate(NAMES):
            write(tmp_path / "dataset", {f"images/{split}/a b#%{number}.jpg": image_bytes()})
            write(tmp_path / "dataset", {f"labels/{split}/a b#%{number}.txt": f"{number} 0.5 0.5 0.5 0.5\n"})
    listed = "".join(f"  {number}: {name!r}\n" for number, name in enumerate(NAMES))
    data = tmp_path / "dataset" / "dataset.yaml"
    data.write_text(
        f"path: {data.parent}\ntrain: images/train\nval: images/val\nnc: {len(NAMES)}\nnames:\n"
        + listed.replace("\\\\", "\\"),
        encoding="utf-8",
    )
    run = Run(tmp_path, data=data, epochs=1)
    run.wait(lambda run: run.of(Completed) or run.of(Failed) or not run.child.alive())
    assert run.of(Completed), run.child.log_tail()
