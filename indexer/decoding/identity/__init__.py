"""What a photo is: a digest of everything in a file that decides its pixels, and of nothing else.

`picture.py` has the digest. Each other module knows the layout of some formats; none decodes.
"""
