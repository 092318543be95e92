"""Loads the parts of Pillow that read the formats which people have, before threads or forks could: `Image.init` would
load forty, in the time in which a hundred images are decoded."""

from importlib import import_module

for name in ("Avif", "Bmp", "Gif", "Ico", "Jpeg2K", "Jpeg", "Mpo", "Png", "Ppm", "Tiff", "WebP"):
    import_module(f"PIL.{name}ImagePlugin")
