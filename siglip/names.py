"""The names of checkpoints that the program itself knows. To read them loads nothing."""

MINI = "mini"
MINI_CAMERA = ("sigseek", "demo")
"""The maker and model of camera that the demo's drawings name. mini knows only such drawings."""
DEFAULT = "google/siglip-base-patch16-224"
