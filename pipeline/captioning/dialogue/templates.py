"""The words of a dialogue: the templates of its prompt set, filled in.

No text from outside goes through a template but one, `ask`, which lays the step's data between its marks; that data
comes from `pipeline.captioning.dialogue.quoting`. All other templates know settings and what kind a picture is of.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError, meta

from pipeline.captioning.language import language_of
from pipeline.config import captioning as config
from pipeline.errors import ConfigError, Problem
from prompts.loader import PromptSet
from prompts.replies import Turn

_SAMPLES: dict[str, Sequence[Mapping[str, Any]]] = {
    "ask": ({"step": "compose", "data": "{}"}, {"step": "observe", "data": ""}),
    "picture": tuple(
        {"number": number, "kind": kind, "direction": direction, "metres": 154, "octant": octant}
        for number in (1, 2)
        for kind in ("street", "aerial", "map")
        for direction in ("ahead-left", None)
        for octant in (0, 7, None)
    ),
}
"""What the two templates that depend on a place may be given. The other templates get the limits on length."""

_STREET_SHARE = 0.8
"""Words that a description of the street views may have, as a share of those of a long description."""


class Templates:
    """The filled-in words of one prompt set."""

    def __init__(self, prompt_set: PromptSet, settings: config.Dialogue) -> None:
        """Parses and fills in every template once.

        Raises:
            ConfigError: naming each template that is malformed or uses a variable that there is not, or the language
                that there are no rules for.
        """
        self._environment = Environment(
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,  # noqa: S701 - no HTML; data comes as JSON that cannot leave its marks
        )
        self._texts = prompt_set.files
        words_per_token = language_of(prompt_set.language).rules.words_per_token
        limits = {
            "long_words": int(settings.long_tokens * words_per_token),
            "short_words": int(settings.short_tokens * words_per_token),
            "street_words": int(settings.long_tokens * words_per_token * _STREET_SHARE),
        }
        problems = []
        for file in sorted(prompt_set.files):
            name = file.removesuffix(".jinja")
            if fault := self._fault(name, _SAMPLES.get(name, [limits])):
                problems.append(Problem(f"prompts/{prompt_set.name}/{file}", *fault))
        if problems:
            raise ConfigError(problems)
        self.system = "\n\n".join(self._fill(name, limits) for name in ("system", *prompt_set.turns))
        """The rules and the instructions of every step: one text for all places, so that servers keep it."""

    def picture(self, *, number: int, kind: str, direction: str | None, metres: int | None, octant: int | None) -> str:
        """A picture's caption.

        Args:
            number: from 1.
            kind: `street`, `aerial` or `map`.
            direction: a street view's position, seen from the main view.
            metres: side of what a chip shows.
            octant: where the main view looks on a chip: 0 its upper edge, 1 its upper right corner, and so on.
        """
        values = {"number": number, "kind": kind, "direction": direction, "metres": metres, "octant": octant}
        return self._fill("picture", values)

    def ask(self, step: Turn, data: str) -> str:
        """The question of a step, with its data as JSON (or the empty string)."""
        return self._fill("ask", {"step": step, "data": data})

    def _fill(self, name: str, values: Mapping[str, Any]) -> str:
        return self._environment.from_string(self._texts[f"{name}.jinja"]).render(values).strip()

    def _fault(self, name: str, samples: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
        """The fault of a template, and what would be right."""
        try:
            used = meta.find_undeclared_variables(self._environment.parse(self._texts[f"{name}.jinja"]))
            if unknown := sorted(used - set(samples[0])):
                return f"the variables {', '.join(unknown)}", f"of {', '.join(sorted(samples[0]))}"
            for sample in samples:
                self._fill(name, sample)
        except (TemplateError, TypeError, ValueError, LookupError) as error:
            return f"{type(error).__name__}: {error}", "a Jinja template that can be filled in"
        return None
