"""The checkpoints that can be chosen, with published figures and the time they take here."""

from __future__ import annotations

from dataclasses import dataclass

from sigseek.siglip.published import PUBLISHED, PublishedCheckpoint
from sigseek.siglip.speed import estimate_speed


@dataclass(frozen=True)
class ListedCheckpoint:
    """A published SigLIP or SigLIP 2 checkpoint of fixed resolution."""

    model: str
    """Its id on the Hugging Face hub, which `sigseek.open` takes as `model`."""
    parameters: int
    """The number of parameters of both towers."""
    download_bytes: int
    """The size of the weights; the tokenizer adds up to 35 MB."""
    languages: str
    """The languages that it reads: "English" or "many"."""
    image_size: int
    """Photos are resized to a square of this many pixels a side."""
    patches: int
    """Patches that a photo is cut into. They decide most of the time, beside the parameters."""
    gflop: float
    """Work of the image tower for one photo, in billions of floating point operations."""
    imagenet: float | None
    """Published ImageNet zero-shot accuracy in percent. None where no source was found; so are the
    next two.
    """
    coco_text_to_image: float | None
    """Published R@1 of COCO captions that look for their picture, in percent."""
    coco_image_to_text: float | None
    """Published R@1 of COCO pictures that look for one of their captions, in percent."""
    source: str | None
    """The page with the three figures."""
    seconds_per_1000_photos: float | None
    """Seconds for 1,000 photos on this machine; None when nothing has been measured here yet."""
    measured: bool
    """Whether this checkpoint itself was measured. Otherwise its time is that of `measured_with`,
    multiplied by the ratio of the image towers' work.
    """
    measured_with: str | None
    """The checkpoint that was measured."""
    device: str | None
    """The device that it was measured on; `precision` is its arithmetic."""
    precision: str | None


def models() -> tuple[ListedCheckpoint, ...]:
    """List the published checkpoints of fixed resolution, those of SigLIP before SigLIP 2.

    The seconds are from the latest indexing runs on this machine. No library and no network is
    needed.
    """
    return tuple(map(_listed, PUBLISHED))


def _listed(one: PublishedCheckpoint) -> ListedCheckpoint:
    speed = estimate_speed(one.model, one.shape.gflop)
    measured = speed.measured if speed else None
    return ListedCheckpoint(
        model=one.model,
        parameters=one.parameters,
        download_bytes=one.download_bytes,
        languages=one.languages,
        image_size=one.shape.image_size,
        patches=one.shape.patches,
        gflop=round(one.shape.gflop, 1),
        imagenet=one.imagenet,
        coco_text_to_image=one.text_to_image,
        coco_image_to_text=one.image_to_text,
        source=one.source,
        seconds_per_1000_photos=round(1000 * speed.seconds_per_photo, 1) if speed else None,
        measured=bool(speed and speed.exact),
        measured_with=measured.model if measured else None,
        device=measured.device if measured else None,
        precision=measured.precision if measured else None,
    )
