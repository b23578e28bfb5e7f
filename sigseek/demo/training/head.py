"""Trains the heads of a trained mini's two towers, with everything below them locked.

    python -m sigseek.demo.training.head RUN_DIR --start CHECKPOINT --out OUT_DIR

The image tower's head is the layer norm and the MLP after its attention pooling. The text tower's
head is its projection. Each sees a single vector of a picture or a text. These vectors are computed
once, so a step costs little, and each drawing can be shown many times, also mirrored. Those of the
pictures are kept in RUN_DIR.

Pictures are compared with three kinds of texts:

- all facts as captions, such as "two houses". Facts about the number of objects weigh more than the
  others, because mini tells numbers worst;
- random captions, which say several facts at once. Without them the logits of such texts fall while
  those of the facts rise;
- texts that no drawing shows, which must stay refused.

What is saved is a mean of the weights before and after. The weights after the lesson tell a little
more, but they are too certain of it (docs/scores.md).
"""

import argparse
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from transformers import SiglipModel, SiglipTokenizer

from sigseek.demo.captions import phrase, random_statement
from sigseek.demo.scene import all_facts, numbered_scene
from sigseek.demo.training.absent import absent_text
from sigseek.demo.training.pictures import draw_all
from sigseek.demo.training.train import (
    REFUSED,
    TEXT_LENGTH,
    TRAIN_SEED,
    fact_as_caption,
    normalized_pixels,
    save_checkpoint,
    tokenized,
)
from sigseek.files import written_whole
from sigseek.siglip import load_checkpoint

NUMBERS = (*range(40_000), *range(160_000, 184_000), *range(260_000, 284_000))
"""The numbers of the drawings in their series. Those from 160,000 on are new to the image tower."""
STEPS, PICTURES_PER_STEP = 1200, 256
CAPTIONS, CAPTIONS_PER_STEP = 8000, 512
ABSENT, ABSENT_PER_STEP = 1500, 64
RATE = 1e-3
DROPPED = 0.2
"""The share of the image head's hidden units that a step leaves out. Without it the head learns the
drawings by heart.
"""
NUMBER_WEIGHT = 3.0
"""The weight of facts such as "2 any cat". All other facts have weight 1."""
LEARNED_SHARE = 0.75
"""The share of the weights after the lesson in the weights that are saved."""
_CPU = torch.device("cpu")
_CHUNK = 200

Head = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Texts:
    """What the text tower's projection is given of texts, each (n, dim)."""

    facts: torch.Tensor
    captions: torch.Tensor
    claims: torch.Tensor
    """The facts that each caption states, bool (captions, facts)."""
    absent: torch.Tensor


def main() -> None:
    """Compute what the heads are given, train them, and save the checkpoint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run_dir", type=Path, help="where the image head's inputs are kept")
    parser.add_argument("--start", required=True, help="the checkpoint to go on from")
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint is written")
    parser.add_argument("--pictures", type=int, default=len(NUMBERS), help="(default: %(default)s)")
    parser.add_argument("--captions", type=int, default=CAPTIONS, help="(default: %(default)s)")
    parser.add_argument("--absent", type=int, default=ABSENT, help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, help="(default: %(default)s)")
    args = parser.parse_args()
    args.run_dir.mkdir(parents=True, exist_ok=True)
    directory = load_checkpoint(args.start).directory
    model = SiglipModel.from_pretrained(directory, dtype=torch.float32)
    tokenizer = SiglipTokenizer(str(directory / "spiece.model"), model_max_length=TEXT_LENGTH)
    tokenizer.model_input_names = ["input_ids"]
    numbers = NUMBERS[: args.pictures]
    inputs = kept(
        args.run_dir / "inputs.npy",
        lambda: image_inputs(model, draw_all(TRAIN_SEED, numbers)),
    )
    if len(inputs) != 2 * len(numbers):
        parser.error(f"{args.run_dir} holds {len(inputs) // 2} pictures; name another directory")
    facts = fact_matrix(numbered_scene(TRAIN_SEED, number).facts() for number in numbers)
    texts = random_texts(model, tokenizer, args.captions, args.absent)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    learn(model, inputs, facts.repeat(2, 1), texts, args.steps)
    after = model.state_dict()
    model.load_state_dict({name: before[name].lerp(after[name], LEARNED_SHARE) for name in before})
    save_checkpoint(args.out, model.eval(), tokenizer)


def kept(path: Path, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return the tensor that `path` holds in float16. If there is none, it is computed first."""
    if not path.exists():
        with written_whole(path) as aside, aside.open("wb") as file:
            np.save(file, compute().half().numpy())
    return torch.from_numpy(np.load(path)).float()


