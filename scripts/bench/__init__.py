"""Measures the platform against the bare tools, in one run on one machine: `make bench`.

    make bench ARGS="--only start,upload --images 2000"

Each section yields figures and ratios; the table is printed and written to bench-output/results.json. Times depend on
the machine, ratios much less. A section is a function `(folder, args) -> Figures` in a module of this package, listed
in `SECTIONS` of `__main__.py`.
"""
