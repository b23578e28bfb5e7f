"""The texts and pictures that hits are judged by, the same for everybody."""
