"""Detects video files by their first bytes, and selects FFmpeg's demuxer. Pure."""

# Demuxers that read a single file. Playlists (HLS, concat, DASH) are excluded.
CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,flv,asf,ogg"
BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})  # first box of an MP4 or MOV
HEAD = 192  # bytes that `demuxer_of` reads

# Brands of images in the same container: HEIC and AVIF.
STILLS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"})

MARKS = {
    b"\x1a\x45\xdf\xa3": "matroska",
    b"OggS": "ogg",
    b"FLV\x01": "flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"\x00\x00\x01\xba": "mpeg",
    b"\x00\x00\x01\xb3": "mpegvideo",
}


def is_mp4(head: bytes) -> bool:
    """Whether it is an MP4 or MOV."""
    return head[4:8] in BOXES


def demuxer_of(head: bytes) -> str | None:
    """FFmpeg's name of the container; None: not supported."""
    if is_mp4(head):
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:1] == b"\x47" and head[188:189] == b"\x47":  # MPEG transport stream
        return "mpegts"
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


def is_video(head: bytes) -> bool:
    """Whether these first bytes are of a supported video, and not of an image in such a container."""
    return container_of(head) and not (head[4:8] == b"ftyp" and head[8:12] in STILLS)


def container_of(head: bytes) -> bool:
    """Whether these first bytes are of a supported container."""
    return demuxer_of(head) is not None
