"""Nothing that geoscribe depends on reports to its makers."""

import os
import subprocess
import sys
from pathlib import Path

SESSION = "import pipeline.perception.runtime, onnxruntime; onnxruntime.get_available_providers()"


def test_onnxruntime_keeps_no_events_to_send(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", SESSION], env=kept | home, check=True)
    assert [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name] == []
