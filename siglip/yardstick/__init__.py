"""The yardstick: texts and pictures, the same for everybody, that hits are judged by."""
