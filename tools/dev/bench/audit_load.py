"""Twenty simulated annotators at the desk over HTTP (`python -m tools.dev.bench.audit load`)."""

import http.client
import json
import random
import statistics
import threading
import time
import uuid
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from tools.audit import log
from tools.audit.people import find
from tools.audit.server.security import COOKIE, sessions_of
from tools.dev.bench.audit_desk import Server

ANNOTATORS = 20
LOOKS_S = (1.0, 3.0)
"""A simulated annotator looks at a sample between so long and so long."""


class Annotator(threading.Thread):
    """Takes tasks, loads their pictures, decides; now and then skips, undoes, sends a decision twice."""

    def __init__(self, server: Server, alias: str, until: float) -> None:
        super().__init__()
        self.server, self.alias, self.until = server, alias, until
        self.draw = random.Random(alias)
        self.connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        self.cookie = self.csrf = ""
        self.times: dict[str, list[float]] = {"next": [], "decision": [], "picture": []}
        self.acknowledged: dict[int, str] = {}
        """Task by the number of the decision's event, less what was undone."""
        self.answers: Counter[str] = Counter()

    def ask(self, method: str, path: str, body: Any = None, kind: str = "") -> tuple[int, bytes]:
        """One request; its time counts under `kind`."""
        headers = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, "Content-Type": "application/json"}
        started = time.perf_counter()
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        data = answer.read()
        if kind:
            self.times[kind].append(1000 * (time.perf_counter() - started))
        return answer.status, data

    def sign_in(self) -> None:
        """With a session of the desk's own: so many signing in at once from one address would be held up."""
        sessions = sessions_of(self.server.desk)
        person = find(self.server.desk, self.alias)
        assert person is not None
        cookie = sessions.cookie(person, time.time())
        self.cookie, self.csrf = f"{COOKIE}={cookie}", sessions.csrf(cookie)

    def run(self) -> None:
        """Work until the time is over."""
        self.sign_in()
        loaded: set[str] = set()
        while time.monotonic() < self.until:
            status, data = self.ask("POST", "/api/next", {"plan": "bench", "count": 3}, "next")
            if status != 200:
                self.answers[f"next {status}"] += 1
                continue
            tasks = json.loads(data)["tasks"]
            if not tasks:
                return
            for task in tasks:
                if task["task_id"] not in loaded:
                    loaded.add(task["task_id"])
                    for picture in task["pictures"]:
                        self.ask("GET", picture["url"], None, "picture")
            time.sleep(self.draw.uniform(*LOOKS_S))
            self.judge(tasks[0])

    def judge(self, task: dict[str, Any]) -> None:
        """Decide a task."""
        path, chance = f"/api/tasks/{task['task_id']}", self.draw.random()
        if chance < 0.05:
            self.answers[f"skip {self.ask('POST', f'{path}/skip', {})[0]}"] += 1
            return
        body = {"decision_id": str(uuid.UUID(int=self.draw.getrandbits(128))), "version": task["version"]}
        body |= {"text_sha256": task["text_sha256"], "ms": 2000, "verdict": "accept"}
        if chance > 0.8:
            body |= {"verdict": "reject", "reasons": ["generic"], "note": "n\u00f6te \U0001f3e0"}
        status, data = self.ask("POST", f"{path}/decision", body, "decision")
        self.answers[f"decision {status}"] += 1
        if status != 200:
            return
        seq = json.loads(data)["seq"]
        self.acknowledged[seq] = task["task_id"]
        if 0.1 < chance < 0.15:  # as a page does that did not hear the answer
            again = self.ask("POST", f"{path}/decision", body)
            if (again[0], json.loads(again[1])) != (200, {"seq": seq}):
                self.answers["sent again, taken otherwise"] += 1
        if 0.15 < chance < 0.2 and self.ask("POST", "/api/undo", {})[0] == 200:
            del self.acknowledged[seq]
            self.answers["undo 200"] += 1


def load(server: Server, minutes: float, kind: str) -> None:
    """Let all work for some minutes, then hold what was acknowledged against what is recorded."""
    until = time.monotonic() + 60 * minutes
    people = [Annotator(server, alias, until) for alias in server.tokens]
    before = server.memory_mb()
    for person in people:
        person.start()
    peak = before
    while any(person.is_alive() for person in people):
        peak = max(peak, server.memory_mb())
        time.sleep(0.5)
    answers = sum((person.answers for person in people), Counter[str]())
    worked = sum(bool(person.acknowledged) for person in people)
    print(f"{kind}: {worked} of {len(people)} annotators, {minutes:g} minutes, {dict(sorted(answers.items()))}")
    for what in ("next", "decision", "picture"):
        times = [t for person in people for t in person.times[what]]
        cuts = statistics.quantiles(times, n=20)
        print(f"  {what}: {len(times)}, median {statistics.median(times):.0f} ms, 95th percentile {cuts[18]:.0f} ms")
    print(f"  server: {before:.0f} MB before, {peak:.0f} MB at most")
    with server.desk.reading() as connection:
        faults = log.verify(connection)
        recorded = {e.seq: e.task_id for e in log.standing(log.read(connection)).values() if e.alias != "early"}
    acknowledged = {seq: task for person in people for seq, task in person.acknowledged.items()}
    lost, extra = acknowledged.items() - recorded.items(), recorded.items() - acknowledged.items()
    doubled = len(recorded) - len(set(recorded.values()))
    print(
        f"  {len(acknowledged)} acknowledged, {len(lost)} lost, {len(extra)} unasked, {doubled} doubled, log {faults}"
    )
    if lost or extra or doubled or faults or worked < len(people):
        raise SystemExit(1)
