"""The trainer's part that hooks into validations: previews of each epoch, evaluation of the last one.

No error here may end or block a training: a failure is logged, and from then on that part is skipped.
"""

import traceback
from collections.abc import Callable
from typing import Any

from ultralytics.utils import RANK

from app.worker.evaluation import EvaluationResults
from app.worker.previews import Previews
from app.worker.reporting import ReportingTrainer
from app.worker.shapes import Batch


class ValidationTrainer(ReportingTrainer):
    """Records the results of its validator."""

    previews: Previews | None = None  # in rank 0: of the images that it validates
    evaluation: EvaluationResults | None = None

    def get_validator(self) -> Any:
        validator = super().get_validator()
        self.evaluation = EvaluationResults(self.folder / "evaluation", str(self.args.task))
        update, gather = validator.update_metrics, validator.gather_stats

        def update_and_record(preds: Any, batch: Batch) -> None:
            update(preds, batch)
            try:
                self.add_batch(validator, preds, batch)
            except Exception:
                self.abandon_records()

        def gather_all() -> None:
            gather()
            if not validator.training and RANK >= 0 and self.evaluation is not None:
                self.evaluation.gather(RANK)

        validator.update_metrics, validator.gather_stats = update_and_record, gather_all
        return validator

    def prepare_previews(self) -> None:
        """Select the images; after the loaders exist, before the first epoch."""
        if not self.resume:
            (self.folder / "evaluation" / "evaluation.json").unlink(missing_ok=True)
        task = str(self.args.task)
        epochs, seed = self.epochs, int(self.args.seed)
        names = [str(name) for name in self.data["names"].values()]
        self.previews = Previews(self.folder / "previews", task, names, epochs)
        mine = sorted(int(index) for index in self.test_loader.sampler)  # with several processes, the part of this one
        self.try_previews(self.previews.choose, self.test_loader.dataset, mine, seed, self.start_epoch + 1)

    def add_batch(self, validator: Any, preds: Any, batch: Batch) -> None:
        """Record the detections of one batch of a validation."""
        if validator.batch_i == 0 and self.evaluation is not None:
            self.evaluation.images, self.evaluation.broken = [], False
        for index, (file, pred) in enumerate(zip(map(str, batch["im_file"]), preds, strict=True)):
            if validator.training:
                if self.previews is not None:
                    self.try_previews(self.previews.add_image, file, pred, index, batch)
            else:
                self.try_evaluation("add_image", validator, file, pred, index, batch)

    def validate(self) -> Any:
        result = super().validate()
        if self.previews is not None:
            self.try_previews(self.previews.end_epoch, self.epoch + 1)
        return result

    def thin_previews(self) -> None:
        if self.previews is not None:
            self.try_previews(self.previews.thin_out, self.epoch + 1, self.best_epoch)

    def final_eval(self) -> None:
        super().final_eval()
        if RANK in {-1, 0} and self.evaluation is not None and self.evaluation.images:
            names = [str(name) for name in self.data["names"].values()]
            self.try_evaluation("write", self.validator.metrics, names, self.measures.get("map50", ""))

    def try_previews(self, act: Callable[..., Any], *arguments: Any) -> None:
        try:
            act(*arguments)
        except Exception:
            self.previews = None
            print("Previews stopped after an error:", traceback.format_exc(), flush=True)

    def try_evaluation(self, name: str, *arguments: Any) -> None:
        """Call a method of the evaluation.

        After a failure the evaluation is marked as broken but not removed, since with several processes each must
        still take part in gathering.
        """
        if self.evaluation is None or self.evaluation.broken:
            return
        try:
            getattr(self.evaluation, name)(*arguments)
        except Exception:
            self.evaluation.broken = True
            print("The evaluation failed:", traceback.format_exc(), flush=True)

    def abandon_records(self) -> None:
        self.previews = None
        if self.evaluation is not None:
            self.evaluation.broken = True
        print("Previews and evaluation stopped after an error:", traceback.format_exc(), flush=True)
