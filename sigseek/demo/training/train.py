"""Trains `mini`, a miniature SigLIP, from random weights on drawn pictures.

    python -m sigseek.demo.training.train RUN_DIR --out siglip/mini

The loss is SigLIP's: every pair of a picture and a caption in the batch is a yes-or-no question (Zhai et al. 2023,
arXiv 2303.15343). There the answer is yes for a picture and its own caption only. Here the facts of every picture
are known, so a short caption such as "at night" is a yes for all pictures of the batch that it is true of.
StopRequested at any time, the same command goes on from the last saved step.
"""

import argparse
import json
import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece
import torch
from PIL import Image
from torch.nn import functional
from transformers import (
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
    SiglipTokenizer,
)

from sigseek.demo.captions import article, phrase, plural, random_statement
from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import all_facts, numbered_scene
from sigseek.demo.training.absent import absent_text
from sigseek.demo.training.evaluate import report, retrieval_figures
from sigseek.siglip import load_checkpoint

PIXELS = 96
TEXT_LENGTH = 64
VOCABULARY = 640
TRAIN_SEED, VALIDATION_SEED = 1, 2
DRAWN_SIZE = (288, 216)
STEPS_PER_SAVE = 200
VALIDATION_PICTURES = 500
SINGLE, ALL, GREY, CAPTIONS = (
    "single objects by facts",
    "all by facts",
    "all in grey too",
    "all by captions",
)
LESSONS = {SINGLE: 550, ALL: 1850, GREY: 200, CAPTIONS: 1200}
"""What is learned one after the other, and in how many steps."""
GREY_RATE, GREY_WEIGHT = 0.3, 5.0
"""The share of the learning rate in the grey lesson, and how much a grey copy weighs there that is
taken for another's.
"""
_SHARPNESS = 20.0  # of the choice among pictures, per cosine
LOCKED_PICTURES = 20_000
"""How many pictures the text tower is trained on; their embeddings are made once."""
ABSENT_SHARE = 1 / 8
"""Of the texts in the captions lesson: what no drawing shows, a no for every picture of the
batch.
"""
REFUSED = 8.0
"""The logit from which on such a text's best pictures count: only what would surely be a match is
unlearned. The lower this is, the better unknown texts are refused, but those too by which an
uncalibrated checkpoint is judged, until these say nothing of known things any more: docs/scores.md.
"""


