"""Sphinx extension: the icons of the theme's buttons, drawn here, in place of a script and three fonts of two thousand.

The theme loads 1.5 MB of Font Awesome to show a dozen icons. The drawings below are this project's own, lines on a
square of 16 units; a style sheet puts each, as a mask in the color of the text, where the theme asks for an icon by its
class. That needs no script, so nothing jumps when a page has loaded, and a page opened from disk shows them too.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import quote

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

STYLE_SHEET = "icons.css"
#: What no page asks for any more, and the template that asked for it.
LEFT_OUT = (
    "scripts/fontawesome.js",
    "scripts/fontawesome.js.map",
    "scripts/fontawesome.js.LICENSE.txt",
    "vendor/fontawesome",
    "webpack-macros.html",
)

_CIRCLE = "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13z"
#: Lines of each icon; those of a published site's buttons, which lead to its source, come last.
LINES = {
    "magnifying-glass": "M6.75 1.75a5 5 0 1 0 0 10a5 5 0 1 0 0-10zM10.5 10.5L14.5 14.5",
    "sun": (
        "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6zM8 1v1M8 14v1M1 8h1M14 8h1M3 3l.8.8M12.2 12.2l.8.8M3 13l.8-.8M12.2 3.8L13 3"
    ),
    "moon": "M13.75 9.75A6.25 6.25 0 1 1 6.25 2.25A5 5 0 0 0 13.75 9.75z",
    "circle-half-stroke": _CIRCLE,
    "chevron-down": "M2.5 5.5L8 11L13.5 5.5",
    "angle-left": "M10.5 2.5L5 8L10.5 13.5",
    "angle-right": "M5.5 2.5L11 8L5.5 13.5",
    "arrow-up": "M8 14.5V2M2.5 7.5L8 2L13.5 7.5",
    "expand": "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
    "bars": "M1.5 3h13M1.5 8h13M1.5 13h13",
    "list": "M5.5 3h9M5.5 8h9M5.5 13h9M1.5 3h.5M1.5 8h.5M1.5 13h.5",
    "download": "M8 1.5V10.5M4 6.5L8 10.5L12 6.5M1.5 14h13",
    "xmark": "M3 3L13 13M13 3L3 13",
    "circle-info": f"{_CIRCLE}M8 7.5V11.5M8 4.5v.1",
    "triangle-exclamation": "M8 1.5L15 14.5H1zM8 6V10M8 12.2v.1",
    "lightbulb": "M6 11.5C6 9.5 3.5 9 3.5 6a4.5 4.5 0 0 1 9 0C12.5 9 10 9.5 10 11.5zM6.5 14.5h3",
    "code": "M5 3.5L1 8L5 12.5M11 3.5L15 8L11 12.5",
    "pencil-alt": "M2 14l.8-3.5L11 2.3a1.6 1.6 0 0 1 2.3 0l.4.4a1.6 1.6 0 0 1 0 2.3L5.5 13.2zM9.5 4L12 6.5",
    "github": (
        "M4 6V10M4 2a2 2 0 1 0 0 4a2 2 0 1 0 0-4zM4 10a2 2 0 1 0 0 4a2 2 0 1 0 0-4zM12 2a2 2 0 1 0 0 4a2 2 0 1 0 0-4z"
        "M12 6C12 9 4 7 4 10"
    ),
}
#: Surfaces, beside the lines.
SURFACES = {"circle-half-stroke": "M8 1.5a6.5 6.5 0 0 1 0 13z"}
#: What the theme takes for an icon.
ICON = ":is(.fa-solid, .fa-regular, .fa-brands, .fas, .far, .fab)"
#: Boxes of notes, links to files and to code: the theme sets these icons by its style sheet.
BOXES = {
    ".admonition > .admonition-title::after": "circle-info",
    ":is(.hint, .tip).admonition > .admonition-title::after": "lightbulb",
    ":is(.attention, .caution, .danger, .error, .important, .warning).admonition > .admonition-title::after": (
        "triangle-exclamation"
    ),
    "a:is(.github, .gitlab)::before": "github",
    "a.reference.download::before": "download",
    "#searchbox p.highlight-link a::before": "xmark",
}


def drawing(name: str) -> str:
    """Return an icon as an address that holds its picture."""
    surface = f'<path d="{SURFACES[name]}" fill="#000"/>' if name in SURFACES else ""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="none" stroke="#000" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round"><path d="{LINES[name]}"/>{surface}</svg>'
    )
    return f'url("data:image/svg+xml,{quote(svg, safe=" =:/,.-")}")'


def style_sheet() -> str:
    """Return the style sheet: the drawings, who shows which, and how they are shown."""
    drawings = "".join(f"  --icon-{name}: {drawing(name)};\n" for name in LINES)
    places = {f".fa-{name}::before": name for name in LINES} | BOXES
    chosen = [f"{place} {{\n  --icon: var(--icon-{name});\n}}" for place, name in places.items()]
    shown = """{
  background: currentColor;
  content: "" !important;
  display: inline-block;
  font-family: inherit !important;
  forced-color-adjust: none;
  height: 1em;
  mask: var(--icon) center / contain no-repeat;
  print-color-adjust: exact;
  vertical-align: -0.125em;
  width: 1em;
}"""
    everywhere = ",\n".join([f"{ICON}::before", *BOXES])
    # An empty box too has the height of its font, and would have a browser ask for the theme's.
    own_font = f"{ICON} {{\n  font-family: inherit;\n}}"
    return "\n\n".join([f"html {{\n{drawings}}}", *chosen, own_font, f"{everywhere} {shown}"]) + "\n"


def without_script(head: str) -> str:
    """Return the theme's part of a page's head without the script of icons."""
    left, count = re.subn(r"<script[^>]*/fontawesome\.js[^>]*></script>\n?", "", head)
    if count != 1:
        raise ExtensionError(f"icons: the theme loads fontawesome.js {count} times, not once; see docs/_ext/icons.py")
    return left


def offer(app: Sphinx, page: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Let the template ``layout.html`` leave the script out."""
    context["without_icon_script"] = without_script


def write_sheet(app: Sphinx) -> None:
    """Put the style sheet among the site's static files."""
    if app.builder.format == "html":
        path = Path(app.outdir) / "_static" / STYLE_SHEET
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(style_sheet(), encoding="ascii")


def leave_out(app: Sphinx, error: Exception | None) -> None:
    """Remove the theme's script and fonts, which Sphinx copies with each build."""
    if error is None and app.builder.format == "html":
        for name in LEFT_OUT:
            path = Path(app.outdir) / "_static" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.add_css_file(STYLE_SHEET)
    app.connect("builder-inited", write_sheet)
    app.connect("html-page-context", offer)
    app.connect("build-finished", leave_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
