"""Imports the Pillow plugins of common formats, before threads or forks could: `Image.init` would import forty, in the
time of decoding a hundred images.
"""

from importlib import import_module

for name in ("Avif", "Bmp", "Gif", "Ico", "Jpeg2K", "Jpeg", "Mpo", "Png", "Ppm", "Tiff", "WebP"):
    import_module(f"PIL.{name}ImagePlugin")
