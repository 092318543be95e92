"""Proves the platform on a GPU in one run: `make gpu-check`.

It starts the real server on data that it draws, drives it by REST and Socket.IO, and prints a table of what held.
Everything that it writes lies in one folder: the table as `results.json`, and `evidence/` when something failed.

    make gpu-check                                     # cuda:0, 1,200 images of 640 px, at most 8 minutes
    make gpu-check ARGS="--device cpu --tiny"          # the rows that can run without a GPU
    python3 scripts/gpu --output /tmp/gpu-check        # any Python >= 3.11 that has torch and requirements.txt

A check is a function `(kit) -> figure` in a module of this package, named in `CHECKS` of `__main__.py`. It raises
`Fails` where something does not hold and `Skipped` where the host lacks what it needs.
"""
