"""Models for tests: the real architectures at small size with random weights, and an ONNX file written by hand.

Random weights name nothing right. Where a model's own filters would drop everything it says, its last layers are scaled
so that they let something through; what is tested is the way from pixels to segments, not what they are called.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.perception.devices import load_library, load_torch

pytest.importorskip("torch", reason="the extra perception is not installed: make test-models")
torch = load_torch()
open_clip = load_library("open_clip")
sam_parts = load_library("segment_anything.modeling")

TINY = "tiny"
"""Key of the small models in segment-anything's and open_clip's registries, once `register` was called."""


def register(folder: Path) -> None:
    """Make the libraries know the small architectures."""
    load_library("segment_anything").sam_model_registry[TINY] = tiny_sam
    file = folder / f"{TINY}.json"
    file.write_text(json.dumps(_CLIP))
    open_clip.add_model_config(file)


_CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}


def tiny_sam(checkpoint: None = None) -> Any:
    """segment-anything with an image encoder of two small blocks that sees pictures of 128 pixels."""
    side, patch, width = 128, 16, 32
    grid = (side // patch, side // patch)
    encoder = sam_parts.ImageEncoderViT(
        depth=2, embed_dim=64, img_size=side, mlp_ratio=2, norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        num_heads=2, patch_size=patch, qkv_bias=True, use_rel_pos=True, global_attn_indexes=[1], window_size=4,
        out_chans=width,
    )  # fmt: skip
    prompts = sam_parts.PromptEncoder(
        embed_dim=width, image_embedding_size=grid, input_image_size=(side, side), mask_in_chans=4
    )  # fmt: skip
    decoder = sam_parts.MaskDecoder(
        num_multimask_outputs=3, transformer_dim=width, iou_head_depth=2, iou_head_hidden_dim=16,
        transformer=sam_parts.TwoWayTransformer(depth=1, embedding_dim=width, mlp_dim=32, num_heads=2),
    )  # fmt: skip
    return sam_parts.Sam(encoder, prompts, decoder).eval()


def sam_checkpoint(path: Path, seed: int = 0) -> Path:
    """Random weights of the small segment-anything that is sure of its masks and draws them sharply."""
    torch.manual_seed(seed)
    sam = tiny_sam()
    with torch.no_grad():
        sam.mask_decoder.iou_prediction_head.layers[-1].bias.fill_(1.0)
        for head in sam.mask_decoder.output_hypernetworks_mlps:
            head.layers[-1].weight.mul_(1_000)
    torch.save(sam.state_dict(), path)
    return path


def clip_checkpoint(path: Path, seed: int = 0) -> Path:
    """Random weights of the small open_clip model."""
    torch.manual_seed(seed)
    torch.save(open_clip.create_model(TINY).state_dict(), path)
    return path


def grounding_dino(folder: Path, words: list[str], seed: int = 0) -> Path:
    """A small Grounding DINO with random weights and a tokenizer that knows the words, as transformers saves it."""
    transformers = load_library("transformers")
    torch.manual_seed(seed)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *sorted({p for w in words for p in w.split()})]
    tokenizer = transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
    swin = transformers.SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=2,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    bert = transformers.BertConfig(
        vocab_size=len(pieces), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    config = transformers.GroundingDinoConfig(
        backbone_config=swin, text_config=bert, num_queries=10, d_model=32, encoder_layers=1, decoder_layers=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, encoder_attention_heads=2, decoder_attention_heads=2,
    )  # fmt: skip
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(folder)
    pictures = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    transformers.GroundingDinoProcessor(pictures, tokenizer).save_pretrained(folder)
    return folder


def owlv2(folder: Path, seed: int = 0) -> Path:
    """A small OWLv2 with random weights, as transformers saves it."""
    transformers = load_library("transformers")
    torch.manual_seed(seed)
    config = transformers.Owlv2Config(text_config=_TEXT, vision_config=_VISION, projection_dim=16)
    transformers.Owlv2ForObjectDetection(config).save_pretrained(folder)
    pictures = transformers.Owlv2ImageProcessor(size={"height": 64, "width": 64})
    transformers.Owlv2Processor(pictures, _letters()).save_pretrained(folder)
    return folder


def clip(folder: Path, seed: int = 0) -> Path:
    """A small CLIP with random weights, as transformers saves it."""
    transformers = load_library("transformers")
    torch.manual_seed(seed)
    config = transformers.CLIPConfig(text_config=_TEXT, vision_config=_VISION, projection_dim=16)
    transformers.CLIPModel(config).save_pretrained(folder)
    pictures = transformers.CLIPImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 64, "width": 64})
    transformers.CLIPProcessor(pictures, _letters()).save_pretrained(folder)
    return folder


def siglip(folder: Path, seed: int = 0) -> Path:
    """A small SigLIP with random weights, as transformers saves it."""
    transformers = load_library("transformers")
    torch.manual_seed(seed)
    config = transformers.SiglipConfig(text_config=_TEXT, vision_config=_VISION)
    transformers.SiglipModel(config).save_pretrained(folder)
    pictures = transformers.SiglipImageProcessor(size={"height": 64, "width": 64})
    transformers.SiglipProcessor(pictures, _letters()).save_pretrained(folder)
    return folder


_MARKS, _ALPHABET = ["!", "<|startoftext|>", "<|endoftext|>"], [chr(c) for c in range(97, 123)]
_PIECES = [*_MARKS, *_ALPHABET, *(letter + "</w>" for letter in _ALPHABET)]
_TEXT = {"vocab_size": len(_PIECES), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
         "num_attention_heads": 2, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}  # fmt: skip
_VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
           "image_size": 64, "patch_size": 16}  # fmt: skip


def _letters() -> Any:
    """A tokenizer of single letters."""
    vocabulary = {piece: i for i, piece in enumerate(_PIECES)}
    tokenizer = load_library("transformers").CLIPTokenizer
    return tokenizer(vocab=vocabulary, merges=[], pad_token="!", model_max_length=16)
