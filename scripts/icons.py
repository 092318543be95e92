"""Makes the icon font of the pages: those of bootstrap-icons that templates and scripts name, as one style sheet and
one font. Run it after naming a new icon: `python -m scripts.icons`. With `--check` it reports a font that is out of
date.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.local_server import ROOT

STATIC = ROOT / "app" / "static"
LIBRARY = STATIC / "vendor" / "bootstrap-icons"
SHEET, FONT = STATIC / "css" / "icons.css", STATIC / "fonts" / "icons.woff"
RULE = re.compile(r'\.bi-([a-z0-9-]+)::before\{content:"\\([0-9a-f]+)"\}')
NAMED = re.compile(r"""bi-([a-z0-9-]+)|["'`]([a-z0-9-]+)["'`]""")
HEAD = """/* Made by scripts/icons.py of Bootstrap Icons (vendor/bootstrap-icons, MIT): what the pages name. */
@font-face {
  font-display: block;
  font-family: "bootstrap-icons";
  src: url("../fonts/icons.woff") format("woff");
}
.bi::before {
  display: inline-block;
  font-family: "bootstrap-icons";
  font-style: normal;
  font-weight: 400;
  font-variant: normal;
  line-height: 1;
  text-transform: none;
  vertical-align: -0.125em;
  -webkit-font-smoothing: antialiased;
  -moz-osx-font-smoothing: grayscale;
}
"""


def code_points() -> dict[str, str]:
    """The hexadecimal code point of each icon of the library, by its name."""
    return dict(RULE.findall((LIBRARY / "bootstrap-icons.min.css").read_text(encoding="utf-8")))


def named() -> Iterator[str]:
    """Every word of templates and scripts that could be an icon's name: a superset of the icons."""
    for path in sorted([*ROOT.glob("app/templates/**/*.html"), *STATIC.glob("js/**/*.js")]):
        for match in NAMED.finditer(path.read_text(encoding="utf-8")):
            yield match[1] or match[2]


def used() -> dict[str, str]:
    """The icons that the pages may show, by their names."""
    library, names = code_points(), set(named())
    return {name: library[name] for name in sorted(names & library.keys())}


def sheet(icons: dict[str, str]) -> str:
    rules = (f'.bi-{name}::before {{\n  content: "\\{code}";\n}}\n' for name, code in icons.items())
    return HEAD + "".join(rules)


def font(icons: dict[str, str], target: Path) -> None:
    """Write the library's font, reduced to these icons."""
    from fontTools import subset  # comes with matplotlib

    options = subset.Options(flavor="woff", desubroutinize=True, layout_features=[], name_IDs=[0, 1, 2, 13, 14])
    options.recalc_timestamp = False
    loaded = subset.load_font(str(LIBRARY / "fonts" / "bootstrap-icons.woff"), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[int(code, 16) for code in icons.values()])
    subsetter.subset(loaded)
    target.parent.mkdir(exist_ok=True)
    subset.save_font(loaded, str(target), options)


def is_current() -> bool:
    """Whether the style sheet has the icons that the pages name now."""
    return SHEET.read_text(encoding="utf-8") == sheet(used())


def main() -> None:
    if "--check" in sys.argv:
        sys.exit(None if is_current() else "icons are named that are not in css/icons.css: run python -m scripts.icons")
    icons = used()
    SHEET.write_text(sheet(icons), encoding="utf-8")
    font(icons, FONT)
    print(f"{len(icons)} icons: {SHEET.stat().st_size} + {FONT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
