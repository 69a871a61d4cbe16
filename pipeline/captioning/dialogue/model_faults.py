"""What a server's objection to a request means: told by its status, its kind and its words, whoever the vendor is.

The rules are tried in order; `tests/captioning/dialogue/server_errors.yaml` has what real servers say, and where
that is from.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from pipeline.captioning.dialogue.objections import Objection


class Fault(StrEnum):
    """Whose it is, and so what helps."""

    SET_UP = "set-up"
    """The user's: no request of this build will do until the server or the build file is changed."""
    TOO_LONG = "too long"
    """The prompt's: with less in it, it may do."""
    REFUSED = "refused"
    """The request's: it will not do, others may."""
    BUSY = "busy"
    """No fault: the same request succeeds later."""
    BROKEN = "broken"
    """The server's: it may do, sent again."""


@dataclass(frozen=True)
class Verdict:
    """A fault, and for one of the set-up what is wrong and what to change."""

    fault: Fault
    wrong: str = ""
    """Said of the server; its own words follow."""
    change: str = ""


@dataclass(frozen=True)
class _Rule:
    """Holds for an objection of one of these statuses in which one of the kinds or of the words is found.

    A rule without kinds and words goes by the status alone.
    """

    verdict: Verdict
    statuses: Collection[int]
    kinds: tuple[str, ...] = ()
    """Patterns of the error's type and code."""
    words: tuple[str, ...] = ()
    """Patterns of its message, which has the name of the parameter that it blames before it: `image: At most ...`."""
    pages: bool = True
    """Whether it holds for web pages as well, which a proxy writes and no model server."""

    def holds(self, said: Objection) -> bool:
        if said.status not in self.statuses or (said.page and not self.pages):
            return False
        if not self.kinds and not self.words:
            return True
        words = f"{said.param}: {said.message}" if said.param else said.message
        return _any_of(self.kinds, said.kind) or _any_of(self.words, words)


