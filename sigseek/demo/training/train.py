"""Trains `mini`, a miniature SigLIP, from random weights on drawn pictures.

    python -m sigseek.demo.training.train RUN_DIR --out siglip/mini

The loss is SigLIP's: every pair of a picture and a caption in the batch is a yes-or-no question
(Zhai et al. 2023, arXiv 2303.15343). There the answer is yes only for a picture and its own
caption. Here the facts of every picture are known, so a short caption such as "at night" is a yes
for all pictures of the batch that it is true of.

The same command resumes an interrupted run from the last saved step.
"""

import argparse
import json
import random
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import sentencepiece
import torch
from torch.nn import functional
from transformers import (
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipProcessor,
    SiglipTokenizer,
)

from sigseek.demo.captions import article, phrase, plural, random_statement
from sigseek.demo.scene import all_facts, numbered_scene
from sigseek.demo.training.absent import absent_text
from sigseek.demo.training.evaluate import report, retrieval_figures
from sigseek.demo.training.pictures import PIXELS, draw_all
from sigseek.files import written_whole
from sigseek.siglip import load_checkpoint

TEXT_LENGTH = 64
VOCABULARY = 640
TRAIN_SEED, VALIDATION_SEED = 1, 2
STEPS_PER_SAVE = 200
VALIDATION_PICTURES = 500
SINGLE, ALL, GREY, CAPTIONS = (
    "single objects by facts",
    "all by facts",
    "all in grey too",
    "all by captions",
)
LESSONS = {SINGLE: 550, ALL: 1850, GREY: 200, CAPTIONS: 1200}
"""The lessons in the order in which they are learned, and the number of steps of each."""
GOING_ON = {"all": ALL, "grey": GREY, "captions": CAPTIONS}
"""The lessons that a trained mini can go on with, by the name that the command line takes."""
GREY_RATE, GREY_WEIGHT = 0.3, 5.0
"""The share of the learning rate in the grey lesson, and the weight of a grey copy there that is
taken for the copy of another picture.
"""
_SHARPNESS = 20.0  # of the choice among pictures, per cosine
LOCKED_PICTURES = 20_000
"""The number of pictures that the text tower is trained on. Their embeddings are made once."""
ABSENT_SHARE = 1 / 8
"""The share of texts in the captions lesson that no drawing shows. The answer to them is no for
every picture of the batch.
"""
REFUSED = 8.0
"""A text that no drawing shows is penalised only where its logit exceeds this. Lower thresholds
refuse more unknown texts, but they also spoil the 200 absent texts that an uncalibrated checkpoint
is judged with: docs/scores.md.
"""


def main() -> None:
    """Draw pictures, train, and save the checkpoint."""
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
        help="a trained mini to go on from, with the lesson that --lesson names",
    )
    parser.add_argument(
        "--lesson",
        choices=GOING_ON,
        default="grey",
        help="with --start: the lesson to begin with; those after it follow (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=LESSONS[ALL],
        help=f'steps of the lesson "{ALL}" (default: %(default)s)',
    )
    parser.add_argument(
        "--rate", type=float, default=1e-3, help="peak learning rate (default: %(default)s)"
    )
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the image tower first: steps are a quarter shorter (needs a compiler)",
    )
    args = parser.parse_args()
    if args.lesson != "grey" and not args.start:
        parser.error("--lesson goes on from a trained mini; name it with --start")
    args.run_dir.mkdir(parents=True, exist_ok=True)
    pictures = drawings(args.run_dir / "train.npy", TRAIN_SEED, args.pictures)
    validation = drawings(args.run_dir / "validation.npy", VALIDATION_SEED, VALIDATION_PICTURES)
    tokenizer = make_tokenizer(args.run_dir)
    model = train(args, pictures, validation, tokenizer)
    save_checkpoint(args.out, model, tokenizer)


