"""The yardstick: texts and pictures, the same for everybody, that hits are judged by."""

VERSION = 2
"""The version of the yardstick's texts and pictures.

It is raised with every change of one; libraries are then measured again.
"""
