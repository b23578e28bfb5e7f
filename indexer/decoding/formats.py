"""Which files count as pictures, and which of them can be read."""

DECODED = (
    "JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "JPEG2000",
    "BMP", "DIB", "PPM", "PCX", "SGI", "QOI", "PSD", "ICO", "DDS", "TGA",
)  # fmt: skip
"""The formats that Pillow reads here, by Pillow's names.

`sigseek.indexer.decoding.opening` adds HEIF, JPEG XL and camera RAW. Pillow's other formats are
left out: reading EPS would start Ghostscript, and the rest are rarely photos and hardly tested. MPO
is not listed because a file of several JPEGs opens as JPEG. Pillow tries the formats in this order,
and TGA is the last because it has no mark of its own: icons look like it.
"""

DECODER_VERSION = 2
"""It grows when files can be used that could not be used before. `index` then tries the failures of
earlier versions again.
"""

_READ = (
    "jpg jpeg jpe jfif jif jfi pjpeg pjp mpo "
    "png apng webp avif avifs heic heif hif heics heifs jxl gif tif tiff "
    "jp2 j2k j2c jpc jpf jpx "
    "bmp dib ppm pgm pbm pnm pfm tga pcx sgi rgb rgba bw qoi psd ico dds"
)
_RAW = "dng cr2 cr3 crw nef nrw arw srf sr2 raf orf rw2 pef srw x3f 3fr iiq rwl erf"
_NOT_READ = {
    "PostScript is not supported: reading it would start another program": "eps ps epsf",
    "vector graphics are not supported; export the file as PNG": "svg svgz wmf emf",
    "this format is not supported; export the file as PNG or JPEG": (
        "fli flc blp cur xpm xbm fits fit ftc ftu fpx gbr icns im msp pcd pxr ras mic dcx wal pcc "
        "xcf"
    ),
}
REFUSED_FORMATS = {
    f".{extension}": reason
    for reason, extensions in _NOT_READ.items()
    for extension in extensions.split()
}
"""The reason by extension why such a file is a failure. A file is read all the same if its content
is of a format that is read.
"""

JPEG_EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".jfif")

RAW = frozenset(f".{extension}" for extension in _RAW.split())
"""Extensions of camera RAW."""

PICTURES = (
    frozenset(f".{extension}" for extension in _READ.split()) | RAW | frozenset(REFUSED_FORMATS)
)
"""The extensions of the files that a scan counts, in lower case and with the dot."""
