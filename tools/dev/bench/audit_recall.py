"""Simulated annotators of known skill, and what the report says of them (`python -m tools.dev.bench.audit recall`)."""

import random
import tempfile
import uuid
from pathlib import Path

from tools.audit.database.opening import open_desk
from tools.audit.decisions import decide
from tools.audit.figures import figures_of
from tools.audit.library import Library
from tools.audit.people import Person, enrol
from tools.audit.plan_file import Plan
from tools.audit.plans import make_plan
from tools.audit.queue import take
from tools.audit.records import Decision
from tools.dataset import open_dataset
from tools.dev.bench.audit_desk import make_dataset

CHECKS = 50
"""Attention checks of each annotator, among as many honest samples."""
FALSE_ALARMS = 0.1
SIDE_PX = 256


def recall(annotators: int) -> None:
    """Let annotators of skills between 40 and 95 % judge, and print how many intervals of the report hold the skill."""
    draw = random.Random(5)
    with tempfile.TemporaryDirectory() as home:
        make_dataset(Path(home), 2 * CHECKS * annotators, SIDE_PX)
        library, desk = Library(open_dataset(f"{home}/dataset")), open_desk(f"{home}/audit.sqlite")
        plan = Plan(name="bench", samples=CHECKS * annotators, double_share=0, attention_share=1)
        print(make_plan(desk, library, plan, "lead"))
        skills = {f"p{i}": draw.uniform(0.4, 0.95) for i in range(annotators)}
        for alias in skills:
            enrol(desk, alias, "annotator", with_token=False)
        people = [Person(alias, "annotator") for alias in skills] * 2 * CHECKS
        for person in people:
            (task,) = take(desk, person, count=1)
            rejects = draw.random() < (skills[person.alias] if task.planted else FALSE_ALARMS)
            verdict = {"verdict": "reject", "reasons": ["generic"]} if rejects else {"verdict": "accept"}
            decision = {"decision_id": str(uuid.uuid4()), "version": task.version, "text_sha256": task.text_sha256}
            decide(desk, person, task.task_id, Decision.model_validate(decision | verdict))
        figures = [f for f in figures_of(desk, library) if f.name == "planted faults found"]
        held, widths, checks = 0, 0.0, 0
        for figure in figures:
            if figure.low is None or figure.high is None:
                raise SystemExit(f"{figure.group} has no interval")
            held += figure.low <= skills[figure.group] <= figure.high
            widths, checks = widths + figure.high - figure.low, checks + figure.n
        n = len(figures)
        print(f"{n} annotators, {checks / n:.0f} checks each: {held} of {n} intervals hold the skill")
        print(f"  mean width of an interval {widths / n:.2f}")
        desk.close()
