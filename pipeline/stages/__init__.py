"""The stages: sites to views, views to cues, cues to descriptions. Each is a function of a unit's rows."""

from pipeline.stages import captions, cues, imagery
from pipeline.stages.base import Known, Stage, StageInput

STAGES: tuple[Stage, ...] = (imagery.STAGE, cues.STAGE, captions.STAGE)
"""All stages in order. Each reads layers of earlier ones; `publish` follows when all are done."""

__all__ = ["STAGES", "Known", "Stage", "StageInput"]
