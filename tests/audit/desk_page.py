"""A browser's part in tests of the desk's server."""

import re
from typing import Any

from starlette.testclient import TestClient

from tools.audit.people import Person
from tools.audit.server.app import make_app
from tools.audit.server.room import Room

HERE = "http://127.0.0.1:8750"


class Page:
    """A browser's part: cookies, and the CSRF token that stands in the page."""

    def __init__(self, room: Room, alias: str = "lea", **options: Any) -> None:
        role = "lead" if alias == "lea" else "annotator"
        self.client = TestClient(
            make_app(room, alone=Person(alias, role), **options),  # type: ignore[arg-type]
            base_url=HERE,
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        self.client.get("/")
        shell = self.client.get("/desk").text
        found = re.search(r"csrf&#34;: &#34;([0-9a-f]+)", shell)
        assert found
        self.csrf = found[1]

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.post(path, json=body or {}, headers={"X-CSRF-Token": self.csrf} | headers)

    def next(self, **wanted: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.post("/api/next", wanted).json()["tasks"]
        return found

    def decide(self, task: dict[str, Any], **fields: Any) -> Any:
        body = {"decision_id": "12345678-" + task["task_id"], "version": task["version"], "ms": 9}
        body |= {"text_sha256": task["text_sha256"], "verdict": "accept"} | fields
        return self.post(f"/api/tasks/{task['task_id']}/decision", body)