@torch.no_grad()
def image_inputs(model: SiglipModel, pictures: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Return what the image head is given (2n, dim): of all n pictures, then of their mirror
    images.
    """
    inputs: list[torch.Tensor] = []
    layer_norm = model.vision_model.head.layernorm
    watch = layer_norm.register_forward_pre_hook(lambda _, given: inputs.append(given[0][:, 0]))
    for mirrored in (False, True):
        for start in range(0, len(pictures), _CHUNK):
            pixels = normalized_pixels(pictures[start : start + _CHUNK], _CPU)
            with torch.autocast("cpu", torch.bfloat16):
                model.get_image_features(pixels.flip(3) if mirrored else pixels)
    watch.remove()
    return torch.cat(inputs).float()


@torch.no_grad()
def text_inputs(
    model: SiglipModel, tokenizer: SiglipTokenizer, texts: Sequence[str]
) -> torch.Tensor:
    """Return what the text tower's projection is given of texts (n, dim)."""
    inputs: list[torch.Tensor] = []
    watch = model.text_model.head.register_forward_pre_hook(
        lambda _, given: inputs.append(given[0])
    )
    for start in range(0, len(texts), _CHUNK):
        tokens = tokenized(list(texts[start : start + _CHUNK]), tokenizer, _CPU)
        with torch.autocast("cpu", torch.bfloat16):
            model.get_text_features(tokens)
    watch.remove()
    return torch.cat(inputs).float()


def random_texts(
    model: SiglipModel, tokenizer: SiglipTokenizer, captions: int, absent: int
) -> Texts:
    """Return all facts as captions, random captions of drawings, and texts that no drawing
    shows.
    """
    rng = random.Random(0)
    said = [random_statement(numbered_scene(TRAIN_SEED, n), rng) for n in range(captions)]
    worded = [phrase(statement, rng) for statement in said]
    refused = [absent_text(numbered_scene(TRAIN_SEED, n), rng) for n in range(absent)]
    return Texts(
        facts=text_inputs(model, tokenizer, [fact_as_caption(fact) for fact in all_facts()]),
        captions=text_inputs(model, tokenizer, worded),
        claims=fact_matrix(statement.facts() for statement in said),
        absent=text_inputs(model, tokenizer, refused),
    )


def image_head(model: SiglipModel, dropped: float = 0.0) -> Head:
    """Return the function from the image head's inputs (n, dim) to embeddings (n, dim). It leaves
    out the share `dropped` of the hidden units at random.
    """
    head = model.vision_model.head

    def embeddings(given: torch.Tensor) -> torch.Tensor:
        hidden = head.mlp.activation_fn(head.mlp.fc1(head.layernorm(given)))
        embedded: torch.Tensor = given + head.mlp.fc2(functional.dropout(hidden, dropped))
        return embedded

    return embeddings


def fact_matrix(known: Iterable[frozenset[str]]) -> torch.Tensor:
    """Return which facts are known, bool (len(known), facts)."""
    numbers = {fact: number for number, fact in enumerate(all_facts())}
    rows = list(known)
    matrix = np.zeros((len(rows), len(numbers)), bool)
    for row, facts in zip(matrix, rows, strict=True):
        row[[numbers[fact] for fact in facts]] = True
    return torch.from_numpy(matrix)


def fact_weights() -> torch.Tensor:
    """Return the weight of every fact (facts,)."""
    return torch.tensor(
        [NUMBER_WEIGHT if re.match(r"\d any ", fact) else 1.0 for fact in all_facts()]
    )


def learn(
    model: SiglipModel, inputs: torch.Tensor, facts: torch.Tensor, texts: Texts, steps: int
) -> None:
    """Train both heads on the image head's inputs (n, dim) of pictures and their facts (n,
    facts).
    """
    torch.manual_seed(0)  # decides which hidden units are left out
    head, parts, projection = (
        image_head(model, DROPPED),
        model.vision_model.head,
        model.text_model.head,
    )

    def loss(generator: torch.Generator) -> torch.Tensor:
        chosen, said, refused = (
            torch.randint(count, (some,), generator=generator)
            for count, some in (
                (len(inputs), PICTURES_PER_STEP),
                (len(texts.captions), CAPTIONS_PER_STEP),
                (len(texts.absent), ABSENT_PER_STEP),
            )
        )
        asked = torch.cat([texts.facts, texts.captions[said], texts.absent[refused]])
        logits = _logits(model, head(inputs[chosen]), projection(asked))
        return _loss(logits, facts[chosen].float(), texts.claims[said].float())

    trained = [*parts.layernorm.parameters(), *parts.mlp.parameters(), *projection.parameters()]
    _descend(model, trained, loss, steps)


def _loss(logits: torch.Tensor, known: torch.Tensor, claims: torch.Tensor) -> torch.Tensor:
    """Return the loss per picture of logits (n, texts) for facts, captions and absent texts. The
    pictures show the facts `known` (n, facts), and the captions state `claims` (captions, facts).
    """
    facts, captions, absent = logits.tensor_split(
        (known.shape[1], known.shape[1] + len(claims)), dim=1
    )
    true = (known @ claims.T == claims.sum(1)).float()
    wrong = functional.binary_cross_entropy_with_logits(
        facts, known, fact_weights().expand_as(known), reduction="sum"
    ) + functional.binary_cross_entropy_with_logits(captions, true, reduction="sum")
    return (wrong + functional.softplus(absent.clamp(min=REFUSED)).sum()) / len(logits)


def _logits(model: SiglipModel, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    cosines = functional.normalize(images, dim=-1) @ functional.normalize(texts, dim=-1).T
    logits: torch.Tensor = cosines * model.logit_scale.exp() + model.logit_bias
    return logits


def _descend(
    model: SiglipModel,
    weights: list[torch.nn.Parameter],
    loss: Callable[[torch.Generator], torch.Tensor],
    steps: int,
) -> None:
    """Train the weights and the model's two scalars. The learning rate rises for 50 steps, stays,
    and falls to nothing over the last two thirds.
    """
    scalars = [model.logit_scale, model.logit_bias]
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.05}, {"params": scalars, "weight_decay": 0.0}],
        lr=RATE,
        betas=(0.9, 0.98),
    )
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        rate = RATE * min(1.0, (step + 1) / 50, (steps - step) / (2 / 3 * steps))
        for group, times in zip(optimizer.param_groups, (1, 10), strict=True):
            group["lr"] = rate * times
        value = loss(generator)
        optimizer.zero_grad()
        torch.autograd.backward(value, inputs=[*weights, *scalars])
        torch.nn.utils.clip_grad_norm_([*weights, *scalars], 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0:
            print(
                f"step {step + 1} of {steps}: loss {value.item():.3f} "
                f"scale {model.logit_scale.exp().item():.1f} bias {model.logit_bias.item():.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
