"""The stages: sites to views, views to cues, cues to descriptions. Each is a function of a unit's rows."""

from pipeline.stages import captions, cues, imagery
from pipeline.stages.base import Known, Stage, StageInput

STAGES: tuple[Stage, ...] = (imagery.STAGE, cues.STAGE, captions.STAGE)
"""All stages that make a layer, in order. Each reads layers of earlier ones."""
PUBLISH = "publish"
"""Name of the last stage, which makes the dataset and no layer."""

__all__ = ["PUBLISH", "STAGES", "Known", "Stage", "StageInput"]