def drawings(path: Path, seed: int, count: int) -> npt.NDArray[np.uint8]:
    """Return the first `count` pictures of the series `seed`, uint8 (count, 96, 96, 3). They are
    kept in `path`.
    """
    if not path.exists():
        drawn = draw_all(seed, range(count))
        with written_whole(path) as aside, aside.open("wb") as file:
            np.save(file, drawn)
    pixels: npt.NDArray[np.uint8] = np.load(path)
    if len(pixels) != count:
        raise SystemExit(
            f"error: {path} holds {len(pixels)} pictures, but {count} were asked for; "
            "use another run directory"
        )
    return pixels


def make_tokenizer(run_dir: Path) -> SiglipTokenizer:
    """Train a sentencepiece tokenizer on the words of captions, with SigLIP's special tokens."""
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
    """Return the untrained miniature: SigLIP's architecture with 4.8 million parameters."""
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
    # On a CPU, PyTorch's fused attention learns more slowly than plain products of matrices.
    model.set_attn_implementation("eager")
    torch.nn.init.constant_(model.logit_scale, np.log(10.0))
    torch.nn.init.constant_(model.logit_bias, -5.0)
    return model


def train(
    args: argparse.Namespace,
    pictures: npt.NDArray[np.uint8],
    validation: npt.NDArray[np.uint8],
    tokenizer: SiglipTokenizer,
) -> SiglipModel:
    """Train the model on the CPU. Its state is saved to `run_dir` regularly, and training resumes
    from there.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    steps = _steps(args)
    lessons = [lesson for lesson, count in steps.items() for _ in range(count)]
    teacher = Teacher(make_model(len(tokenizer)), pictures, tokenizer, args.batch, args.texts)
    first = 0
    if args.start:
        before = list(steps)[: list(steps).index(GOING_ON[args.lesson])]
        first = sum(steps[lesson] for lesson in before)
        teacher.start_from(load_checkpoint(args.start).directory)
    teacher = teacher.to(device)
    model = teacher.model
    if args.compile:
        model.vision_model.compile(dynamic=False)
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
            state = {
                "teacher": teacher.state_dict(),
                "optimizer": optimizer.state_dict(),
                "step": step + 1,
            }
            with written_whole(state_path) as aside:
                torch.save(state, aside)
            print(f"step {step + 1} {_validate(model, validation, tokenizer, device)}", flush=True)
    return model.cpu().eval()


def _steps(args: argparse.Namespace) -> dict[str, int]:
    """Return the number of steps of each lesson."""
    steps = LESSONS | {ALL: args.steps}
    if not args.start:
        return steps
    # A trained text tower is nearly there, and nearer where the image tower has learned little.
    return steps | {SINGLE: 0, CAPTIONS: steps[CAPTIONS] // (2 if args.lesson == "all" else 4)}


def _schedule(step: int, lessons: dict[str, int]) -> float:
    """Return the share of the peak learning rate: a short rise, level until 60% of the steps, then
    down to nothing. The last two lessons each begin again.
    """
    steps = lessons[SINGLE] + lessons[ALL]
    for later in (lessons[GREY], lessons[CAPTIONS]):
        if step >= steps:
            step, steps = step - steps, later
    return float(min(1.0, (step + 1) / min(100, 0.2 * steps), (steps - step) / (0.4 * steps)))


class Teacher(torch.nn.Module):
    """The model in training, the pictures that it is shown, and a table of facts that stands in for
    the text tower at first.

    From random weights both towers wait for each other: the image tower learns nothing about
    objects as long as texts about different objects have nearly the same embedding, and the other
    way round. The table, with one free embedding per fact, ends the wait. Pictures of a single
    object come first for the same reason. Then the text tower learns to say the same with the image
    tower locked (as in Zhai et al. 2021, arXiv 2111.07991). When the image tower was not locked, it
    forgot the objects again while the text tower could not tell them apart yet.
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
        """Return the sigmoid loss of one batch. The batch depends on the step alone, so a resumed
        run sees what an unbroken run would.
        """
        rng = random.Random(f"step {step}")
        if lesson == CAPTIONS:
            return self._caption_loss(rng)
        device = self.table.weight.device
        batch = self._batch // 2 if lesson == GREY else self._batch  # the grey half is added below
        chosen = rng.sample(self._single if lesson == SINGLE else range(len(self._scenes)), batch)
        facts = [self._scenes[number].facts() for number in chosen]
        pixels = _augmented(normalized_pixels(self._pictures[chosen], device), rng)
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
        """Return the loss of the text tower. Each caption meets eight times as many pictures,
        because locked pictures cost nothing.
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
        tokens = tokenized(captions, self._tokenizer, self._locked.device)
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
        """Return SigLIP's loss per picture, with all true pairs as positives."""
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
        """Take over a trained model. The embeddings of the facts in the table come from its own
        text tower.
        """
        self.model.load_state_dict(
            SiglipModel.from_pretrained(checkpoint, dtype=torch.float32).state_dict()
        )
        said = tokenized(
            [fact_as_caption(fact) for fact in self._numbers],
            self._tokenizer,
            self.table.weight.device,
        )
        self.table.weight.copy_(self.model.get_text_features(said).pooler_output)

    @torch.inference_mode()
    def _embed(self, pictures: npt.NDArray[np.uint8]) -> torch.Tensor:
        device = self.table.weight.device
        chunks = [pictures[start : start + 200] for start in range(0, len(pictures), 200)]
        embedded = [
            self.model.get_image_features(normalized_pixels(chunk, device)).pooler_output
            for chunk in chunks
        ]
        return torch.cat(embedded).clone()


