"""Small random checkpoints for tests that need one of a certain kind."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.siglip.checkpoint import MINI_DIRECTORY

if TYPE_CHECKING:
    from transformers import SiglipConfig, SiglipModel


def copy_mini(target: Path) -> Path:
    """Make a copy of mini to break or to change."""
    return Path(shutil.copytree(MINI_DIRECTORY, target))


def save_tiny(target: Path, seed: int = 0, **text: int) -> Path:
    """Save a random checkpoint of 32-pixel pictures and 16 dimensions, with mini's tokenizer."""
    import torch
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    torch.manual_seed(seed)
    width = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
    }
    config = SiglipConfig(
        text_config=width | {"vocab_size": 1000, "bos_token_id": None, "eos_token_id": 1} | text,
        vision_config=width | {"image_size": 32, "patch_size": 16},
    )
    SiglipModel(config).save_pretrained(target)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(target)
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copy(MINI_DIRECTORY / name, target)
    return target


def with_two_layers(config: SiglipConfig) -> SiglipConfig:
    """Return the configuration with two layers in each tower and a small vocabulary, so that the
    model has a tenth of the weights, and all else of its size.
    """
    config.text_config.vocab_size = 32_000
    for tower in (config.text_config, config.vision_config):
        tower.num_hidden_layers = 2
    return config


def weight_bytes(config: SiglipConfig) -> int:
    """Return the size in bytes of the model's weights in fp32, without making them."""
    import torch
    from transformers import SiglipModel

    with torch.device("meta"):
        return sum(4 * weights.numel() for weights in SiglipModel(config).parameters())


def save_base(target: Path, config: SiglipConfig) -> Path:
    """Save a random checkpoint of the configuration, prepared as google/siglip-base-patch16-224,
    with mini's tokenizer.
    """
    from transformers import SiglipImageProcessorPil

    random_model(config, 4.7, -12.9).save_pretrained(target)
    SiglipImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(target)
    for name in ("spiece.model", "tokenizer_config.json"):
        shutil.copy(MINI_DIRECTORY / name, target)
    return target


def random_model(config: SiglipConfig, logit_scale: float, logit_bias: float) -> SiglipModel:
    """Return a random model with a scale and a bias of its logits. For one of 200 million weights,
    the initial values of transformers take ten seconds, and these take two.
    """
    import torch
    from transformers import SiglipModel

    torch.manual_seed(0)
    with torch.device("meta"):
        model = SiglipModel(config).eval()
    model.to_empty(device="cpu")
    for name, weights in model.named_parameters():
        if weights.ndim > 1:
            torch.nn.init.normal_(weights, std=weights[0].numel() ** -0.5)
        else:
            torch.nn.init.constant_(weights, 1.0 if name.endswith("weight") else 0.0)
    # The usual 1 and 0 would hide a forgotten scale or bias.
    torch.nn.init.constant_(model.logit_scale, logit_scale)
    torch.nn.init.constant_(model.logit_bias, logit_bias)
    return model


def save_siglip2_tokenizer(target: Path) -> None:
    """Save a tokenizer.json as SigLIP 2 publishes it: Gemma's kind of BPE, EOS and no BOS, and no
    padding side in its config.
    """
    import json

    from tokenizers import (
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special + bytes_, show_progress=False
    )
    tokenizer.train_from_iterator(
        ["a photo of two cats on a sofa", "a red house by the sea at night"] * 20, trainer
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    target.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(target / "tokenizer.json"))
    config = {
        "tokenizer_class": "GemmaTokenizer",
        "add_bos_token": False,
        "add_eos_token": True,
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_max_length": 64,
    }
    (target / "tokenizer_config.json").write_text(json.dumps(config))


def siglip2_base_patch32() -> SiglipConfig:
    """Return google/siglip2-base-patch32-256's exact configuration."""
    from transformers import SiglipConfig

    return SiglipConfig(
        text_config={"vocab_size": 256_000, "bos_token_id": 2, "eos_token_id": 1},
        vision_config={"image_size": 256, "patch_size": 32},
    )


def save_siglip2_base(target: Path, config: SiglipConfig) -> Path:
    """Save a random checkpoint of the configuration, prepared as google/siglip2-base-patch32-256,
    with a small tokenizer of Gemma's kind.
    """
    from transformers import SiglipImageProcessorPil

    random_model(config, 4.7, -16.8).save_pretrained(target)
    SiglipImageProcessorPil(
        size={"height": 256, "width": 256}, resample=2, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(target)
    save_siglip2_tokenizer(target)
    return target
