"""The process that converts a checkpoint, which begins the text tower only when it is asked to end.

A file `held` beside the conversion tells that the image tower is finished and that it waits.
"""

import time
from pathlib import Path
from typing import Any

from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.runtimes import export
from sigseek.siglip.runtimes.conversion import Job

_convert, _save_text_tower = export._convert, export.save_text_tower


def _convert_held(job: Job, end: export._End) -> dict[str, Any] | None:
    def save_text_tower(checkpoint: Checkpoint, path: Path, precision: str) -> None:
        (job.target.parent / "held").touch()
        while not end.asked:
            time.sleep(0.005)
        _save_text_tower(checkpoint, path, precision)

    export.save_text_tower = save_text_tower
    return _convert(job, end)


if __name__ == "__main__":
    export._convert = _convert_held
    export.main()
