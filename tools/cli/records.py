"""Plans, states and outcomes as values that JSON can hold."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pipeline.config.build import Build
from pipeline.engine.counts import Counts
from pipeline.engine.measuring import Measured
from pipeline.engine.outcome import Busy, Outcome
from pipeline.engine.plans import Plan
from pipeline.engine.progress import StageProgress
from pipeline.engine.workspace import State
from pipeline.stages import STAGES
from schemas.reasons import ABOUT, Reason
from tools.cli.last_run import LastRun


def plan_record(build: Build, plan: Plan, measured: Measured | None, cores: int) -> dict[str, Any]:
    """A plan: totals, with so many CPU cores; regions, sources and providers."""
    return {
        "name": build.name,
        "sites": plan.sites,
        "views": plan.views,
        "days": plan.days,
        "cores": cores,
        "days_at_cores": plan.days_at(cores) if measured else None,
        "cpu_hours": plan.cpu_hours if measured else None,
        "measured": asdict(measured) if measured else None,
        "workspace_bytes": plan.workspace_bytes,
        "dataset_bytes": plan.dataset_bytes,
        "ocr_gpu_hours": plan.ocr_gpu_hours,
        "model_calls": plan.model_calls,
        "dialogue_calls": plan.dialogue_calls,
        "dialogue_gpu_hours": plan.dialogue_gpu_hours,
        "currency": build.assumptions.prices.currency,
        "cost": plan.money,
        "regions": [
            {
                "region": one.region,
                "sites": one.sites,
                "units": one.units,
                "estimated": one.estimated,
                "views": one.views,
                "aerial": one.aerial,
                "left_out": round(one.left_out, 4),
            }
            for one in plan.regions
        ],
        "sources": [
            {
                "kind": one.kind,
                "name": one.name,
                "provider": one.provider.name if one.provider else None,
                "requests": one.requests,
                "bytes": one.bytes,
            }
            for one in plan.sources
        ],
        "providers": [
            {
                "name": one.provider.name,
                "requests": one.requests,
                "per_s": one.provider.per_s,
                "per_day": one.provider.per_day,
                "days": one.days,
            }
            for one in plan.providers
        ],
    }


def state_record(state: State, run: LastRun | None) -> dict[str, Any]:
    """The state of a workspace, by region and stage, and how the last run on it went."""
    last = [s for s in state.stages if s.stage == STAGES[-1].name]
    return {
        "name": state.definition.build.name,
        "unfinished_units": sum(s.units - s.done for s in last),
        "stages": [
            {"region": s.region, "stage": s.stage, "units": s.units, "done": s.done, **counts_record(s.counts)}
            for s in state.stages
        ],
        "superseded": [file.path for file in state.stale],
        "damaged": [file.path for file in state.damaged],
        "regions_without_sites": [note.said for note in state.notes if note.empty],
        "regions_not_drawn": [note.said for note in state.notes if not note.empty],
        "last_run": {
            "started_at": run.started_at.isoformat(),
            "seconds": run.seconds,
            "ended": run.ended,
            "busy": busy_record(run.busy) if run.busy is not None else None,
        }
        if run is not None
        else None,
    }


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """The record of how a run ended."""
    lost = outcome.shrinkage
    return {
        "sites": outcome.sites,
        "tables_made": outcome.made,
        "unfinished_units": outcome.unfinished,
        "stages": {stage: counts_record(counts) for stage, counts in outcome.counts.items()},
        "published": outcome.published.counts.published if outcome.published else None,
        "failed_share": outcome.failed_share,
        "missing_shares": outcome.missing_shares,
        "regions_without_sites": outcome.empty,
        "regions_not_drawn": outcome.not_drawn,
        "busy": busy_record(outcome.busy) if outcome.busy is not None else None,
        "would_shrink": {region: {"before": b, "after": a} for region, (b, a) in lost.rows.items()} if lost else None,
        "unfilled_splits": list(outcome.unfilled),
    }


def progress_record(totals: Mapping[str, StageProgress]) -> dict[str, Any]:
    """What a run has done of its units by stage, and their sites. Units of `sites` are regions to draw."""
    return {
        name: {"units": one.units, "done": one.units_done, **counts_record(one.counts)} for name, one in totals.items()
    }


def busy_record(busy: Busy) -> dict[str, Any]:
    """How much of the time each stage's room was in use."""
    stages = {name: {"seconds": round(s, 3), "share": round(s / busy.seconds, 4)} for name, s in busy.stages.items()}
    return {
        "seconds": round(busy.seconds, 3),
        "stages": stages,
        "busiest": busy.busiest,
        "seconds_over_busiest": round(busy.over_busiest, 4),
    }


def counts_record(counts: Counts) -> dict[str, Any]:
    """Sites by outcome, and views: why each is not there, and whether a later try may help."""
    return {
        "ok": counts.ok,
        "failed": {
            reason: {
                "sites": n,
                "may_pass": ABOUT[Reason(reason)].passing,
                "details": [list(one) for one in counts.details[reason].counted] if reason in counts.details else [],
            }
            for reason, n in sorted(counts.failed.items())
        },
        "views": {
            view: {
                "there": seen.there,
                "missing": {
                    reason: {"sites": n, "may_pass": ABOUT[Reason(reason)].passing}
                    for reason, n in sorted(seen.missing.items())
                },
            }
            for view, seen in counts.views.items()
        },
    }
