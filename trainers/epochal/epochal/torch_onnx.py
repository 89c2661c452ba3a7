"""A trained model as ONNX, and the proof that it computes the same."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def export_onnx(
    model: nn.Module,
    sample: Tensor,
    path: Path,
    *,
    input_name: str = "images",
    output_name: str = "logits",
    tolerance: float = 1e-3,
) -> float:
    """Write `model` (one tensor in, one out) to `path`; the number of samples in a batch is free.

    Answers the largest difference between its output and onnxruntime's on `sample` (N ≥ 2 samples), relative to the
    largest output. Raises `ArithmeticError`, and leaves no file, where it is more than `tolerance`. Needs onnx,
    onnxscript and onnxruntime.
    """
    import numpy
    import onnxruntime
    import torch

    from epochal.torch_state import bare

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    model = bare(model)
    was_training = model.training
    model.eval()
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    inputs = sample.to(device)
    with torch.no_grad():
        expected = model(inputs).float().cpu().numpy()
    # Weights are in the file itself, so that it is one file whatever its name becomes.
    torch.onnx.export(
        model,
        (inputs,),
        str(path),
        input_names=[input_name],
        output_names=[output_name],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )
    model.train(was_training)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest = 0.0
    for count in (len(sample), 1):
        (computed,) = session.run([output_name], {input_name: sample[:count].cpu().numpy()})
        difference = float(numpy.abs(computed - expected[:count]).max() / max(numpy.abs(expected).max(), 1e-12))
        if not difference <= tolerance:
            path.unlink()
            raise ArithmeticError(f"{path.name} does not compute what the model does: it differs by {difference:.2e}")
        largest = max(largest, difference)
    return largest
