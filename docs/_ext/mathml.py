r"""Sphinx extension: formulas are turned into MathML when the site is built, and set in a math font that comes along.

Why not MathJax: it comes from another host or, copied beside the pages, needs npm to get it, 8 MB of scripts and
fonts, and a server (its parts load one another by request, which a page opened from disk may not do). MathML is part of
the page: every current browser draws it, screen readers read it, it prints sharp, takes the text's colour in the dark
theme, and costs no script. What it needs for good roots, sums and brackets is an OpenType math font: a subset of STIX
Two Math (SIL Open Font License), which the package ``ziamath`` carries on the package index, stands as data in a style
sheet, because some browsers refuse font files to pages opened from disk.

A formula that cannot be converted, or a sign that the font lacks, is a warning at its place.
"""

from __future__ import annotations

import base64
import io
import re
from importlib.metadata import distribution
from pathlib import Path

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

STYLE_SHEET = "mathfont.css"
# ASCII, Latin-1 signs, dotless letters, accents, Greek, punctuation, letter-like signs, arrows, operators, brackets and
# the mathematical alphabets (italic, bold, script, double-struck, its digits; upright is ASCII).
CHARACTERS = frozenset(
    code
    for first, last in (
        *((0x20, 0x7E), (0xA0, 0xFF), (0x131, 0x131), (0x237, 0x237), (0x2B0, 0x2DD), (0x300, 0x338), (0x391, 0x3F6)),
        *((0x2010, 0x205F), (0x20D0, 0x20E1), (0x2100, 0x214F), (0x2190, 0x21FF), (0x2200, 0x22FF), (0x2308, 0x230B)),
        *((0x23B4, 0x23B5), (0x23DC, 0x23E1), (0x25A0, 0x25CF), (0x27E6, 0x27EB), (0x27F5, 0x27FC), (0x2A00, 0x2A06)),
        *((0x2A7D, 0x2A7E), (0x2AAF, 0x2AB0), (0x1D400, 0x1D537), (0x1D538, 0x1D56B), (0x1D6A4, 0x1D7CB)),
        (0x1D7D8, 0x1D7E1),
    )
    for code in range(first, last + 1)
)
# Invisible operators, which browsers do not draw.
_INVISIBLE = frozenset(range(0x2061, 0x2065)) | {0x0A, 0x200B, 0xFE00}
_CONVERTER = LatexToMathML(fancy_error=False)
_MATH_IN_TEXT = re.compile(r"\\text\{([^{}$]*)\$([^$]+)\$([^{}]*)\}")
_ALIGNED = re.compile(r"\\(begin|end)\{(align|gather|equation|multline|eqnarray)\*?\}")
_INNER = {"align": "aligned", "eqnarray": "aligned", "gather": "gathered", "multline": "gathered"}


def convert(latex: str, *, display: bool) -> str:
    """Return the MathML of a formula.

    Raises
    ------
    math_core.LatexError
        If the formula holds a command that is unknown or not supported.
    """
    while _MATH_IN_TEXT.search(latex):
        latex = _MATH_IN_TEXT.sub(r"\\text{\1}\2\\text{\3}", latex)
    latex = _ALIGNED.sub(lambda m: "" if m[2] == "equation" else rf"\{m[1]}{{{_INNER[m[2]]}}}", latex).strip()
    if display and r"\\" in latex and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    mathml = _CONVERTER.convert_with_local_state(latex, displaystyle=display)
    # The sign that math-core puts over a letter as an overline sticks out to the left in this font; this one fits.
    return mathml.replace('<mo stretchy="true">\u0332</mo></mover>', '<mo stretchy="true">\u203e</mo></mover>')


def _checked(node: nodes.Element, *, display: bool) -> str:
    """Convert a formula, with a warning in place of an error."""
    try:
        mathml = convert(node.astext(), display=display)
    except LatexError as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node, type="mathml")
        return f"<code>{nodes.unescape(node.astext())}</code>"
    shown = re.sub(r"<[^>]*>|&[a-z]+;", "", mathml)
    lacking = sorted({sign for sign in shown if ord(sign) not in CHARACTERS | _INVISIBLE})
    if lacking:
        message = "formula %r: the math font lacks %s (CHARACTERS in mathml.py)"
        logger.warning(message, node.astext(), ", ".join(map(ascii, lacking)), location=node, type="mathml")
    return mathml


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(_checked(node, display=False) + "</span>")
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula, with its number if it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(f'<div class="math-scroll" tabindex="0">{_checked(node, display=True)}</div></div>\n')
    raise nodes.SkipNode


def level_roots(font: TTFont) -> None:
    """Make all sizes of the root sign as wide as the smallest.

    Browsers leave every root the room that the widest of its sizes would take, as MathML Core asks for. In this font
    that is 0.42 em more than the smallest size needs: a blank behind each root, and fractions out of their middle.
    """
    table = font["MATH"].table.MathVariants
    root = font.getBestCmap()[0x221A]
    sizes = table.VertGlyphConstruction[table.VertGlyphCoverage.glyphs.index(root)]
    names = {size.VariantGlyph for size in sizes.MathGlyphVariantRecord}
    names |= {part.glyph for part in sizes.GlyphAssembly.PartRecords}
    width = font["hmtx"][root][0]
    for name in names:
        old, bearing = font["hmtx"][name]
        font["glyf"][name].coordinates.scale((width / old, 1))
        font["glyf"][name].recalcBounds(font["glyf"])
        font["hmtx"][name] = (width, round(bearing * width / old))


def font_style_sheet() -> str:
    """Return the style sheet that holds the subset of the math font."""
    source = distribution("ziamath").locate_file("ziamath/fonts/STIXTwoMath-Regular.ttf")
    options = subset.Options(flavor="woff", hinting=False, layout_features=["math", "ssty", "dtls", "flac", "ccmp"])
    font = subset.load_font(str(source), options)
    level_roots(font)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=CHARACTERS)
    cutter.subset(font)
    small = io.BytesIO()
    font.flavor = "woff"
    font.save(small)
    data = base64.b64encode(small.getvalue()).decode()
    licence = (
        "/* STIX Two Math, copyright 2001-2020 The STIX Fonts Project Authors, SIL Open Font License 1.1; a subset. */"
    )
    face = '@font-face{font-family:"STIX Two Math";src:url(data:font/woff;base64,' + data + ') format("woff")}'
    return f'{licence}\n{face}\nmath{{font-family:"STIX Two Math",math}}\n'


def add_font(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Load the style sheet on the pages that have formulas."""
    if context.get("has_maths_elements"):
        app.add_css_file(STYLE_SHEET)


def write_font(app: Sphinx) -> None:
    """Put the style sheet among the site's static files."""
    if app.builder.format != "html":
        return
    path = Path(app.outdir) / "_static" / STYLE_SHEET
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(font_style_sheet(), encoding="ascii")


def setup(app: Sphinx) -> dict:
    """Register the renderer and the font."""
    app.add_html_math_renderer("mathml", inline_renderers=(visit_inline, None), block_renderers=(visit_block, None))
    app.connect("html-page-context", add_font)
    app.connect("builder-inited", write_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
