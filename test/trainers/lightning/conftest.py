"""Where the fixtures of heavy trainers are."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import heavy_trainers
from heavy_trainers import start  # noqa: F401  (a fixture)

heavy_trainers.FRAMEWORK = ["lightning.pytorch"]
