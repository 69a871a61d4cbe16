"""The stages: from sites to views, from views to cues, from cues to descriptions. Pure functions over a unit's rows."""

from pipeline.stages import captions, cues, imagery
from pipeline.stages.base import Stage, StageInput

STAGES: tuple[Stage, ...] = (imagery.STAGE, cues.STAGE, captions.STAGE)
"""In order. Each reads layers of those before it; `publish` follows when all are done."""

__all__ = ["STAGES", "Stage", "StageInput"]
