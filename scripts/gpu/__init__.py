"""Verifies the platform on a GPU in one run: `make gpu-check`.

It starts the real server on drawn data, drives it by REST and Socket.IO, and prints a table of the results. Everything
that it writes is in one folder: the table as `results.json`, and `evidence/` if something failed.

    make gpu-check                                     # cuda:0, 1,200 images of 640 px, at most 8 minutes
    make gpu-check ARGS="--device cpu --tiny"          # the rows that can run without a GPU
    python3 scripts/gpu --output /tmp/gpu-check        # any Python >= 3.11 that has torch and requirements.txt

A check is a function `(kit) -> figure` in a module of this package, listed in `CHECKS` of `__main__.py`. It raises
`Fails` if a requirement is not met and `Skipped` if the host lacks something that it needs.
"""