def fact_as_caption(fact: str) -> str:
    """Return the fact as a caption: "any red house" is "a red house"."""
    count, *described = fact.split(" ", 2)
    if count not in ("any", "1", "2", "3"):
        return fact  # a place, a time, a weather
    color, name = described
    noun = plural(name) if count in ("2", "3") else name
    noun = noun if color == "any" else f"{color} {noun}"
    number = {"any": article(noun), "1": "one", "2": "two", "3": "three"}[count]
    return f"{number} {noun}"


def normalized_pixels(pictures: npt.NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Return normalised pixels float32 (n, 3, 96, 96) in -1 to 1."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def _unlike_drawings(pixels: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Blend magnified parts of drawings with other drawings in random colours. `similar` is to tell
    a grey copy from another picture in photographs too, and mini is never shown a photograph.
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
    """Return the pictures without colour, as Pillow's mode L has them."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=pixels.device).view(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True).expand_as(pixels)


def _confusion(images: torch.Tensor, count: int) -> torch.Tensor:
    """Return how hard it is to tell each of the first `count` pictures from the others by its grey
    copy, which is `count` places after it: a cross-entropy.
    """
    unit = functional.normalize(images.float(), dim=-1)
    return functional.cross_entropy(
        _SHARPNESS * unit[count:] @ unit[:count].T, torch.arange(count, device=images.device)
    )


def _augmented(pixels: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Vary the pictures: mirrored or not, moved by up to 5 pixels, a little brighter or darker.
    None of it changes a fact.
    """
    if rng.random() < 0.5:
        pixels = pixels.flip(3)
    x, y = rng.randint(0, 10), rng.randint(0, 10)
    padded = functional.pad(pixels, (5, 5, 5, 5), mode="reflect")
    return padded[:, :, y : y + PIXELS, x : x + PIXELS] * rng.uniform(0.93, 1.05)


def tokenized(texts: list[str], tokenizer: SiglipTokenizer, device: torch.device) -> torch.Tensor:
    """Return the tokens of texts, int64 (n, 64)."""
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
            model.get_text_features(tokenized(chunk, tokenizer, device)).pooler_output
            for chunk in chunks
        ]
        return functional.normalize(torch.cat(outputs).float(), dim=-1).cpu().numpy()

    scenes = [numbered_scene(VALIDATION_SEED, number) for number in range(len(pictures))]
    outputs = [
        model.get_image_features(normalized_pixels(pictures[i : i + 100], device)).pooler_output
        for i in range(0, len(pictures), 100)
    ]
    images = functional.normalize(torch.cat(outputs).float(), dim=-1).cpu().numpy()
    return report(retrieval_figures(scenes, images, embed_texts))


def save_checkpoint(out: Path, model: SiglipModel, tokenizer: SiglipTokenizer) -> None:
    """Save an ordinary checkpoint directory in fp16, as `from_pretrained` and sigseek read it."""
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
