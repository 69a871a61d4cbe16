"""Tells orders to a model, which somebody may write on a wall, from what signs tell passers-by.

English; `pipeline.captioning.dialogue` has other languages. Each pattern asks for what a sign has no need of: a model's
own words (statements, captions, instructions) together with what it is to do with them. A business that says "We answer
all your questions" gives no order.
"""

import re

_MODEL = (
    r"(?:ai|llm|gpt|chat ?gpt|gemini|claude|copilot|chatbot|assistant|verifier|captioner|language model|vision model)"
)
_TEXT = r"(?:captions?|descriptions?|answers?|repl(?:y|ies)|responses?|output|sentences?)"
_STATED = r"(?:statements?|claims?|cues?|sentences?|questions?|answers?)"
_PATTERNS = (
    # Role marks of chat templates.
    r"<\|?[a-z_/]+\|?>",
    r"\[/?inst\]",
    r"^(?:system|assistant|user) ?:",
    r"^#+ ?(?:instruction|system|response)",
    # To leave instructions aside.
    (
        r"\b(?:ignore|disregard|forget|override)\b.{0,30}\b(?:instructions?|prompts?|rules?|you (?:were|"
        r"are|have been) (?:told|given|asked))\b"
    ),
    (
        r"\b(?:ignore|disregard|forget|override) (?:all |everything |anything |the |of |that (?:was|is|"
        r"came) )*(?:previous|prior|above|before|earlier)\W*$"
    ),
    (
        r"\b(?:reveal|print|show|repeat|stop following|"
        r"do ?n[o']t follow)\b.{0,20}\byour (?:system )?(?:instructions?|prompts?)\b"
    ),
    r"\b(?:system|developer) prompt\b",
    r"^prompt ?:",
    r"\b(?:new|updated) (?:instructions?|task)\b ?(?:[:\-,]|is\b|are\b|$)",
    # To a model as such.
    r"\bas an? (?:ai|assistant|language model)\b",
    r"\byou are (?:now )?(?:an? )?(?:ai|assistant|chatbot|language model|dan)\b",
    r"\byou are no longer an? \w",
    r"\blanguage models?\b",
    rf"\b(?:dear|hey|if you are) (?:the |an? |any |all )?{_MODEL}s?\b",
    rf"\b(?:to|for) (?:the |any |all )?(?:{_MODEL}|model)s? ?:",
    (
        rf"\b(?:note|notice|message|memo|attention|instructions?|warning)\b.{{0,3}} ?(?:the |"
        rf"all )?{_MODEL}s?\b(?!:? (?:wanted|needed|required|manager))"
    ),
    (
        rf"\b{_MODEL}s? ?[:,!]? (?:please |you must |must |only )*(?:say|write|answer|reply|respond|output|"
        rf"describe|ignore|confirm|forget|repeat)\b"
    ),
    # To write something else.
    (
        rf"\b(?:say|write|output|describe|caption|answer|respond|reply|return|"
        rf"print)\b.{{0,40}}\b(?:instead\W*$|(?:this|the) (?:image|picture|photo|photograph|scene)\b|(?:in|"
        rf"for|as|with) (?:the|your|a|an|every|each|any) {_TEXT}\b)"
    ),
    rf"\bin (?:your|every|each) {_TEXT}\b.{{0,20}}\b(?:say|write|mention|include|tell)\b",
    rf"\b(?:say|mention|include|repeat)\b.{{0,40}}\bin (?:your|every|each|all|the) {_TEXT}\b",
    r"\binstead of (?:describing|answering|captioning)\b",
    r"\b(?:say|state|write|claim|pretend|act as if|answer)(?: that)? (?:this|the place|here) (?:is|was|were)\b",
    r"\bdo ?n[o']t (?:mention|describe|read|repeat) this (?:sign|text|picture|wall)\b",
    # To say yes.
    (
        rf"\b(?:say|answer|reply|respond|mark|rate|rule|confirm|return|treat|consider|"
        rf"regard)\b(?=.{{0,60}}\b(?:yes|no|true|false|correct|supported)\b).{{0,60}}\b(?:all|every|each|"
        rf"any|these|the) (?:of )?(?:the |these |your )?{_STATED}\b"
    ),
    r"\b(?:say|answer|reply|respond) (?:with )?\W?(?:yes|no|true|false)\W? (?:to|for) (?:everything|all)\W*$",
    rf"\b(?:confirm|accept|approve) (?:all|every|each)(?: of)?(?: the| these)? {_STATED}\W*$",
    (
        rf"\b(?:all|every|each|these|the) (?:of )?(?:the |these )?{_STATED}\b.{{0,30}}\b(?:is|are|"
        rf"be) (?:always )?(?:true|correct|yes|right)\b"
    ),
    r"\b(?:answers?|verdict|reply|output) ?: ?\W?(?:yes|no|true|false)\b",
    r"\banswer (?:is )?(?:always )?(?:yes|no|true)\W*$",
)
_INSTRUCTION = re.compile("|".join(_PATTERNS), re.IGNORECASE)
_SPACED = re.compile(r"(?:\b[^\W\d_] ){7,}[^\W\d_]\b")
_SPACED_ORDER = re.compile(r"(?i)(ignore|disregard|forget|override).{0,30}(previous|instruction|prompt|rules?$)")
_ALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425"
    "\u0406\u0408\u0405\u03bf\u03bd\u039f\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijsABEKMHOPCTXIJSovOABEZHIKMNPTYX",
)
"""Letters of Cyrillic and Greek that look like Latin ones."""
_MIXED = re.compile(r"\b(?=\w*[a-zA-Z])\w+\b")


def is_instruction(text: str) -> bool:
    """Whether it addresses an assistant rather than a passer-by.

    Also where letters of another script stand in for Latin ones in its words, and where its letters are spaced out.
    """
    latin = _MIXED.sub(lambda word: word[0].translate(_ALIKE), text)
    joined = (run[0].replace(" ", "") for run in _SPACED.finditer(latin))
    return _INSTRUCTION.search(latin) is not None or any(_SPACED_ORDER.search(run) for run in joined)
