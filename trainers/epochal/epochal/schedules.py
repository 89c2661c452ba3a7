"""Schedules of the learning rate in a run that continues with another number of epochs than its checkpoint had.

What a schedule saves is more than where it is: the number of steps that it was planned for is in it, or the rate that
followed from it. Loaded as it is, a cosine over 10 epochs rises again in the 11th, and a warm-up and decay end early.
So a schedule that was made for the run's present length is stepped to the checkpoint's position instead: from there on
its rates are those of an uninterrupted run of that length.
"""

from __future__ import annotations

import heapq
import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from epochal.application import Application

#: What schedules change in an optimizer's groups, unless they say so themselves (mmengine's `param_name`).
_SCHEDULED = frozenset({"lr", "momentum", "betas"})
#: Their lengths are absolute, or there is none: what they save is what they continue with.
_WITHOUT_TOTAL = frozenset({"ReduceLROnPlateau", "CosineAnnealingWarmRestarts"})


def is_schedule(part: Any) -> bool:
    """Whether it looks like a schedule of torch, of mmengine, or like one of theirs."""
    return all(hasattr(part, name) for name in ("optimizer", "step", "state_dict", "load_state_dict"))


@contextmanager
def over_new_total(app: Application, schedules: Sequence[Any], saved: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """Load optimizers and `schedules` within this block, from `saved` or however a framework does it.

    Where the run has another number of epochs than the one that wrote the checkpoint, the schedules are afterwards
    where they would be in a run of this length, with the rates of that place in their optimizers, and a note says so.
    Else nothing is touched. `schedules` are freshly made, and their optimizers have not been loaded.
    """
    if app.extended_from is None:
        yield
        return
    # How many there are is for whoever loads them to say.
    counted = [(one, state, _steps(one, state)) for one, state in zip(schedules, saved, strict=False)]
    # The rates of an optimizer are the product of all its schedules: one that cannot be stepped again decides for all.
    left_alone = {id(one.optimizer) for one, _, steps in counted if steps is None}
    known: list[tuple[Any, Mapping[str, Any], int]] = []
    for one, state, steps in counted:
        if steps is not None and id(one.optimizer) not in left_alone:
            known.append((one, state, steps))
        elif steps is not None or not _is_without_total(one):
            app.note(
                f"the schedule {type(one).__name__} continues as planned for {app.extended_from} epochs: "
                f"its place in a schedule over {app.planned_epochs} cannot be determined"
                + (", because another schedule of its optimizer cannot be made anew" if steps is not None else "")
            )
    moved = _Moved([one for one, _, _ in known], [steps for _, _, steps in known])
    yield
    if moved.apply() or moved.states != [state for _, state, _ in known]:
        tell(app)


def tell(app: Application) -> None:
    """Note that the epochs so far followed another schedule than those to come."""
    before, now = app.extended_from, app.planned_epochs
    app.note(
        f"the run was planned for {before} epochs and has {now} now: up to here the learning rate followed a schedule "
        f"over {before} epochs, from here on it follows one over {now}"
    )


class _Moved:
    """Fresh schedules at a later step, to be put in place again after their optimizers were loaded."""

    def __init__(self, schedules: Sequence[Any], steps: Sequence[int]) -> None:
        self._schedules = schedules
        optimizers = {id(one.optimizer): one.optimizer for one in schedules}
        self._optimizers = list(optimizers.values())
        names = _SCHEDULED | {one.param_name for one in schedules if hasattr(one, "param_name")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no step of the optimizer comes before these
            for one in _in_turn(schedules, steps):
                one.step()
        self.states = [deepcopy(one.state_dict()) for one in schedules]
        self._rates = [{name: deepcopy(group[name]) for name in names if name in group} for group in self._groups()]

    def apply(self) -> bool:
        """Put states and rates in place; answers whether a rate is another one than what was loaded."""
        for one, state in zip(self._schedules, self.states, strict=True):
            one.load_state_dict(state)
        differs = False
        for group, rates in zip(self._groups(), self._rates, strict=True):
            for name, value in rates.items():
                differs = differs or group[name] != value
                if hasattr(group[name], "fill_"):  # a rate in a tensor stays in it
                    group[name].fill_(value)
                else:
                    group[name] = value
        return bool(differs)

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]


def _in_turn(schedules: Sequence[Any], steps: Sequence[int]) -> Iterator[Any]:
    """Each schedule as often as it was stepped, those that are stepped more often first: batches, then the epoch."""
    for _, _, index in heapq.merge(*(_turns(index, count) for index, count in enumerate(steps))):
        yield schedules[index]


def _turns(index: int, count: int) -> Iterator[tuple[float, int, int]]:
    return ((done / count, -count, index) for done in range(1, count + 1))


def _steps(schedule: Any, saved: Mapping[str, Any]) -> int | None:
    """How often it was stepped; None where that cannot be told, or stepping it again would not lead there."""
    if _is_without_total(schedule) or _needs_argument(schedule):
        return None
    now = schedule.state_dict()
    for name in ("_global_step", "last_epoch"):  # mmengine's, torch's
        if name in saved and name in now:
            count = saved[name] - now[name]
            return count if isinstance(count, int) and count >= 0 else None
    inner = saved.get("_schedulers")  # torch's ChainedScheduler
    return _steps(schedule._schedulers[0], inner[0]) if inner and hasattr(schedule, "_schedulers") else None


def _is_without_total(schedule: Any) -> bool:
    """Whether it is none of the run's length: it follows the metrics, or repeats itself."""
    if type(schedule).__name__ in _WITHOUT_TOTAL or getattr(schedule, "need_val_args", False):  # mmengine's plateaus
        return True
    return "metrics" in inspect.signature(schedule.step).parameters


def _needs_argument(schedule: Any) -> bool:
    """Whether a step is told something that only the training knew."""
    parameters = inspect.signature(schedule.step).parameters.values()
    return any(one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters)
