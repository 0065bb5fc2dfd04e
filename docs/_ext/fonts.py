"""Sphinx extension: the fonts of the text and of code, as data in a style sheet that comes along.

Source Sans 3 and Source Code Pro (SIL Open Font License; the licences lie beside the files in ``docs/_fonts``), in the
Latin part that the package index of npm carries as ``@fontsource-variable``. Some browsers refuse font files to pages
opened from disk; data in a style sheet they take. Signs beyond Latin come from the reader's own fonts.

Browsers read even such fonts a little later than the page. The text is therefore shown when they are there, half a
second later at most: shown before, in another face, its lines would break anew and everything below would jump.
"""

from __future__ import annotations

import base64
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

STYLE_SHEET = "fonts.css"
FOLDER = Path(__file__).parents[1] / "_fonts"
#: Family, style and file.
FACES = (
    ("Source Sans 3", "normal", "source-sans-3-latin-wght-normal.woff2"),
    ("Source Sans 3", "italic", "source-sans-3-latin-wght-italic.woff2"),
    ("Source Code Pro", "normal", "source-code-pro-latin-wght-normal.woff2"),
)


#: Stands in the head, after the style sheets.
SCRIPT = """<script>
(() => {
  const page = document.documentElement;
  const faces = [...document.fonts].filter((face) => /Source|STIX/.test(face.family));
  const later = new Promise((done) => setTimeout(done, 500));
  page.classList.add("fonts-under-way");
  Promise.race([Promise.allSettled(faces.map((face) => face.load())), later])
    .then(() => page.classList.remove("fonts-under-way"));
})();
</script>
"""


def style_sheet() -> str:
    """Return the style sheet that holds the fonts."""
    faces = ["/* Source Sans 3 and Source Code Pro, SIL Open Font License 1.1; the Latin part. */"]
    for family, style, file in FACES:
        data = base64.b64encode((FOLDER / file).read_bytes()).decode()
        faces.append(
            f'@font-face{{font-family:"{family}";font-style:{style};font-weight:200 900;font-display:block;'
            f'src:url(data:font/woff2;base64,{data}) format("woff2")}}'
        )
    return "\n".join([*faces, "@media screen{html.fonts-under-way body{visibility:hidden}}"]) + "\n"


def write_fonts(app: Sphinx) -> None:
    """Put the style sheet among the site's static files."""
    if app.builder.format == "html":
        path = Path(app.outdir) / "_static" / STYLE_SHEET
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(style_sheet(), encoding="ascii")


def offer(app: Sphinx, page: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Let the template ``layout.html`` put the script into the head."""
    context["fonts_script"] = SCRIPT


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.add_css_file(STYLE_SHEET)
    app.connect("html-page-context", offer)
    app.connect("builder-inited", write_fonts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
