"""Measures the platform against the plain tools, in one run on one machine: `make bench`.

    make bench ARGS="--only start,upload --images 2000"

Each section gives figures and ratios; the table is printed and written to bench-output/results.json. Times depend on
the machine, ratios much less. A section is a function `(folder, asked) -> Figures` in a module of this package, named
in `SECTIONS` of `__main__.py`.
"""
