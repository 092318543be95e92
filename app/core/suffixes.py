"""The file name suffixes of a dataset's files."""

# Folders that operating systems create: thumbnails and trash.
SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"})
# Image formats that are not supported, but count as files of a dataset.
UNREAD_IMAGES = frozenset(
    {".gif", ".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".svg", ".psd", ".ico", ".tga", ".exr", ".hdr", ".dds", ".xcf"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".dcm", ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2"}
)
IMAGES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jfif", ".jpe"}
)
