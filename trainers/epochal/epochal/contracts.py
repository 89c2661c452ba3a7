"""What trainers and workers tell each other, and what both read on a disk: `contracts/` as pydantic models.

Written by `npm run schemas`: change `contracts/*.ts`, which say what each field means, and run it again.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

PROTOCOL = 1
DATA_REPORT_FILE = "data-report.json"
LARGEST_DATA_REPORT = 65536


class _Model(BaseModel):
    # A worker of a later version may tell more.
    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False)


class Position(_Model):
    epoch: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(ge=0)]


class CheckpointFile(_Model):
    path: Annotated[str, Field(min_length=1, max_length=1024)]
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CheckpointManifest(_Model):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    epoch: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(ge=0)]
    metrics: dict[Annotated[str, Field(min_length=1, max_length=200)], float]
    files: Annotated[list[CheckpointFile], Field(max_length=200)]
    created_at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT.*Z$")]
    session: str
    generation: Annotated[int, Field(ge=1)] | None = None
    from_: str | None = Field(default=None, alias="from")


class SessionFile(_Model):
    protocol: Literal[1]
    run: str
    session: str
    generation: Annotated[int, Field(ge=1)] | None = None
    run_folder: str
    epochs: Annotated[int, Field(ge=1)]
    ends_after: Annotated[int, Field(ge=0)] | None
    parameters: dict[str, Any]
    data: str | None
    seed: Annotated[int, Field(ge=0)]
    every_batches: Annotated[int, Field(ge=0)]
    resume_from: str | None
    keep_progress: bool
    batch_divisor: Annotated[int, Field(ge=1)]
    socket: str | None = None
    snapshots: Literal["auto", "off"] | Annotated[float, Field(ge=0)] | None = None
    reattach_seconds: Annotated[float, Field(ge=0)] | None = None


class GrantCommand(_Model):
    type: Literal["grant"]
    through: Annotated[int, Field(ge=1)]


class StopCommand(_Model):
    type: Literal["stop"]
    mode: Literal["batch", "epoch"]


class CheckpointCommand(_Model):
    type: Literal["checkpoint"]


class ShutdownCommand(_Model):
    type: Literal["shutdown"]


class ReceivedCommand(_Model):
    type: Literal["received"]
    through: Annotated[int, Field(ge=1)]


Command = Annotated[
    GrantCommand | StopCommand | CheckpointCommand | ShutdownCommand | ReceivedCommand,
    Field(discriminator="type"),
]


class HelloEventDevice(_Model):
    name: str
    memory_bytes: int | None = None


class HelloEvent(_Model):
    type: Literal["hello"]
    protocol: Literal[1]
    trainer: str
    pid: int
    versions: dict[str, str]
    devices: list[HelloEventDevice]


class ReadyEvent(_Model):
    type: Literal["ready"]
    resumed_from: Position | None


class SetUpProgressEvent(_Model):
    type: Literal["setUpProgress"]
    doing: Annotated[str, Field(min_length=1, max_length=200)]
    done: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=1)]


class PhaseEvent(_Model):
    type: Literal["phase"]
    phase: Literal["setUp", "train", "validate", "save", "finish"]
    epoch: Annotated[int, Field(ge=1)]


class BatchEvent(_Model):
    type: Literal["batch"]
    phase: Literal["train", "validate"]
    epoch: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=0)]
    batches: Annotated[int, Field(ge=1)] | None
    metrics: dict[Annotated[str, Field(min_length=1, max_length=200)], float]


class EpochEvent(_Model):
    type: Literal["epoch"]
    epoch: Annotated[int, Field(ge=1)]
    batches: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]
    validation_seconds: Annotated[float, Field(ge=0)] | None = None
    saving_seconds: Annotated[float, Field(ge=0)] | None = None
    metrics: dict[Annotated[str, Field(min_length=1, max_length=200)], float]
    at: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT.*Z$")]


class CheckpointEvent(_Model):
    type: Literal["checkpoint"]
    checkpoint: CheckpointManifest


class AcknowledgedEvent(_Model):
    type: Literal["acknowledged"]
    command: Literal["grant", "stop", "checkpoint", "shutdown"]


class NoteEvent(_Model):
    type: Literal["note"]
    message: Annotated[str, Field(max_length=4000)]


class EndedEarlyEvent(_Model):
    type: Literal["endedEarly"]
    epoch: Annotated[int, Field(ge=0)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class StoppedEvent(_Model):
    type: Literal["stopped"]
    epoch: Annotated[int, Field(ge=0)]
    batch: Annotated[int, Field(ge=0)]
    batches_after_stop: Annotated[int, Field(ge=0)]
    finished: bool
    unattended: bool | None = None


class FailedEvent(_Model):
    type: Literal["failed"]
    kind: Literal["outOfMemory", "nan", "data", "gpuMissing", "setUp", "trainerError"]
    message: Annotated[str, Field(max_length=4000)]
    traceback: Annotated[str, Field(max_length=16000)]


Event = Annotated[
    HelloEvent
    | ReadyEvent
    | SetUpProgressEvent
    | PhaseEvent
    | BatchEvent
    | EpochEvent
    | CheckpointEvent
    | AcknowledgedEvent
    | NoteEvent
    | EndedEarlyEvent
    | StoppedEvent
    | FailedEvent,
    Field(discriminator="type"),
]


class LoadedCounts(_Model):
    images: Annotated[int, Field(ge=0)]
    objects: Annotated[int, Field(ge=0)]


class SplitCounts(_Model):
    name: str
    role: Literal["train", "validate", "unused"]
    images: Annotated[int, Field(ge=0)]
    objects: Annotated[int, Field(ge=0)]
    unmarked: Annotated[int, Field(ge=0)]
    loaded: LoadedCounts | None = None


class ClassCounts(_Model):
    name: str
    images: list[Annotated[int, Field(ge=0)]]
    objects: list[Annotated[int, Field(ge=0)]]


class ImageSize(_Model):
    width: Annotated[int, Field(ge=0)]
    height: Annotated[int, Field(ge=0)]


class SizeCount(_Model):
    width: Annotated[int, Field(ge=0)]
    height: Annotated[int, Field(ge=0)]
    images: Annotated[int, Field(ge=0)]


class ImageSizes(_Model):
    smallest: ImageSize
    median: ImageSize
    largest: ImageSize
    distinct: Annotated[int, Field(ge=0)]
    common: list[SizeCount]


class FindingExample(_Model):
    detail: str
    image: str | None


class ReportFinding(_Model):
    kind: str
    effect: Literal["leftOut", "noted"]
    count: Annotated[int, Field(ge=1)]
    examples: list[FindingExample]


class Duplicates(_Model):
    images: Annotated[int, Field(ge=0)]
    across_splits: Annotated[int, Field(ge=0)]


class Decoded(_Model):
    images: Annotated[int, Field(ge=0)]
    failed: Annotated[int, Field(ge=0)]


class DataReport(_Model):
    report_version: Literal[1]
    kind: str
    folder: str
    images: Annotated[int, Field(ge=0)]
    objects: Annotated[int, Field(ge=0)]
    split_by: str | None
    split_sha256: str | None
    splits: list[SplitCounts]
    class_count: Annotated[int, Field(ge=0)]
    classes: list[ClassCounts]
    sizes: ImageSizes | None
    findings: list[ReportFinding]
    duplicates: Duplicates | None
    decoded: Decoded | None


class TrainerManifestDataset(_Model):
    kind: str
    description: str


class TrainerManifestMetric(_Model):
    name: str
    description: str
    unit: str | None = None


class TrainerManifestBest(_Model):
    metric: Annotated[str, Field(min_length=1, max_length=200)]
    mode: Literal["min", "max"]


class TrainerManifest(_Model):
    protocol: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    title: Annotated[str, Field(max_length=200)]
    description: Annotated[str, Field(max_length=4000)]
    parameters: dict[str, Any]
    datasets: list[TrainerManifestDataset]
    metrics: list[TrainerManifestMetric]
    best: TrainerManifestBest
    can_shrink_batch: bool
    image: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    layout: dict[str, Any] | None = None
    form: dict[str, Any] | None = None


class TrainerCheckProblem(_Model):
    field: str
    value: str
    message: str


class TrainerCheck(_Model):
    problems: list[TrainerCheckProblem]
    parameters: dict[str, Any]
    data_report: DataReport | None = None
