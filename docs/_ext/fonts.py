"""Sphinx extension: the fonts of the text and of code, as data in a style sheet that comes along.

Source Sans 3 and Source Code Pro (SIL Open Font License; the licences lie beside the files in ``docs/_fonts``), in the
Latin part that the package index of npm carries as ``@fontsource-variable``. Some browsers refuse font files to pages
opened from disk; data in a style sheet they take. Signs beyond Latin come from the reader's own fonts.
"""

from __future__ import annotations

import base64
from pathlib import Path

from sphinx.application import Sphinx

STYLE_SHEET = "fonts.css"
FOLDER = Path(__file__).parents[1] / "_fonts"
#: Family, style and file.
FACES = (
    ("Source Sans 3", "normal", "source-sans-3-latin-wght-normal.woff2"),
    ("Source Sans 3", "italic", "source-sans-3-latin-wght-italic.woff2"),
    ("Source Code Pro", "normal", "source-code-pro-latin-wght-normal.woff2"),
)


def style_sheet() -> str:
    """Return the style sheet that holds the fonts."""
    faces = ["/* Source Sans 3 and Source Code Pro, SIL Open Font License 1.1; the Latin part. */"]
    for family, style, file in FACES:
        data = base64.b64encode((FOLDER / file).read_bytes()).decode()
        faces.append(
            f'@font-face{{font-family:"{family}";font-style:{style};font-weight:200 900;font-display:block;'
            f'src:url(data:font/woff2;base64,{data}) format("woff2")}}'
        )
    return "\n".join(faces) + "\n"


def write_fonts(app: Sphinx) -> None:
    """Put the style sheet among the site's static files."""
    if app.builder.format == "html":
        path = Path(app.outdir) / "_static" / STYLE_SHEET
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(style_sheet(), encoding="ascii")


def setup(app: Sphinx) -> dict:
    """Register the hook."""
    app.add_css_file(STYLE_SHEET)
    app.connect("builder-inited", write_fonts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
