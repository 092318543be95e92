"""The file name suffixes of a dataset's files."""

# Folders that systems put beside files: previews of images, and what was thrown away.
SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"})
# Images that nobody here reads by that name; files of a dataset all the same.
UNREAD_IMAGES = frozenset(
    {".gif", ".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".svg", ".psd", ".ico", ".tga", ".exr", ".hdr", ".dds", ".xcf"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".dcm", ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2"}
)
IMAGES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jfif", ".jpe"}
)
