"""Makes tiny Qwen-VL checkpoints with random weights: `python tiny_model.py OUT TEXTS`, in vLLM's environment.

OUT gets the folders `qwen2_5_vl` and `qwen3_vl`; TEXTS is a folder with the texts (*.jinja) that the tokenizer learns
its thousand tokens from. What such a model writes is noise; it serves to have the real server, with its scheduler,
image processors, grammars and errors, in front of a build.
"""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

# Installed in vLLM's environment, which is not the one that types are checked in.
torch: Any = importlib.import_module("torch")
tokenizers: Any = importlib.import_module("tokenizers")
transformers: Any = importlib.import_module("transformers")

VOCABULARY = 1_024
HIDDEN, HEADS, LAYERS = 64, 2, 2
MOST_PIXELS = 448 * 448
QUOTE = 8.0
"""So much larger is the row of the quotation mark: at temperature 0.4 a string has some twenty tokens."""
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
IMAGE, VIDEO, VISION_START, VISION_END = "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"
SPECIAL = [END, START, STOP, VISION_START, VISION_END, IMAGE, VIDEO]
# One block a message, one placeholder a picture, as the processors of these models expect.
CHAT = """{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\n' }}
{%- if message.content is string -%}{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'text' -%}{{ part.text }}
{%- else -%}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<|im_end|>\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"""


def tokenizer(texts: Path) -> Any:
    """Byte-level BPE, learnt from the texts."""
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL),
        initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator([file.read_text() for file in sorted(texts.rglob("*.jinja"))], trainer)
    made.add_special_tokens(SPECIAL)
    return made


def write(out: Path, arch: str, tokens: Any) -> None:
    """One checkpoint."""
    torch.manual_seed(0)
    ids = {name: tokens.token_to_id(name) for name in SPECIAL}
    text: dict[str, Any] = {
        "vocab_size": tokens.get_vocab_size(),
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 32_768,
        "rope_theta": 1e6,
        "bos_token_id": ids[END],
        "eos_token_id": ids[STOP],
        "pad_token_id": ids[END],
    }
    known = {
        "image_token_id": ids[IMAGE],
        "video_token_id": ids[VIDEO],
        "vision_start_token_id": ids[VISION_START],
        "vision_end_token_id": ids[VISION_END],
        "tie_word_embeddings": False,
    }
    vision: dict[str, Any] = {"depth": 2, "intermediate_size": 128, "num_heads": 2, "spatial_merge_size": 2}
    half = HIDDEN // HEADS // 2
    if arch == "qwen3_vl":
        patch, mean, std = 16, [0.5] * 3, [0.5] * 3
        third = half // 3
        text["head_dim"] = 2 * half
        text["rope_scaling"] = {
            "rope_type": "default",
            "mrope_section": [half - 2 * third, third, third],
            "mrope_interleaved": True,
        }
        vision |= {
            "hidden_size": 64,
            "out_hidden_size": HIDDEN,
            "patch_size": patch,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0],
        }
        config = transformers.Qwen3VLConfig(text_config=text, vision_config=vision, **known)
        model = transformers.Qwen3VLForConditionalGeneration(config)
        processor = {"processor_class": "Qwen3VLProcessor", "image_processor_type": "Qwen2VLImageProcessorFast"}
        video = "Qwen3VLVideoProcessor"
    else:
        patch, mean, std = 14, [0.481, 0.458, 0.408], [0.269, 0.261, 0.276]
        text["rope_scaling"] = {"type": "mrope", "rope_type": "default", "mrope_section": [half - 12, 6, 6]}
        vision |= {
            "hidden_size": 64,
            "out_hidden_size": HIDDEN,
            "patch_size": patch,
            "window_size": 112,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 2,
        }
        config = transformers.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **known)
        model = transformers.Qwen2_5_VLForConditionalGeneration(config)
        processor = {"processor_class": "Qwen2_5_VLProcessor", "image_processor_type": "Qwen2VLImageProcessor"}
        video = "Qwen2VLVideoProcessor"
    config.architectures = [type(model).__name__]
    # Every token is about as likely as every other: strings would all run to their greatest length. This one ends them.
    with torch.no_grad():
        model.lm_head.weight[tokens.token_to_id('"')] *= QUOTE
    folder = out / arch
    model.eval().save_pretrained(folder)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, eos_token=STOP, pad_token=END, additional_special_tokens=[START, *SPECIAL[3:]]
    )
    fast.chat_template = CHAT
    fast.save_pretrained(folder)
    pictures = {
        "patch_size": patch,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "min_pixels": 4 * (2 * patch) ** 2,
        "max_pixels": MOST_PIXELS,
        "size": {"shortest_edge": 4 * (2 * patch) ** 2, "longest_edge": MOST_PIXELS},
        "image_mean": mean,
        "image_std": std,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures | processor))
    (folder / "video_preprocessor_config.json").write_text(
        json.dumps(pictures | {"processor_class": processor["processor_class"], "video_processor_type": video})
    )


if __name__ == "__main__":
    made = tokenizer(Path(sys.argv[2]))
    for name in ("qwen2_5_vl", "qwen3_vl"):
        write(Path(sys.argv[1]), name, made)
