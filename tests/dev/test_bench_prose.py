"""The bench of the checks on prose that others wrote takes any folder of places of the documented form."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.dev.bench import prose

VIEW = {
    "source": "photos", "source_id": "p1", "author": "a", "licence": "CC0-1.0", "link": "https://example.org",
    "redistributable": True, "view_id": "0", "projection": "perspective", "cut_from": None, "lat": 1.0, "lon": 2.0,
    "distance_m": 0.0, "heading_deg": None, "pitch_deg": 0.0, "hfov_deg": None, "captured_at": None, "sequence": None,
    "width": 640, "height": 480, "faces_blurred": 0, "phash": "0" * 16,
}  # fmt: skip
WALL = "A long wall of red brick runs along the left side of the straight road."
HOUSE = "Ahead to the right stands a white house of two storeys with a grey roof."
TREES = "Three tall trees with round green crowns rise behind the white house."
CUT = "A clipped hedge of dark green leaves follows the road as far as the bend."


def said(text: str, kind: str = "thing", truth: str = "true") -> dict[str, Any]:
    return {"text": text, "claims": [{"claim": text, "kind": kind, "truth": truth}]}


def place(**changes: Any) -> dict[str, Any]:
    """A place with less in it than others have: no cues, no paraphrases, no ids."""
    answered = [*(WALL, HOUSE, TREES), "The wall is blue."]
    found = {
        "evidence": {"site": {"lat": 1.0, "lon": 2.0, "region": "north"}, "views": [VIEW], "map": None},
        "sentences": [said(WALL), said(HOUSE, "a kind of others"), said(TREES, truth="unclear"), said(CUT)],
        "planted": [{"kind": "a kind of others", "text": "The wall on the left is blue.",
                     "untrue_claim": "The wall is blue."}],
        "verifier": [{"statement": text, "answer": "no" if "blue" in text else "yes", "picture": "view1"}
                     for text in answered],
    }  # fmt: skip
    return found | changes


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[Any, str, str]:
    monkeypatch.setattr(sys, "argv", ["prose", str(folder)])
    prose.main()
    printed = capsys.readouterr()
    return json.loads(printed.out.splitlines()[-1]), printed.out, printed.err


def test_a_folder_of_other_places_with_other_files_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sixth.json").write_text(json.dumps(place()))
    (tmp_path / "index.json").write_text(json.dumps({"places": ["sixth"]}))
    (tmp_path / "README.md").write_text("about")
    last, out, err = run(tmp_path, monkeypatch, capsys)
    # Of the true claims one was not put to the verifier: nobody but the writer says so.
    assert (last["true_refused"], last["untrue_caught"]) == (pytest.approx(1 / 3), 1.0)
    assert (last["sites_published"], last["sites"]) == (1, 1)
    assert "a kind of others 1 of 1" in " ".join(out.split())
    assert "not answered by the verifier: 1 statements" in out
    assert "index.json: no place, left out" in err


def test_an_untruth_that_the_verifier_lets_pass_is_not_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    believed = [{"statement": text, "answer": "yes"} for text in (WALL, HOUSE, TREES, CUT, "The wall is blue.")]
    (tmp_path / "sixth.json").write_text(json.dumps(place(verifier=believed)))
    last, _, _ = run(tmp_path, monkeypatch, capsys)
    assert (last["true_refused"], last["untrue_caught"]) == (0.0, 0.0)


def test_a_folder_without_places_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["prose", str(tmp_path)])
    with pytest.raises(SystemExit, match="no places"):
        prose.main()
