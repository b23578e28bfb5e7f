"""Which files are pictures, and which of them are read."""

DECODED = (
    "JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "JPEG2000",
    "BMP", "DIB", "PPM", "TGA", "PCX", "SGI", "QOI", "PSD", "ICO", "DDS",
)  # fmt: skip
"""Pillow's names of what is read. A closed list: EPS would start Ghostscript, others are seldom photos, little tested.
MPO, several JPEGs in one, opens as JPEG."""

_READ = (
    "jpg jpeg jpe jfif mpo png apng webp avif avifs gif tif tiff jp2 j2k j2c jpc jpf jpx "
    "bmp dib ppm pgm pbm pnm pfm tga pcx sgi rgb rgba bw qoi psd ico dds"
)
_NOT_READ = {
    "HEIC photos are not read yet; export them as JPEG": "heic heif hif heics heifs",
    "camera RAW is not read yet; export it as JPEG": "dng cr2 cr3 crw nef nrw arw srf sr2 raf orf rw2 pef srw x3f 3fr iiq rwl erf",
    "JPEG XL is not read yet; export it as JPEG": "jxl",
    "PostScript is not read, because that would start another program": "eps ps epsf",
    "vector graphics are not read; export it as PNG": "svg svgz wmf emf",
    "this format is not read; export it as PNG or JPEG": (
        "fli flc blp cur xpm xbm fits fit ftc ftu fpx gbr icns im msp pcd pxr ras mic dcx wal pcc xcf"
    ),
}
WHY_NOT_READ = {f".{extension}": reason for reason, extensions in _NOT_READ.items() for extension in extensions.split()}
"""By extension, why a file of that name is listed as a failure, unless its content is of another, known format."""

PICTURES = frozenset(f".{extension}" for extension in _READ.split()) | frozenset(WHY_NOT_READ)
"""Extensions, lower-case with the dot, of the files that a scan counts."""
