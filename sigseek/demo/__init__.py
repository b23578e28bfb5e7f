"""The demo: photos that are drawn, what they show, and how the checkpoint `mini` was trained."""
