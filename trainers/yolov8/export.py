"""ONNX: written by ultralytics, checked by onnxruntime on an image."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import epochal
import numpy as np
import torch
from state import WEIGHTS, State


def export_onnx(app: epochal.Application, trainer: Any) -> None:
    """Write `model.onnx` of the best epoch that is still here, and note how far its outputs are from torch's."""
    import onnxruntime
    from ultralytics import YOLO

    artifacts = Path(app.get_synced_data_dir())
    work = artifacts.parent / "export"
    work.mkdir(exist_ok=True)
    best = artifacts.parent / "checkpoints" / f"epoch-{(app.best or {'epoch': 0})['epoch']:04d}" / WEIGHTS
    if best.is_file():
        shutil.copyfile(best, work / WEIGHTS)
    else:
        torch.save(State(trainer)._usable(), work / WEIGHTS)
    model = YOLO(work / WEIGHTS)
    size = app.parameters.image_size
    written = model.export(format="onnx", imgsz=size, simplify=False, device="cpu", verbose=False)
    target = artifacts / "model.onnx"
    shutil.copyfile(written, target)

    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    for batch in trainer.test_loader._loader:
        first = batch["img"][:1].float()
        first = first / 255 if first.max() > 1 else first
        if first.shape[-2:] == image.shape[-2:]:
            image = first
        break
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    got = session.run(None, {session.get_inputs()[0].name: image.numpy()})[0]
    with torch.inference_mode():
        wanted = YOLO(work / WEIGHTS).model.float().eval()(image)
    while isinstance(wanted, (tuple, list)):  # predictions come first, then what only training needs
        wanted = wanted[0]
    wanted = wanted.numpy()
    difference = float(np.abs(got - wanted).max() / max(np.abs(wanted).max(), 1e-6))
    if difference > 0.01:
        raise RuntimeError(f"the ONNX model's outputs differ from torch's by {difference:.2g} of the largest one")
    app.note(f"model.onnx is written; on an image it differs from torch by {difference:.1g} of the largest output")
    shutil.rmtree(work, ignore_errors=True)
