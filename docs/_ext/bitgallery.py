"""What sphinx-gallery needs to know about this book: its figures, a clean start for each script, groups and thumbnails.

An example's thumbnail is the first figure of the book that its script draws, in the theme of the page.
"""

from __future__ import annotations

import html
import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path

import bitfig
import plaintext
from docutils import nodes
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx_gallery.scrapers import figure_rst

from bitdoc import figures

_SHOWN = "_bitdoc_shown"
_IN_LIGHT = 'use("light")'
#: Signs of the words on a card; they end with a sentence.
_CARD = 210
_OPENING = '.. raw:: html\n\n    <div class="sphx-glr-thumbnails">\n'
_CLOSING = ".. raw:: html\n\n    </div>\n"
_TOOLTIP = re.compile(r'tooltip="([^"]*)"')
_THUMBNAIL = re.compile(
    r'\.\. raw:: html\n\n    <div class="sphx-glr-thumbcontainer".*?:doc:`/gallery/(plot_\w+)`.*?\n    </div>\n',
    re.DOTALL,
)


def scrape_figures(block: tuple, block_vars: dict, gallery_conf: dict) -> str:
    """Save the figures that a block of a script has made, with pyplot or without, and return the text that shows them.

    A figure of the registry (``bitdoc.figures.draw`` labels it with its id) is shown as on the pages of the book, for
    both themes and for a phone; of another, the block that drew it is run once more in the dark theme.
    """
    names = block_vars["example_globals"]
    made = dict.fromkeys(plt.figure(number) for number in plt.get_fignums())
    made |= {fig: name for name, fig in names.items() if isinstance(fig, Figure)}
    fresh = [fig for fig in made if not getattr(fig, _SHOWN, False)]
    dark = _in_the_dark(block[1], names) if any(not _registered(fig) for fig in fresh) else {}
    shown = [_show(fig, dark.get(made[fig]), block_vars["image_path_iterator"], gallery_conf) for fig in fresh]
    plt.close("all")
    return "\n".join(shown)


def _registered(fig: Figure) -> figures.Entry | None:
    return figures.registry().get(fig.get_label())


def _in_the_dark(code: str, names: dict) -> dict:
    """Return what a block of a script makes in the dark theme."""
    again = code.replace(_IN_LIGHT, 'use("dark")')
    made = dict(names)
    with figures.style.use("dark"), redirect_stdout(io.StringIO()):
        exec(compile(again, "<the same in the dark>", "exec"), made)
    return made


def _show(fig: Figure, dark: Figure | None, paths, gallery_conf: dict) -> str:
    setattr(fig, _SHOWN, True)
    titles = [ax.get_title(loc=place) for ax in fig.axes for place in ("left", "center", "right")]
    alt = "; ".join(filter(None, [fig.get_suptitle(), *titles]))
    light = _save(fig, "light", alt, paths, gallery_conf)  # in any case: the thumbnail is made of it
    if entry := _registered(fig):
        return f".. bit-figure:: {entry.id}\n   :plain:\n"
    if dark is None:
        return light
    setattr(dark, _SHOWN, True)
    parts = []
    for theme, image in {"light": light, "dark": _save(dark, "dark", alt, paths, gallery_conf)}.items():
        parts.append(f".. container:: only-{theme}\n\n" + "".join(f"    {line}\n" for line in image.splitlines()))
    return "\n".join(parts)


def _save(fig: Figure, theme: str, alt: str, paths, gallery_conf: dict) -> str:
    path = Path(next(paths))
    with figures.style.use(theme):
        fig.savefig(path)
    return figure_rst([path], gallery_conf["src_dir"], " ".join(alt.split()), [{0: path}])


def reset_torch(gallery_conf: dict, fname: str | None) -> None:
    """Start each script from the same random state and settings, whatever the one before did to torch."""
    import torch

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(False)


def remove_orphans(app: Sphinx) -> None:
    """Remove from the generated gallery what belongs to a script that is no longer among the examples."""
    kept = {path.stem for path in (Path(app.srcdir).parent / "examples").glob("plot_*.py")}
    for path in (Path(app.srcdir) / "gallery").glob("plot_*"):
        if path.name.split(".")[0].removesuffix("_codeobj") not in kept:
            path.unlink()


