"""The report of an audit that is all decided, while somebody works at the desk (`tools.dev.bench.audit report`)."""

import random
import threading
import time
import uuid
from typing import Any

from sqlalchemy import select

from tools.audit.database.tables import tasks
from tools.audit.decisions import record
from tools.audit.people import enrol
from tools.audit.plan_file import Plan
from tools.audit.plans import make_plan
from tools.audit.records import Decision
from tools.dev.bench.audit_desk import Server
from tools.dev.bench.audit_load import Annotator

CHECKS = 500
"""Attention checks beside the samples."""
LEFT = 200
"""Tasks that are left for who works meanwhile."""


def report(server: Server) -> None:
    """Decide nearly all, ask for the report twice, and measure the server and the page's requests meanwhile."""
    checks = Plan(name="checks", samples=CHECKS, double_share=0, attention_share=1)
    make_plan(server.desk, server.library, checks, "lead")
    enrol(server.desk, "lea", "lead", with_token=True)
    decided = _decide_nearly_all(server)
    before = server.memory_mb()
    for turn in ("first", "second"):
        lead, worker = Annotator(server, "lea", 0), Annotator(server, "p0", 0)
        for person in (lead, worker):
            person.sign_in()
            person.connection.timeout = 3600
        used = server.process.cpu_times().user
        asking = threading.Thread(target=lead.ask, args=("GET", "/report", None, "picture"))
        asking.start()
        peak = before
        while asking.is_alive():
            worker.ask("POST", "/api/next", {"plan": "bench", "count": 3}, "next")
            peak = max(peak, server.memory_mb())
            time.sleep(0.2)
        used, times = server.process.cpu_times().user - used, sorted(worker.times["next"])
        wall = lead.times["picture"][0] / 1000
        print(f"{turn} report of {decided} decisions: {used:.1f} s of CPU, {wall:.1f} s in all")
        print(
            f"  next task meanwhile, {len(times)}: median {times[len(times) // 2]:.0f} ms, at most {times[-1]:.0f} ms"
        )
        print(f"  server: {before:.0f} MB before, {peak:.0f} MB at most")


def _decide_nearly_all(server: Server) -> int:
    draw = random.Random(7)
    with server.desk.writing() as connection:
        rows = connection.execute(select(tasks).where(tasks.c.state == "open").order_by(tasks.c.position)).all()
        for row in rows[LEFT:]:
            claims = {"0.0": draw.choice(["true", "false", "cannot"])} if draw.random() < 0.3 else {}
            verdict: dict[str, Any] = {"verdict": "accept"}
            if draw.random() < 0.2:
                verdict = {"verdict": "reject", "reasons": ["generic"]}
            seen = {"version": row.version, "text_sha256": row.text_sha256, "claims": claims, "ms": 4_000}
            decision = Decision.model_validate({"decision_id": str(uuid.uuid4())} | seen | verdict)
            record(connection, server.desk.clock(), row, draw.choice(["ann", "bob", "eve"]), decision)
    return len(rows) - LEFT
