"""A trainer's own pages: widgets in a layout, drawn by the web UI. `docs/trainer-pages.md` has every one of them.

from epochal import ui

    confusion = ui.ConfusionMatrix("Confusion on validation images")
    trainer = epochal.Trainer(..., layout=ui.Container([ui.Card([confusion], title="Validation")]))

and in the training `confusion.show(wanted=..., predicted=...)`.
"""

from epochal.ui.charts import BarChart, Histogram, LineChart, ScatterChart
from epochal.ui.fields import ClassPicker, DataPicker, Field, Fields
from epochal.ui.images import Image, ImageGrid, ImagePair
from epochal.ui.layout import Card, Collapse, Container, Tabs
from epochal.ui.marks import Box, Keypoints, MarkedImage, Mask, Polygon
from epochal.ui.matrices import ConfusionMatrix, HeatMap, PrCurve, Table
from epochal.ui.texts import Alert, Html, Markdown, Progress, Text

__all__ = [
    "Alert",
    "BarChart",
    "Box",
    "Card",
    "ClassPicker",
    "Collapse",
    "ConfusionMatrix",
    "Container",
    "DataPicker",
    "Field",
    "Fields",
    "HeatMap",
    "Histogram",
    "Html",
    "Image",
    "ImageGrid",
    "ImagePair",
    "Keypoints",
    "LineChart",
    "Markdown",
    "MarkedImage",
    "Mask",
    "Polygon",
    "PrCurve",
    "Progress",
    "ScatterChart",
    "Table",
    "Tabs",
    "Text",
]