def _shortened(tooltip: re.Match) -> str:
    """Return the words of a card: the first sentences of an example, as many as it has room for."""
    words = plaintext.without_latex(html.unescape(tooltip[1]))
    sentences = re.split(r"(?<!Fig\.)(?<=[.?!]) ", words)
    told = sentences[0]
    for sentence in sentences[1:]:
        if len(told) + len(sentence) > _CARD or sentence.endswith(":"):
            break
        told += f" {sentence}"
    return f'tooltip="{html.escape(told)}"'


def group_examples(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the gallery's thumbnails, and its pages, in groups with a sentence each; what no group names comes last."""
    blocks = {match[1]: _TOOLTIP.sub(_shortened, match[0]) for match in _THUMBNAIL.finditer(source[0])}
    if docname != "gallery/index" or not blocks or not app.config.bitgallery_groups:
        return
    named = {f"plot_{name}" for _, _, names in app.config.bitgallery_groups for name in names}
    others = [name.removeprefix("plot_") for name in blocks if name not in named]
    parts, order = [source[0].partition(_OPENING)[0]], []
    for title, sentence, names in [*app.config.bitgallery_groups, ("More", "What stands in no group yet.", others)]:
        shown = [blocks[f"plot_{name}"] for name in names if f"plot_{name}" in blocks]
        if shown:
            parts += [f"{title}\n{'-' * len(title)}\n\n{sentence}\n", _OPENING, *shown, _CLOSING]
            order += [f"   /gallery/plot_{name}" for name in names if f"plot_{name}" in blocks]
    source[0] = "\n".join([*parts, ".. toctree::", "   :hidden:", "", *order, ""])


def show_figures(app: Sphinx, doctree: nodes.document) -> None:
    """Put the narrow figure of an example, drawn for both themes, in the place of its thumbnail.

    Its words can be read on a card, which shows its upper part (``custom.css``).
    """
    for image in list(doctree.findall(nodes.image)):
        if not (named := re.search(r"/thumb/sphx_glr_(plot_\w+)_thumb\.", image.get("uri", ""))):
            continue
        script = Path(app.srcdir).parent / "examples" / f"{named[1]}.py"
        ids = re.findall(r"figures\.draw\(\"([\w-]+)\"", script.read_text(encoding="utf-8"))
        if ids and ids[0] in figures.registry():
            image.replace_self([_picture(app, ids[0], theme) for theme in bitfig.THEMES])


def _picture(app: Sphinx, id: str, theme: str) -> bitfig.picture:
    path = bitfig.draw_to_file(figures.registry()[id], theme, Path(app.config.bitfig_cache), narrow=True)
    uri = Path(os.path.relpath(path, Path(app.env.doc2path(app.env.docname)).parent)).as_posix()
    return bitfig.picture("", uri=uri, alt="", size=bitfig.size_of(path), classes=[f"only-{theme}", "thumbnail"])


def name_thumbnails(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give each thumbnail the title of its example, which the link after it holds, as alt text."""
    for image in doctree.findall(nodes.image):
        if "/thumb/" in image.get("uri", "") or "thumbnail" in image["classes"]:
            after = image.findall(nodes.reference, include_self=False, ascend=True)
            image["alt"] = next((link.astext() for link in after), "")


def load_lazily(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Let the browser fetch an example's pictures as they come into view, and those of the other theme never."""
    if pagename.startswith("gallery/plot_"):
        context["body"] = context["body"].replace("<img ", '<img loading="lazy" ')


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.add_config_value("bitgallery_groups", [], "env", list)
    app.connect("builder-inited", remove_orphans, priority=10)
    app.connect("source-read", group_examples)
    # Before Sphinx collects the pictures of a page.
    app.connect("doctree-read", show_figures, priority=100)
    app.connect("doctree-resolved", name_thumbnails)
    app.connect("html-page-context", load_lazily)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
