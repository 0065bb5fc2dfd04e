"""Sphinx extension: what a search engine and a link shared elsewhere need: ``sitemap.xml``, a description, a card.

A page's card shows its title, its first words and its first figure. All addresses begin with ``share_url``, the one
under which the site will stand, because both formats ask for complete ones.
"""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
from html import escape
from pathlib import Path

import plaintext
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

from bitdoc import figures
from bitdoc.figures import style

DESCRIPTION = 200
WIDTH, HEIGHT, DPI = 1200, 630, 100


def draw_card(title: str, words: str, figure: str | None) -> bytes:
    """Return a card of 1200 x 630 pixels as PNG."""
    with style.use("light"):
        card, blank = style.new(WIDTH / DPI, HEIGHT / DPI)
        card.set_layout_engine("none")
        blank.remove()
        wide = figure is None
        text = textwrap.wrap(title, 44 if wide else 19)[:4]
        card.text(0.05, 0.9, "\n".join(text), size=34, weight="bold", va="top", linespacing=1.15)
        below = 0.9 - 0.098 * len(text)
        told = textwrap.wrap(words, 90 if wide else 38, max_lines=7, placeholder=" …")
        card.text(0.05, below - 0.03, "\n".join(told), size=16, va="top", linespacing=1.4)
        card.text(0.05, 0.06, "bitdoc · Big Transfer, explained by experiments", size=13, color=style.COLOURS["blue"])
        if figure:
            _paste(card, figure)
        drawn = io.BytesIO()
        card.savefig(drawn, format="png", dpi=DPI)
    small = io.BytesIO()
    Image.open(drawn).convert("RGB").quantize(128).save(small, "png", optimize=True)
    return small.getvalue()


def _paste(card, figure: str) -> None:
    picture = io.BytesIO()
    figures.draw(figure, "light").savefig(picture, format="png", dpi=120)
    axes = card.add_axes((0.46, 0.12, 0.52, 0.78))
    axes.imshow(Image.open(picture))
    axes.axis("off")


def card_of(app: Sphinx, pagename: str, title: str, words: str, doctree: nodes.document) -> str:
    """Return the address, within the site, of a page's card; pages deeper than the book's share one."""
    if "/" in pagename:
        return "_images/card-index.png"
    pictures = [Path(node["uri"]).name for node in doctree.findall(nodes.image) if "only-light" in node["classes"]]
    figure = re.sub(r"-light(-narrow)?\.\w+$", "", pictures[0]) if pictures else None
    key = hashlib.sha256(f"{title} {words} {figure}".encode()).hexdigest()[:12]
    cached = Path(app.config.bitfig_cache) / f"card-{key}.png"
    if not cached.is_file():
        cached.write_bytes(draw_card(title, words, figure))
    path = Path(app.outdir) / "_images" / f"card-{pagename}.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cached.read_bytes())
    return path.relative_to(app.outdir).as_posix()


def describe(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Put description and card into the page's head."""
    if doctree is None or app.builder.format != "html":
        return
    title = re.sub("<[^>]*>", "", context["title"])
    given = re.search(r'<meta content="([^"]*)" name="description"', context["metatags"])
    words = given[1] if given else plaintext.first_paragraph(context["plain_text"])
    words = textwrap.shorten(plaintext.without_latex(words), DESCRIPTION, placeholder=" …")
    base = app.config.share_url
    tags = {
        "og:type": "article",
        "og:site_name": app.config.html_title,
        "og:title": title,
        "og:description": words,
        "og:url": base + app.builder.get_target_uri(pagename),
        "og:image": base + card_of(app, pagename, title, words, doctree),
        "og:image:width": str(WIDTH),
        "og:image:height": str(HEIGHT),
        "og:image:alt": title,
    }
    lines = [f'<meta property="{name}" content="{escape(text)}">' for name, text in tags.items() if text]
    lines.append('<meta name="twitter:card" content="summary_large_image">')
    if words and not given:
        lines.append(f'<meta name="description" content="{escape(words)}">')
    context["metatags"] += "\n".join(lines) + "\n"


def write_sitemap(app: Sphinx, error: Exception | None) -> None:
    """Write ``sitemap.xml`` with the address of each page."""
    if error is not None or app.builder.format != "html":
        return
    addresses = sorted(app.config.share_url + app.builder.get_target_uri(page) for page in app.env.found_docs)
    urls = "".join(f"  <url><loc>{escape(address)}</loc></url>\n" for address in addresses)
    head = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    (Path(app.outdir) / "sitemap.xml").write_text(f"{head}{urls}</urlset>\n", encoding="utf-8")


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.add_config_value("share_url", "", "html", str)
    app.connect("html-page-context", describe)
    app.connect("build-finished", write_sitemap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