def _any_of(patterns: tuple[str, ...], text: str) -> bool:
    return any(_compiled(pattern).search(text) for pattern in patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _set_up(wrong: str, change: str) -> Verdict:
    return Verdict(Fault.SET_UP, wrong, change)


_CLIENT, _ANY = range(400, 500), range(400, 600)
_CREDIT = _set_up("has no credit left for the key", "top the account up, or name another server")
_KEY = _set_up("refuses the key", "set key_env in the build file, and the key in the variable that it names")
_MODEL = _set_up(
    "does not serve the model that the build file names", "name one that it serves, as GET .../models lists them"
)

_RULES = (
    _Rule(_CREDIT, {402}),
    _Rule(
        _CREDIT,
        _CLIENT,
        kinds=("insufficient_quota", "budget_exceeded", "billing"),
        words=("budget has been exceeded", "credit balance is too low", "insufficient (credits|balance)"),
    ),
    _Rule(
        Verdict(Fault.TOO_LONG),
        _ANY,
        kinds=("context_length", "exceed_context_size", "contextwindow", "string_above_max_length"),
        words=(
            "maximum context length",
            "maximum model length",
            "maximum input length",
            "range of input length",
            "model'?s? context length",
            "context (window|size|limit)",
            "context length exceeded",
            "exceeds? the (maximum|max) (allowed )?(length|number of tokens)",
            "^input_tokens",
            "(input|prompt)( is)? too long",
            "too many (input )?tokens",
            "request too large",
            "reduce the length",
            r"must have less than \d+ tokens",
            r"tokens`? \+ `?max_new_tokens",
            "max_(new_)?tokens must be at least 1",
        ),
    ),
    _Rule(
        _set_up("allows no reply of captioner.reply_tokens", "lower that"),
        _CLIENT,
        words=(
            r"max_(completion_|new_)?tokens\W.{0,20}is too large",
            "cannot be greater than max_model_len",
            r"at most \d+ completion tokens",
            "max_new_tokens`? must be <=",
        ),
    ),
    _Rule(Verdict(Fault.BUSY), {429, 503, 529}),
    _Rule(
        Verdict(Fault.BUSY),
        range(500, 600),
        kinds=("overloaded",),
        words=("overloaded", "server busy", "queue is full", "loading model"),
    ),
    _Rule(
        Verdict(Fault.REFUSED),
        _CLIENT,
        kinds=("content_filter", "content_policy", "moderation", "datainspection", "invalid_image", "image_parse"),
        words=("(content|management|usage) policy", "safety system", "inappropriate content"),
    ),
    _Rule(
        _MODEL,
        _CLIENT,
        kinds=("model_not_found", "model_access_denied"),
        words=(
            r"model\W.{0,200}(does not exist|not found|is not available)",
            "(invalid|unknown) model",
            "not a valid model",
            "try pulling it",
            "access to (the )?model",
            "no endpoints found for",
            "no models? (is |are )?loaded",
            "failed to load model",
        ),
        pages=False,
    ),
    _Rule(_MODEL, {404}, words=("^model: ",)),
    _Rule(_KEY, {401, 407}),
    _Rule(_KEY, {403}, pages=False),
    _Rule(
        _KEY,
        _CLIENT,
        kinds=("authentication", "invalid_api_key", "unauthorized"),
        words=("(invalid|incorrect|missing|no|valid) api.?key", "api.?key (is )?(not valid|invalid|missing|expired)"),
        pages=False,
    ),
    _Rule(
        _set_up(
            "takes fewer pictures than the build shows",
            "start it with `geoscribe serve` or with a higher limit, or lower captioner.most_views",
        ),
        _ANY,
        words=(
            "^image: (?!at most 0)",
            r"at most [1-9]\d* image",
            "too many images",
            "multiple .{0,20}image.{0,10} input",
            r"only supports? (one|a single|\d+) image",
            r"image count \d+ exceeds",
            r"(supports?|up to|maximum of|limit of) \d+ images",
        ),
    ),
    _Rule(
        _set_up("serves a model that takes no pictures", "name a vision-language model, or give it its projector"),
        _ANY,
        words=(
            "not a multi-?modal model",
            "not (currently )?support(ed)? (the )?(image|vision|multi-?modal)",
            "(image|vision)( inputs?| modality)? (is|are) not (currently )?supported",
            "(that support|no) image input",
            "vision (model|add-on|adapter) is not loaded",
            "image_url is only supported",
            "at most 0 image",
            "mmproj",
            "only supports? text",
            "only works for VL",
            "text-only model",
            "unsupported (chat )?content (part )?type",
            "unknown variant .image_url",
            "variant of untagged enum ChatCompletionRequestContent",
            "content: .*input should be a valid string",
        ),
    ),
    _Rule(
        _set_up(
            "cannot write the messages in its model's form",
            "start it with a chat template that takes a system message and pictures (--chat-template)",
        ),
        _ANY,
        kinds=("template_error",),
        words=("chat.?template", "template error", "roles must alternate", "system role (is )?not supported"),
    ),
    _Rule(
        _set_up(
            "refuses the reply schema of turn {turn}",
            "start it with `geoscribe serve`, which chooses a backend that takes these schemas, or choose one yourself",
        ),
        {*_CLIENT, 501},
        words=("grammar", "json.?schema", "response_format", "structured.?output", "guided", "regex from schema"),
    ),
    _Rule(
        _set_up("does not take a setting that all requests have", "change it in captioner, or have the server drop it"),
        {400, 422},
        kinds=("unsupported_(parameter|value)", "unknown_parameter", "extra_forbidden"),
        words=(
            "unsupportedparams",
            "unsupported (parameter|value)",
            "unrecognized request argument",
            "extra inputs are not",
            "not support parameters",
            "argument not supported",
            r"\b(temperature|top_p|max_(completion_|new_)?tokens|maxOutputTokens)\b",
            # Pictures have streams as well ("broken data stream"), so these names have to be marked as such.
            "^(seed|stream): ",
            "[`'\"](seed|stream)[`'\"]",
        ),
    ),
    _Rule(
        _set_up(
            "is no OpenAI-compatible server",
            "the build file's endpoints are addresses as http://127.0.0.1:8000/v1",
        ),
        {*range(300, 400), 404, 405, 410, 415, 426},
    ),
    _Rule(_set_up("cannot do chat completions", "start it with a model that chats"), {501}),
    _Rule(Verdict(Fault.TOO_LONG), {413}),
    _Rule(Verdict(Fault.REFUSED), {400, 403, 406, 411, 414, 422, 431, 451}),
)
_OTHERWISE = Verdict(Fault.BROKEN)


def judge(said: Objection) -> Verdict:
    """By the first rule that holds. An objection that none knows is a fault that may pass."""
    return next((rule.verdict for rule in _RULES if rule.holds(said)), _OTHERWISE)
