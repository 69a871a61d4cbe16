"""Classifies a server's objection to a request by its status, its kind and its words, whoever the vendor is.

The rules are tried in order; `tests/captioning/dialogue/server_errors.yaml` has what real servers say, and where
that is from.
"""

from pipeline.captioning.dialogue.model_faults import Fault, Rule, Verdict, set_up
from pipeline.captioning.dialogue.objections import Objection

_CLIENT, _ANY = range(400, 500), range(400, 600)
_CREDIT = set_up("has no credit left for the key", "top the account up, or name another server")
_KEY = set_up("refuses the key", "set key_env in the build file, and the key in the variable that it names")
_PAUSED = set_up("is paused or suspended", "start it again where it is hosted, or name another server")
_PLACE = set_up("does not serve the place that the build runs at", "name a server that does")
_MODEL = set_up(
    "does not serve the model that the build file names", "name one that it serves, as GET .../models lists them"
)

_CANNOT_CHAT = set_up("cannot do chat completions", "start it with a model that chats")

_RULES = (
    Rule(_CREDIT, {402}),
    Rule(_PAUSED, _CLIENT, words=("endpoint is paused", "account .{1,80} is suspended", "has been suspended")),
    Rule(
        _PLACE,
        _CLIENT,
        kinds=("unsupported_country",),
        words=("(country|location|region|territory)( is)? not supported", "not available in your (country|region)"),
    ),
    Rule(
        _CREDIT,
        _CLIENT,
        kinds=("insufficient_quota", "budget_exceeded", "billing"),
        words=("budget has been exceeded", "credit balance is too low", "insufficient (credits|balance)"),
    ),
    Rule(
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
            r"(prompt|input|sequence) length \S{1,20} exceeds",
            r"too long (to fit into the model|and exceeds limit)",
            r"exceeds? (session_len|(the )?max_model_len|limit of \d+ tokens)",
            "sum of prompt length",
            "max_num_tokens",
            r"multi-?modal tokens to \d+ placeholders",
            "input is too large to process",
            "payload is too large",
            "^input_tokens",
            r"(input|prompt)( \([^)]{1,60}\))?( is)? too long",
            "too many (input )?tokens",
            "request too large",
            "reduce the length",
            r"must have less than \d+ tokens",
            r"tokens`? \+ `?max_new_tokens",
            "max_(new_)?tokens must be at least 1",
        ),
    ),
    Rule(
        set_up("allows no reply of captioner.reply_tokens", "lower that"),
        _CLIENT,
        words=(
            r"max_(completion_|new_)?tokens\W.{0,20}is too large",
            "cannot be greater than max_model_len",
            r"at most \d+ completion tokens",
            "max_new_tokens`? must be <=",
        ),
    ),
    Rule(Verdict(Fault.BUSY), {429, 503, 529}),
    Rule(
        Verdict(Fault.BUSY),
        range(500, 600),
        kinds=("overloaded",),
        words=("overloaded", "server busy", "queue is full", "loading model"),
    ),
    Rule(Verdict(Fault.BUSY), {498}, words=("capacity",)),
    Rule(
        set_up("has too little memory for the model", "name a smaller model, or free memory there"),
        range(500, 600),
        words=("requires more (system|gpu) memory",),
    ),
    Rule(
        Verdict(Fault.REFUSED),
        _CLIENT,
        kinds=("content_filter", "content_policy", "moderation", "datainspection", "invalid_image", "image_parse"),
        words=(
            "(content|management|usage) policy",
            "safety system",
            "inappropriate content",
            "input was flagged",
            "requires moderation",
        ),
    ),
    Rule(
        _MODEL,
        _CLIENT,
        kinds=("model_not_found", "model_access_denied", "model_not_supported", "model_not_available", "invalid_model"),
        words=(
            r"model\W.{0,200}(does not exist|not found|is not available)",
            "(invalid|unknown) model",
            "not a valid model",
            "try pulling it",
            "access to (the )?model",
            "no endpoints found for",
            "no models? (is |are )?(currently )?loaded",
            "model .{0,200}not supported by any provider",
            "unable to access model",
            "provided model identifier is invalid",
            "LLM provider not provided",
            "no (allowed )?providers? (is|are) available for the selected model",
            "failed to load model",
        ),
        pages=False,
    ),
    Rule(_MODEL, {404}, words=("^model: ",)),
    Rule(_KEY, {401, 407}),
    Rule(_KEY, {403}, pages=False),
    Rule(
        _KEY,
        _CLIENT,
        kinds=("authentication", "invalid_api_key", "unauthorized"),
        words=("(invalid|incorrect|missing|no|valid) api.?key", "api.?key (is )?(not valid|invalid|missing|expired)"),
        pages=False,
    ),
    Rule(
        set_up(
            "takes fewer pictures than the build shows",
            "start it with `geoscribe serve` or with a higher limit, or lower captioner.max_views",
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
            r"limit[-_]mm[-_]per[-_]prompt`?, but (found|passed) \d+",
        ),
    ),
    Rule(
        _CANNOT_CHAT,
        _CLIENT,
        words=(
            "does not support chat",
            "not a chat model",
            "only supported in v1/responses",
            "chatcompletion operation does not work with",
        ),
    ),
    Rule(
        set_up("wants https", "begin its address in the build file with https://"),
        _CLIENT,
        words=("plain HTTP request was sent to HTTPS",),
    ),
    Rule(
        set_up("serves a model that takes no pictures", "name a vision-language model, or give it its projector"),
        _ANY,
        words=(
            "not a multi-?modal model",
            "multi-?modal data .{0,60}not enabled",
            "missing data required for image",
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
    Rule(
        set_up(
            "cannot write the messages in its model's form",
            "start it with a chat template that takes a system message and pictures (--chat-template)",
        ),
        _ANY,
        kinds=("template_error",),
        words=(
            "chat.?template",
            "template error",
            "roles must alternate",
            "system role (is )?not supported",
            "only user(, | and |/)assistant.{0,20} roles are supported",
        ),
    ),
    Rule(
        set_up(
            "refuses the reply schema of turn {turn}",
            "start it with `geoscribe serve`, which chooses a backend that takes these schemas, or choose one yourself",
        ),
        {*_CLIENT, 501},
        words=("grammar", "json.?schema", "response_format", "structured.?output", "guided", "regex from schema"),
    ),
    Rule(
        set_up("does not take a setting that all requests have", "change it in captioner, or have the server drop it"),
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
    Rule(
        set_up(
            "is no OpenAI-compatible server",
            "the build file's endpoints are addresses as http://127.0.0.1:8000/v1",
        ),
        {*range(300, 400), 404, 405, 410, 415, 426},
    ),
    Rule(_CANNOT_CHAT, {501}),
    Rule(Verdict(Fault.TOO_LONG), {413}),
    Rule(Verdict(Fault.REFUSED), {400, 403, 406, 411, 414, 422, 431, 451}),
)
_OTHERWISE = Verdict(Fault.BROKEN)


def judge(said: Objection) -> Verdict:
    """By the first rule that holds. An objection that none knows is a fault that may pass."""
    return next((rule.verdict for rule in _RULES if rule.holds(said)), _OTHERWISE)
