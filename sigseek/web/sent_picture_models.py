"""The JSON answers about pictures that are sent as models, for the API's description in OpenAPI."""

from __future__ import annotations

from pydantic import Field

from sigseek.web.models import Answer, Note


class Uploaded(Answer):
    """A picture that is kept for some minutes."""

    photo: str
    """The name that means it in `photo:` of a query, and as `id` of similar: "upload-TOKEN"."""
    name: str
    """The name of the file."""
    thumbnail: str
    """The address of a small picture of it."""


class Score(Answer):
    """How well a label fits a picture."""

    label: str
    """The label."""
    score: float = Field(ge=0, le=1)
    """SigLIP's own sigmoid."""
    probability: float = Field(ge=0, le=1)
    """The probability that the picture shows it, by the checkpoint's calibration. Without a
    calibration it is the score.
    """


class Scored(Answer):
    """A picture and the scores of its labels."""

    id: int | None = None
    """The number of a photo of the library."""
    name: str | None = None
    """The name of a file that was sent."""
    scores: list[Score]
    """The scores, the highest first."""


class Unscored(Answer):
    """A picture without scores."""

    id: int | None = None
    """The number of a photo of the library."""
    name: str | None = None
    """The name of a file that was sent."""
    reason: str
    """Why there are none."""


class Classified(Answer):
    """Scores of labels."""

    photos: list[Scored]
    """The pictures, in the order of the request."""
    failed: list[Unscored]
    """The pictures that have no scores."""
    notes: list[Note]
    """What a reader of the answer should know."""


class Unusable(Answer):
    """A file that was sent and cannot be used."""

    name: str
    """The name of the file."""
    reason: str
    """Why not."""


class Embeddings(Answer):
    """Embeddings of texts or pictures."""

    model: str
    """The name of the checkpoint."""
    dimension: int = Field(ge=1)
    """The length of an embedding."""
    embeddings: list[list[float] | None]
    """A vector of length 1 for each text or picture, in order; null for one that failed."""
    failed: list[Unusable]
    """The pictures that cannot be used."""