def main() -> None:
    """Draw, train, save the checkpoint."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run_dir", type=Path, help="where drawings and the training state are kept")
    parser.add_argument(
        "--out", type=Path, required=True, help="where the checkpoint is written at the end"
    )
    parser.add_argument(
        "--pictures", type=int, default=80_000, help="drawings to train on (default: %(default)s)"
    )
    parser.add_argument(
        "--batch", type=int, default=128, help="pictures a step (default: %(default)s)"
    )
    parser.add_argument(
        "--texts", type=int, default=128, help="captions a step (default: %(default)s)"
    )
    parser.add_argument(
        "--start",
        metavar="CHECKPOINT",
        help="a trained mini to go on from: the last two lessons only",
    )
    parser.add_argument(
        "--captions-only", action="store_true", help="with --start: the last lesson only"
    )
    parser.add_argument(
        "--rate", type=float, default=1e-3, help="peak learning rate (default: %(default)s)"
    )
    args = parser.parse_args()
    if args.captions_only and not args.start:
        parser.error("--captions-only goes on from a trained mini; name it with --start")
    args.run_dir.mkdir(parents=True, exist_ok=True)
    pictures = drawings(args.run_dir / "train.npy", TRAIN_SEED, args.pictures)
    validation = drawings(args.run_dir / "validation.npy", VALIDATION_SEED, VALIDATION_PICTURES)
    tokenizer = make_tokenizer(args.run_dir)
    model = train(args, pictures, validation, tokenizer)
    save_checkpoint(args.out, model, tokenizer)


def drawings(path: Path, seed: int, count: int) -> npt.NDArray[np.uint8]:
    """The first `count` pictures of the series `seed`, uint8 (count, 96, 96, 3), kept in `path`."""
    if not path.exists():
        with ProcessPoolExecutor() as pool:
            drawn = list(pool.map(_draw, [seed] * count, range(count), chunksize=500))
        aside = path.with_suffix(".part.npy")
        np.save(aside, np.stack(drawn))
        aside.rename(path)
    pixels: npt.NDArray[np.uint8] = np.load(path)
    if len(pixels) != count:
        raise SystemExit(
            f"error: {path} holds {len(pixels)} pictures, {count} were asked for; use another run directory"
        )
    return pixels


def _draw(seed: int, number: int) -> npt.NDArray[np.uint8]:
    image = draw_scene(numbered_scene(seed, number), DRAWN_SIZE, number)
    return np.asarray(image.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC))


def make_tokenizer(run_dir: Path) -> SiglipTokenizer:
    """A sentencepiece tokenizer of the captions' words, with SigLIP's special tokens."""
    rng = random.Random(0)
    captions = []
    for number in range(40_000):
        scene = numbered_scene(TRAIN_SEED, number)
        captions.append(phrase(random_statement(scene, rng), rng).replace(",", ""))
    model = BytesIO()  # a file would carry its own path
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(captions),
        model_writer=model,
        vocab_size=VOCABULARY,
        hard_vocab_limit=False,
        model_type="bpe",
        character_coverage=1.0,
        required_chars="abcdefghijklmnopqrstuvwxyz0123456789",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (run_dir / "spiece.model").write_bytes(model.getvalue())
    tokenizer = SiglipTokenizer(str(run_dir / "spiece.model"), model_max_length=TEXT_LENGTH)
    # As the published checkpoints have it: padding is attended, so there is no mask.
    tokenizer.model_input_names = ["input_ids"]
    return tokenizer


def make_model(vocabulary: int) -> SiglipModel:
    """The untrained miniature: SigLIP's architecture, 4.8 million parameters."""
    width = {"hidden_size": 192, "intermediate_size": 768, "num_attention_heads": 3}
    text = {
        "vocab_size": vocabulary,
        "max_position_embeddings": TEXT_LENGTH,
        "num_hidden_layers": 3,
    }
    special = {"pad_token_id": 1, "bos_token_id": None, "eos_token_id": 1}
    vision = {"image_size": PIXELS, "patch_size": 12, "num_hidden_layers": 6}
    torch.manual_seed(0)
    model = SiglipModel(
        SiglipConfig(text_config=text | width | special, vision_config=vision | width)
    )
    torch.nn.init.constant_(model.logit_scale, np.log(10.0))
    torch.nn.init.constant_(model.logit_bias, -5.0)
    return model


