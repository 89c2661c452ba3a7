"""ultralytics' own training loop, driven by the application: its loaders, its epochs, its checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import epochal
import settings
from comparison import Promised, compare, promised
from epochal import schedules, torch_processes
from epochal.datasets import image_folder, yolo_writing
from epochal.datasets.checking import Prepared, prepare
from epochal.datasets.model import Findings
from parameters import Parameters
from prediction_pages import PredictionPages

_suffix = {"detect": "", "segment": "-seg", "pose": "-pose", "classify": "-cls"}
#: Parameters that ultralytics knows by the same name.
_same = [
    *(
        "task",
        "patience",
        "optimizer",
        "lr0",
        "lrf",
        "cos_lr",
        "momentum",
        "weight_decay",
        "warmup_epochs",
        "close_mosaic",
    ),
    *("hsv_h", "hsv_s", "hsv_v", "degrees", "translate", "scale", "shear", "flipud", "fliplr", "mosaic", "mixup"),
    *("copy_paste", "workers", "plots"),
]


def train_yolo(app: epochal.Application, pages: PredictionPages) -> None:
    """Train, and export at the end if that was asked for."""
    parameters: Parameters = app.parameters
    artifacts = Path(app.get_synced_data_dir())
    run_folder = artifacts.parent
    settings.prepare(run_folder, app.ranks.rank)
    processes = torch_processes.join(app)
    written = prepare_data(app, run_folder / "data") if processes.rank == 0 else None
    data = app.ranks.gather(written and written.data)[0]
    trainer = make_trainer(app, overrides(app, data, artifacts), processes, written, pages)
    app.call_before_shutdown(trainer.close_loaders)
    try:
        trainer.train()
    except NoMoreEpochs:
        pass
    if trainer.stop:
        app.end_early(trainer.why_early)  # does nothing if this is the planned end
    if trainer.planned_end or trainer.stop:
        next(trainer.epochs_to_train, None)
    if parameters.export_onnx and processes.rank == 0:
        from export import export_onnx

        export_onnx(app, trainer)


class NoMoreEpochs(Exception):
    """The worker said that no epoch follows."""


class Written(NamedTuple):
    """A data set as ultralytics reads it, in the run folder."""

    #: Its yaml file, or its folder (classify).
    data: Path
    promised: Promised
    prepared: Prepared


def prepare_data(app: epochal.Application, folder: Path) -> Written:
    """Write the data set for ultralytics; notes its split."""
    parameters: Parameters = app.parameters
    prepared = prepare(app, parameters.task, parameters)
    data_set, split = prepared.data_set, prepared.split
    # Every process of ultralytics would remove it; the checkpoint has it.
    Path(app.get_synced_data_dir(), "yolo", "results.csv").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    if parameters.task == "classify":
        image_folder.write(data_set, split, folder)
        data = folder
    else:
        changed = Findings()
        data = yolo_writing.write(data_set, split, folder, parameters.task, changed)
        prepared.converted(app, changed)
    return Written(data, promised(split, folder, parameters.task), prepared)


def overrides(app: epochal.Application, data: Path, artifacts: Path) -> dict[str, Any]:
    """The configuration for ultralytics' trainer."""
    import torch

    parameters: Parameters = app.parameters
    device = parameters.device
    if parameters.devices[0] not in ("auto", "cpu", "mps") and not torch.cuda.is_available():
        raise epochal.GpuMissing(f"the device is {device}, but torch finds no GPU here")
    if parameters.devices[0] == "cpu":
        device = "cpu"
    device = {"auto": "0" if torch.cuda.is_available() else "cpu", "cuda": "0"}.get(device, device)
    batch_size = parameters.batch_size // parts_of_batch(app)  # of all devices, for ultralytics too
    name = f"{parameters.family}{parameters.size}{_suffix[parameters.task]}.yaml"
    return {
        **{name: getattr(parameters, name) for name in _same},
        "model": str(Path(parameters.weights).expanduser()) if parameters.weights else name,
        "data": str(data),
        "epochs": app.planned_epochs,
        "imgsz": parameters.image_size,
        "batch": batch_size,
        "nbs": parameters.nominal_batch_size or batch_size,
        "freeze": parameters.freeze or None,
        "amp": parameters.amp and device not in ("cpu", "mps"),
        "device": device,
        "seed": app.seed % 2**31,
        "deterministic": True,
        "project": str(artifacts),
        "name": "yolo",
        "exist_ok": True,
        "val": True,
    }