def train(
    args: argparse.Namespace,
    pictures: npt.NDArray[np.uint8],
    validation: npt.NDArray[np.uint8],
    tokenizer: SiglipTokenizer,
) -> SiglipModel:
    """The trained model, on the CPU. Saves its state to `run_dir` as it goes and starts from
    there.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = LESSONS | (
        {CAPTIONS: LESSONS[CAPTIONS] // 4} if args.start else {}
    )  # a trained text tower is nearly there
    lessons = [lesson for lesson, count in steps.items() for _ in range(count)]
    teacher = Teacher(make_model(len(tokenizer)), pictures, tokenizer, args.batch, args.texts)
    first = 0
    if args.start:
        first = lessons.index(CAPTIONS) if args.captions_only else LESSONS[SINGLE] + LESSONS[ALL]
        teacher.start_from(load_checkpoint(args.start).directory)
    teacher = teacher.to(device)
    model = teacher.model
    scalars = [model.logit_scale, model.logit_bias]
    weights = [p for p in teacher.parameters() if not any(p is scalar for scalar in scalars)]
    # The two scalars have far to go: at the weights' rate they would need thousands of steps.
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.05}, {"params": scalars, "weight_decay": 0.0}],
        lr=args.rate,
        betas=(0.9, 0.98),
    )
    state_path = args.run_dir / "state.pt"
    if state_path.exists():
        state = torch.load(state_path, map_location=device, weights_only=True)
        teacher.load_state_dict(state["teacher"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
    started = time.monotonic()
    for step in range(first, len(lessons)):
        rate = args.rate * _schedule(step, steps) * (GREY_RATE if lessons[step] == GREY else 1)
        for group, times in zip(optimizer.param_groups, (1, 10), strict=True):
            group["lr"] = rate * times
        loss = teacher.loss(step, lessons[step])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(teacher.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            pace = (step + 1 - first) * args.batch / (time.monotonic() - started)
            scale, bias = model.logit_scale.exp().item(), model.logit_bias.item()
            print(
                f"step {step + 1} of {len(lessons)}, {lessons[step]}: loss {loss.item():.3f} "
                f"scale {scale:.1f} bias {bias:.1f} {pace:.0f} pictures/s",
                flush=True,
            )
        if (step + 1) % STEPS_PER_SAVE == 0 or step + 1 == len(lessons):
            aside = state_path.with_suffix(".part")
            torch.save(
                {
                    "teacher": teacher.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "step": step + 1,
                },
                aside,
            )
            os.replace(aside, state_path)
            print(f"step {step + 1} {_validate(model, validation, tokenizer, device)}", flush=True)
    return model.cpu().eval()


def _schedule(step: int, lessons: dict[str, int]) -> float:
    """The share of the peak rate: a short rise, level until 60% of the way, then to nothing; anew
    for the last two lessons.
    """
    steps = lessons[SINGLE] + lessons[ALL]
    for later in (lessons[GREY], lessons[CAPTIONS]):
        if step >= steps:
            step, steps = step - steps, later
    return float(min(1.0, (step + 1) / min(100, 0.2 * steps), (steps - step) / (0.4 * steps)))


class Teacher(torch.nn.Module):
    """The model in training, what it is shown, and a table of facts that stands in for the text
    tower at first.

    From random weights both towers wait for each other: as long as texts of different objects have
    nearly the same embedding the image tower learns nothing of objects, and the other way round.
    The table, one free embedding a fact, ends the wait; pictures of a single object come first for
    the same reason. Then the text tower learns to say the same, with the image tower locked (as in
    Zhai et al. 2021, arXiv 2111.07991): left free, it forgot the objects again while the text tower
    could not tell them apart yet.
    """

    def __init__(
        self,
        model: SiglipModel,
        pictures: npt.NDArray[np.uint8],
        tokenizer: SiglipTokenizer,
        batch: int,
        texts: int,
    ) -> None:
        super().__init__()
        self.model = model
        known = all_facts()
        self.table = torch.nn.Embedding(len(known), model.config.vision_config.hidden_size)
        self._numbers = {fact: number for number, fact in enumerate(known)}
        self._pictures, self._tokenizer, self._batch, self._texts = (
            pictures,
            tokenizer,
            batch,
            texts,
        )
        self._locked: torch.Tensor | None = None
        self._scenes = [numbered_scene(TRAIN_SEED, number) for number in range(len(pictures))]
        self._single = [
            number
            for number, scene in enumerate(self._scenes)
            if sum(group.count for group in scene.objects) == 1
        ]

    def loss(self, step: int, lesson: str) -> torch.Tensor:
        """Sigmoid loss of one batch, a function of the step alone, so that a resumed run sees what
        an unbroken one would.
        """
        rng = random.Random(f"step {step}")
        if lesson == CAPTIONS:
            return self._caption_loss(rng)
        device = self.table.weight.device
        batch = self._batch // 2 if lesson == GREY else self._batch  # the grey half is added below
        chosen = rng.sample(self._single if lesson == SINGLE else range(len(self._scenes)), batch)
        facts = [self._scenes[number].facts() for number in chosen]
        pixels = _augmented(_pixels(self._pictures[chosen], device), rng)
        colored = (
            torch.cat([pixels[: batch // 2], _unlike_drawings(pixels[: batch // 2], rng)])
            if lesson == GREY
            else pixels[:0]
        )
        with torch.autocast(device.type, torch.bfloat16):
            shown = torch.cat([pixels, colored[batch // 2 :], _grey(colored)])
            images, others = self.model.get_image_features(shown).pooler_output.split(
                [batch, len(shown) - batch]
            )
        true = np.zeros((len(facts), len(self._numbers)), bool)
        for row, known in enumerate(facts):
            true[row, [self._numbers[fact] for fact in known]] = True
        loss = self._sigmoid_loss(images, self.table.weight, true)
        if lesson == GREY:
            loss = loss + GREY_WEIGHT * _confusion(
                torch.cat([images[: batch // 2], others]), len(colored)
            )
        return loss

    def _caption_loss(self, rng: random.Random) -> torch.Tensor:
        """Loss of the text tower, each caption against eight times as many pictures: locked ones
        cost nothing.
        """
        if self._locked is None:
            self._locked = self._embed(self._pictures[:LOCKED_PICTURES])
        chosen = rng.sample(range(len(self._locked)), min(8 * self._texts, len(self._locked)))
        facts = [self._scenes[number].facts() for number in chosen]
        refused = round(ABSENT_SHARE * self._texts)
        said = [
            random_statement(self._scenes[number], rng) for number in chosen[refused : self._texts]
        ]
        captions = [phrase(statement, rng) for statement in said]
        captions += [absent_text(self._scenes[number], rng) for number in chosen[:refused]]
        tokens = _tokens(captions, self._tokenizer, self._locked.device)
        with torch.autocast(tokens.device.type, torch.bfloat16):
            texts = self.model.get_text_features(tokens).pooler_output
        claims = [statement.facts() for statement in said]
        true = np.array([[claim <= known for claim in claims] for known in facts])
        images = self._locked[chosen]
        wrong = self._logits(images, texts[len(said) :]).clamp(min=REFUSED)
        return self._sigmoid_loss(images, texts[: len(said)], true) + functional.softplus(
            wrong
        ).sum() / len(images)

    def _sigmoid_loss(
        self, images: torch.Tensor, questions: torch.Tensor, true: npt.NDArray[np.bool_]
    ) -> torch.Tensor:
        """SigLIP's loss with all true pairs as positives, per picture."""
        logits = self._logits(images, questions)
        signs = torch.from_numpy(np.where(true, 1.0, -1.0).astype(np.float32)).to(logits.device)
        return -functional.logsigmoid(signs * logits).sum() / len(images)

    def _logits(self, images: torch.Tensor, questions: torch.Tensor) -> torch.Tensor:
        cosines = (
            functional.normalize(images.float(), dim=-1)
            @ functional.normalize(questions.float(), dim=-1).T
        )
        logits: torch.Tensor = cosines * self.model.logit_scale.exp() + self.model.logit_bias
        return logits

    @torch.inference_mode()
    def start_from(self, checkpoint: Path) -> None:
        """Take over a trained model, with the facts' places in the table from its own text
        tower.
        """
        self.model.load_state_dict(
            SiglipModel.from_pretrained(checkpoint, dtype=torch.float32).state_dict()
        )
        said = _tokens(
            [_said(fact) for fact in self._numbers], self._tokenizer, self.table.weight.device
        )
        self.table.weight.copy_(self.model.get_text_features(said).pooler_output)

    @torch.inference_mode()
    def _embed(self, pictures: npt.NDArray[np.uint8]) -> torch.Tensor:
        device = self.table.weight.device
        chunks = [pictures[start : start + 200] for start in range(0, len(pictures), 200)]
        embedded = [
            self.model.get_image_features(_pixels(chunk, device)).pooler_output for chunk in chunks
        ]
        return torch.cat(embedded).clone()


def _said(fact: str) -> str:
    """The fact as a caption: "any red house" is "a red house"."""
    count, *described = fact.split(" ", 2)
    if count not in ("any", "1", "2", "3"):
        return fact  # a place, a time, a weather
    color, name = described
    noun = plural(name) if count in ("2", "3") else name
    noun = noun if color == "any" else f"{color} {noun}"
    number = {"any": article(noun), "1": "one", "2": "two", "3": "three"}[count]
    return f"{number} {noun}"


def _pixels(pictures: npt.NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Normalised pixels float32 (n, 3, 96, 96) in -1 to 1."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def _unlike_drawings(pixels: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Magnified parts of drawings blended with other drawings in random colours: for `similar`,
    mini is to tell a grey copy from another picture in photographs too, of which it is never shown
    one.
    """
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    count, side = len(pixels), rng.choice([32, 48, 64, PIXELS])
    top, left = rng.randint(0, PIXELS - side), rng.randint(0, PIXELS - side)
    part = functional.interpolate(
        pixels[:, :, top : top + side, left : left + side], size=PIXELS, mode="bilinear"
    )
    mask = functional.interpolate(
        torch.rand(count, 1, 4, 4, generator=generator), size=PIXELS, mode="bilinear"
    ).to(pixels.device)
    blended = part * mask + pixels.roll(1, 0) * (1 - mask)
    tint = torch.eye(3) + 0.6 * torch.randn(count, 3, 3, generator=generator)
    tint = (tint / tint.abs().sum(2, keepdim=True)).to(pixels.device)
    shift = 0.3 * torch.randn(count, 3, 1, 1, generator=generator).to(pixels.device)
    return (torch.einsum("nij,njhw->nihw", tint, blended) + shift).clamp(-1, 1)


def _grey(pixels: torch.Tensor) -> torch.Tensor:
    """The same pictures without colour, as Pillow's mode L has them."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=pixels.device).view(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True).expand_as(pixels)


def _confusion(images: torch.Tensor, count: int) -> torch.Tensor:
    """How badly each of the first `count` embeddings is told from the others by the one that
    follows, its grey copy's.
    """
    unit = functional.normalize(images.float(), dim=-1)
    return functional.cross_entropy(
        _SHARPNESS * unit[count:] @ unit[:count].T, torch.arange(count, device=images.device)
    )


def _augmented(pixels: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Mirrored or not, moved by up to 5 pixels, a little brighter or darker: none of it changes a
    fact.
    """
    if rng.random() < 0.5:
        pixels = pixels.flip(3)
    x, y = rng.randint(0, 10), rng.randint(0, 10)
    padded = functional.pad(pixels, (5, 5, 5, 5), mode="reflect")
    return padded[:, :, y : y + PIXELS, x : x + PIXELS] * rng.uniform(0.93, 1.05)


def _tokens(texts: list[str], tokenizer: SiglipTokenizer, device: torch.device) -> torch.Tensor:
    encoded = tokenizer(
        texts, padding="max_length", truncation=True, max_length=TEXT_LENGTH, return_tensors="pt"
    )
    tokens: torch.Tensor = encoded["input_ids"].to(device)
    return tokens


@torch.inference_mode()
def _validate(
    model: SiglipModel,
    pictures: npt.NDArray[np.uint8],
    tokenizer: SiglipTokenizer,
    device: torch.device,
) -> str:
    def embed_texts(texts: list[str]) -> npt.NDArray[np.float32]:
        chunks = [texts[i : i + 100] for i in range(0, len(texts), 100)]
        outputs = [
            model.get_text_features(_tokens(chunk, tokenizer, device)).pooler_output
            for chunk in chunks
        ]
        return functional.normalize(torch.cat(outputs).float(), dim=-1).cpu().numpy()

    scenes = [numbered_scene(VALIDATION_SEED, number) for number in range(len(pictures))]
    outputs = [
        model.get_image_features(_pixels(pictures[i : i + 100], device)).pooler_output
        for i in range(0, len(pictures), 100)
    ]
    images = functional.normalize(torch.cat(outputs).float(), dim=-1).cpu().numpy()
    return report(retrieval_figures(scenes, images, embed_texts))


def save_checkpoint(out: Path, model: SiglipModel, tokenizer: SiglipTokenizer) -> None:
    """An ordinary checkpoint directory in fp16, as `from_pretrained` and sigseek read it."""
    processor = SiglipImageProcessor(
        size={"height": PIXELS, "width": PIXELS},
        resample=3,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    model.half().save_pretrained(out)
    SiglipProcessor(image_processor=processor, tokenizer=tokenizer).save_pretrained(out)
    config = json.loads((out / "tokenizer_config.json").read_text())
    config["model_input_names"] = ["input_ids"]
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