def parts_of_batch(app: epochal.Application) -> int:
    """How many equal parts a batch is computed in, after out-of-memory: down to one image for a device."""
    each = app.parameters.batch_size // app.ranks.count
    return next(parts for parts in range(min(app.batch_divisor, each), each + 1) if each % parts == 0)


def make_trainer(
    app: epochal.Application,
    configuration: dict[str, Any],
    processes: torch_processes.Processes,
    written: Written | None,
    pages: PredictionPages,
) -> Any:
    """ultralytics' trainer for the task, with its loop's ends in the application's hands.

    What it does not load of what was `written` (by rank 0 alone) is noted, and in the data report.
    """
    import torch
    import ultralytics.engine.trainer as engine
    from epochal.torch_state import bare
    from loaders import EpochOrder, TrainingLoader, ValidationLoader, numbered
    from metrics import batch_metrics, epoch_metrics
    from state import State
    from ultralytics.models.yolo import classify, detect, pose, segment

    settings.without_integrations()
    # Module globals come before builtins: the one loop over training batches counts them where it continues.
    engine.enumerate = numbered
    engine.check_amp = lambda _model: True  # it would download a model to compare with
    base: Any = {
        "detect": detect.DetectionTrainer,
        "segment": segment.SegmentationTrainer,
        "pose": pose.PoseTrainer,
        "classify": classify.ClassificationTrainer,
    }[configuration["task"]]
    parameters: Parameters = app.parameters
    parts = parts_of_batch(app)

    class EpochalTrainer(base):  # type: ignore[misc]
        """Ends at any batch, resumes from there, and leaves checkpoints to the application."""

        epochs_to_train: Iterator[int]
        planned_end = False
        why_early = f"the fitness has not risen for {parameters.patience} epochs"

        def _setup_ddp(self) -> None:
            """The processes know each other already; as if alone, until `_build_train_pipeline` shares the model."""
            if self.device.type == "cuda":
                self.device = torch.device("cuda", int(self.args.device.split(",")[processes.local_rank]))
                torch.cuda.set_device(self.device)
            self.world_size = 1

        def build_dataset(self, *args: Any, **options: Any) -> Any:
            try:
                return super().build_dataset(*args, **options)
            except (RuntimeError, ValueError) as error:
                # Of what it cannot use any image of, ultralytics says so in several lines.
                why = "; ".join(line.strip() for line in str(error).splitlines()[:20])
                raise epochal.DataError(f"ultralytics cannot use the images: {why}") from error

        def _build_train_pipeline(self) -> None:
            # As ultralytics has it: each process keeps the means and variances of its own batches, rank 0's are saved.
            options = {"find_unused_parameters": True, "forward_sync_buffers": False}
            self.model = processes.wrap(self.model, self.device, **options)
            if processes.count > 1:
                self.world_size = processes.count
            super()._build_train_pipeline()
            loader = self.train_loader
            if written:
                loaders = {"train": loader, "val": self.test_loader}
                comparisons = [
                    compare(part, images, loaders[part].dataset) for part, images in written.promised.items()
                ]
                written.prepared.loaded(app, comparisons)
            shuffle = type(loader.sampler).__name__ in ("RandomSampler", "DistributedSampler")
            images, batch_size = len(loader.dataset), loader.batch_size * processes.count
            order = EpochOrder(images, batch_size, app.seed, shuffle, app.ranks)
            self.train_loader = TrainingLoader(loader, app, order, parts)
            self.test_loader = ValidationLoader(self.test_loader, app)

        def get_validator(self) -> Any:
            validator = super().get_validator()
            pages.watch(validator, is_first=processes.rank == 0)
            return validator

        def _close_dataloader_mosaic(self) -> None:
            super()._close_dataloader_mosaic()
            self.train_loader.begin(self.epoch)  # ultralytics throws away what was loaded ahead

        def optimizer_step(self) -> None:
            if parameters.nominal_batch_size is None and not self.train_loader.completes_step:
                return  # after out-of-memory a batch is computed in parts
            if self.args.task == "classify" and parts * processes.count > 1:
                # Its loss is a mean over what a process computes at a time; the others' are sums, and add up.
                for weights in self.model.parameters():
                    if weights.grad is not None:
                        weights.grad.div_(parts * processes.count)
            super().optimizer_step()

        def save_model(self) -> bool:
            return False  # `end_epoch` does

        def _handle_nan_recovery(self, epoch: int) -> bool:
            del epoch
            return False  # reported as a failure; the run's configuration says what follows

        def final_eval(self) -> None:
            """ultralytics would strip and validate the best weights, which are the application's to keep."""

        def close_loaders(self) -> None:
            """End the loaders' processes."""
            for name in ("train_loader", "test_loader"):
                if loader := getattr(self, name, None):
                    loader.close()

    def set_up(trainer: Any) -> None:
        app.state(save=state.save, load=state.load, load_weights=state.load_weights)
        trainer.epochs_to_train = app.epochs()
        trainer.start_epoch = advance(trainer) - 1
        trainer.scheduler.last_epoch = trainer.start_epoch - 1  # the schedule is over the run's epochs
        if app.extended_from is not None and parameters.lrf != 1:
            schedules.tell(app)
        stopper = trainer.stopper
        if trainer.start_epoch - stopper.best_epoch >= stopper.patience:
            # It had ended early there: a run that continues it gets its full patience again.
            stopper.best_epoch, stopper.possible_stop = trainer.start_epoch, False
        trainer.train_loader.begin(trainer.start_epoch)
        trainer.is_first = True
        if processes.rank == 0:
            pages.show_balance(trainer)
        model = bare(trainer.model)
        if getattr(model, "criterion", None) is None:
            # Made in the first training batch, which an epoch that is continued in its validation has not.
            model.criterion = model.init_criterion()

    def advance(trainer: Any) -> int:
        epoch = next(trainer.epochs_to_train, None)
        if epoch is None:
            trainer.planned_end = True
            raise NoMoreEpochs
        return epoch

    def begin_epoch(trainer: Any) -> None:
        if not trainer.is_first:
            advance(trainer)
        trainer.is_first = False

    def begin_batch(trainer: Any) -> None:
        trainer._oom_retries = 3  # out of memory is reported: the run's configuration says what follows
        if state.losses is not None:
            trainer.tloss, state.losses = state.losses, None

    def end_batch(trainer: Any) -> None:
        app.log(batch_metrics(trainer))

    def end_training_part(trainer: Any) -> None:
        if trainer.tloss is None and state.losses is not None:  # continued in its validation
            trainer.tloss = state.losses
            trainer.loss = sum(trainer.tloss.values())
            for group, rate in zip(trainer.optimizer.param_groups, state.rates, strict=True):
                group["lr"] = rate
            trainer.lr = {f"lr/pg{index}": rate for index, rate in enumerate(state.rates)}
        state.losses = None
        # Rank 0 alone knows whether this may be the last epoch, whose plots take one more sum over all ranks.
        trainer.stopper.possible_stop = app.ranks.gather(trainer.stopper.possible_stop)[0]
        # ultralytics switches the plots of a validation off for good after the first one.
        trainer.validator.args.plots = trainer.args.plots

    def end_epoch(trainer: Any) -> None:
        if trainer.stop:  # rank 0 knows by now, the others are told after this
            app.end_early(trainer.why_early)
        pages.show(trainer.validator, app.ranks.gather)
        # Rank 0 validates with what ultralytics gathers from the others; losses of training are its own part's.
        app.end_epoch(app.ranks.gather(epoch_metrics(trainer) if processes.rank == 0 else None)[0])
        trainer.planned_end = trainer.epoch + 1 >= trainer.epochs

    trainer = EpochalTrainer(overrides=configuration)
    if processes.count > 1:
        trainer.world_size = processes.count  # on CPUs ultralytics counts none
    state = State(trainer)
    trainer.add_callback("on_pretrain_routine_end", set_up)
    trainer.add_callback("on_train_epoch_start", begin_epoch)
    trainer.add_callback("on_train_batch_start", begin_batch)
    trainer.add_callback("on_train_batch_end", end_batch)
    trainer.add_callback("on_train_epoch_end", end_training_part)
    trainer.add_callback("on_fit_epoch_end", end_epoch)
    return trainer
