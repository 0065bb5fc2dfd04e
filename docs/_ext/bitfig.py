"""Sphinx extension: figures, tables and numbers of the book, by their id in ``bitdoc.figures``.

``bit-figure``
    Draws a registered figure for the light and the dark theme, wide and narrow, and inserts it as one numbered figure,
    label ``fig-<id>``, with the caption and the alt text that stand beside the drawing code; the browser takes the
    picture that suits its window. With ``:plain:`` the pictures alone, without caption, number and label, for a figure
    that has its numbered place elsewhere; with ``:plain: narrow`` the narrow ones at any width, for a place that is.
    With ``:downloads:`` the light picture can also be fetched as PNG and PDF, for a slide.
``bit-table``
    Inserts a computed table, label ``tab-<id>``.
``bit-value``
    A role that quotes a computed number.
``bit-figure-functions``
    Shows all figures, says where each stands, and documents the function that draws it.

An id that nobody has registered, or a function that fails, is a warning at the line that asked for it.
"""

from __future__ import annotations

import copy
import inspect
import os
import posixpath
import re
from functools import partial
from pathlib import Path
from string import ascii_uppercase
from urllib.parse import quote

import imagesize
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.writers.html5 import HTML5Translator

from bitdoc import figures

logger = logging.getLogger(__name__)

THEMES = ("light", "dark")
_NUMBER = re.compile(r"^[~≈<>+−–-]*[\d][\d\s.,/×x%±MGkB+−–-]*$")


DPI = 160
# Pictures that hold photographs are stored as WebP: an eighth of the bytes of PNG, and no difference to see.
SAVING = {
    "svg": ("svg", {"metadata": {"Date": None}}),
    "png": ("webp", {"dpi": DPI, "pil_kwargs": {"quality": 85, "method": 6}}),
}


#: Windows up to here get the narrow picture: a wide one's words would be too small. Paper and the overlay do not.
NARROW = "screen and (max-width: 700px)"


class picture(nodes.image):
    """An image that tells its size, so that the text does not jump, and loads when it is about to be seen."""


class choice(nodes.General, nodes.Inline, nodes.Element):
    """A narrow picture, class ``narrow``, and the wide one of the same theme; a window gets the one that suits it."""


def draw_to_file(entry: figures.Entry, theme: str, folder: Path, narrow: bool = False) -> Path:
    """Draw a registered figure into ``folder`` unless it is there already; return the file's path."""
    kind, options = SAVING[entry.format]
    path = folder / f"{entry.id}-{theme}{'-narrow' if narrow else ''}.{kind}"
    if not path.exists():
        unfinished = path.with_name(f".{os.getpid()}-{path.name}")
        fig = figures.draw(entry.id, theme, narrow)
        # Ticks are made while saving, so the theme has to hold there too.
        with figures.style.use(theme, narrow):
            fig.savefig(unfinished, format=kind, **options)
        os.replace(unfinished, path)
    return path


def files_for_slides(entry: figures.Entry, folder: Path) -> list[Path]:
    """Draw a figure's light version as PNG and as PDF into ``folder``, unless they are there; return the files."""
    paths = [folder / f"{entry.id}.{kind}" for kind in ("png", "pdf")]
    if not all(path.exists() for path in paths):
        fig = figures.draw(entry.id)
        for path in paths:
            fig.savefig(path, dpi=2 * DPI, metadata={"CreationDate": None} if path.suffix == ".pdf" else {})
    return paths


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a drawn figure on the page, in CSS pixels."""
    width, height = imagesize.get(path)
    scale = 96 / DPI if path.suffix == ".webp" else 1
    return round(width * scale), round(height * scale)


def visit_picture(self: HTML5Translator, node: picture) -> None:
    """Write a picture; the browser fetches the one of the theme in use and leaves the other."""
    uri = posixpath.join(self.builder.imgpath, quote(self.builder.images[node["uri"]]))
    size = dict(zip(("width", "height"), map(str, node["size"]), strict=True))
    if isinstance(node.parent, choice) and "narrow" in node["classes"]:
        self.body.append(f'<source media="{NARROW}" srcset="{uri}" width="{size["width"]}" height="{size["height"]}">')
        return
    self.body.append(self.emptytag(node, "img", "", src=uri, alt=node["alt"], loading="lazy", decoding="async", **size))


def visit_choice(self: HTML5Translator, node: choice) -> None:
    """Begin the pictures among which a window chooses."""
    self.body.append("<picture>")


def depart_choice(self: HTML5Translator, node: choice) -> None:
    """End them."""
    self.body.append("</picture>")


def nothing(self: HTML5Translator, node: nodes.Element) -> None:
    """Nothing is left to write."""


class enlarge(nodes.Inline, nodes.Element):
    """Links to the pictures of the figure around it; ``figures.js`` opens them over the page."""


def visit_enlarge(self: HTML5Translator, node: enlarge) -> None:
    """Write a link to the picture of each theme; the theme shows its own."""
    figure = node.parent
    while not isinstance(figure, nodes.figure):
        figure = figure.parent
    for image in figure.findall(picture):
        if "narrow" in image["classes"]:
            continue
        uri = posixpath.join(self.builder.imgpath, quote(self.builder.images[image["uri"]]))
        classes = " ".join(["bit-figure-source", "bit-enlarge", *image["classes"]])
        self.body.append(f" {self.starttag(node, 'a', '', href=uri, CLASS=classes)}enlarge</a>")
    raise nodes.SkipNode


class measured(nodes.General, nodes.Element):
    """How a figure's numbers were measured, folded."""


def visit_measured(self: HTML5Translator, node: measured) -> None:
    """Begin the fold."""
    self.body.append('<details class="bit-measured"><summary>how measured</summary>')


def depart_measured(self: HTML5Translator, node: measured) -> None:
    """End the fold."""
    self.body.append("</details>")


def _known(kind: str, id: str, ids) -> str:
    return f"no {kind} is called {id!r}; the {kind}s are: {', '.join(sorted(ids)) or 'none yet'}"


def _all_numbers(column: tuple[str, ...]) -> bool:
    """Tell whether a column of a table holds numbers, and nothing else but empty cells and dashes."""
    told = [str(cell) for cell in column if str(cell).strip(" –—-")]
    return bool(told) and all(_NUMBER.match(cell) for cell in told)


def _depend_on_source(env: BuildEnvironment, function) -> None:
    while isinstance(function, partial):
        function = function.func
    env.note_dependency(inspect.getsourcefile(inspect.unwrap(function)))


def _plain(argument: str | None) -> str:
    return directives.choice(argument or "", ("", "narrow"))


class BitFigure(SphinxDirective):
    """Insert a figure of the registry; see the module's docstring."""

    required_arguments = 1
    has_content = False
    option_spec = {"plain": _plain, "downloads": directives.flag, "class": directives.class_option}

    def run(self) -> list[nodes.Node]:
        """Draw the figure and return its nodes."""
        id = self.arguments[0]
        entry = figures.registry().get(id)
        if entry is None:
            logger.warning(_known("figure", id, figures.registry()), location=self.get_location(), type="bitfig")
            return []
        _depend_on_source(self.env, entry.function)
        try:
            images = [self._images(entry, theme) for theme in THEMES]
            caption = entry.caption
        except Exception as error:
            message = f"the figure {id!r} could not be drawn: {type(error).__name__}: {error}"
            logger.warning(message, location=self.get_location(), type="bitfig", exc_info=True)
            return []
        if "plain" in self.options:
            return [nodes.container("", *images, classes=["bit-figure-plain", *self.options.get("class", [])])]
        return [self._with_measured(entry, self._figure(entry, images, caption))]

    def _images(self, entry: figures.Entry, theme: str) -> nodes.Element:
        narrow = self._image(entry, theme, True)
        if self.options.get("plain") == "narrow":
            narrow["classes"] = [f"only-{theme}"]
            return narrow
        return choice("", narrow, self._image(entry, theme, False))

    def _image(self, entry: figures.Entry, theme: str, narrow: bool) -> picture:
        path = draw_to_file(entry, theme, Path(self.config.bitfig_cache), narrow)
        self.env.note_dependency(str(path))
        uri = Path(os.path.relpath(path, Path(self.env.doc2path(self.env.docname)).parent)).as_posix()
        alt = " ".join(entry.alt.split())
        return picture("", uri=uri, alt=alt, size=size_of(path), classes=["narrow" if narrow else f"only-{theme}"])

    def _figure(self, entry: figures.Entry, images: list[nodes.Element], text: str) -> nodes.figure:
        figure = nodes.figure("", *images, classes=["bit-figure", *self.options.get("class", [])])
        inline, messages = self.parse_inline(" ".join(text.split()))
        figure += nodes.caption("", "", *inline)
        figure += nodes.legend(
            "", nodes.paragraph("", "", self._source_link(entry), enlarge()), *self._downloads(entry)
        )
        figure += messages
        self.set_source_info(figure)
        self.options["name"] = f"fig-{entry.id}"
        self.add_name(figure)
        return figure

    def _downloads(self, entry: figures.Entry) -> list[nodes.Node]:
        if "downloads" not in self.options:
            return []
        line = nodes.paragraph("", "For a slide: ")
        for path in files_for_slides(entry, Path(self.config.bitfig_cache)):
            target = Path(os.path.relpath(path, Path(self.env.doc2path(self.env.docname)).parent)).as_posix()
            link = addnodes.download_reference("", "", refdoc=self.env.docname, reftarget=target)
            link += nodes.Text(path.suffix[1:].upper())
            line += [link, nodes.Text(" ")]
        return [line]

    def _with_measured(self, entry: figures.Entry, figure: nodes.figure) -> nodes.figure:
        """Fold what the figure's function says about its measurements below the caption."""
        if text := " ".join(entry.measured.split()):
            inline, messages = self.parse_inline(text)
            legend = next(figure.findall(nodes.legend))
            legend += [measured("", nodes.paragraph("", "", *inline)), *messages]
        return figure

    def _source_link(self, entry: figures.Entry) -> nodes.reference:
        function = inspect.unwrap(entry.function)
        page = "_modules/" + function.__module__.replace(".", "/")
        uri = f"{self.env.app.builder.get_relative_uri(self.env.docname, page)}#{function.__qualname__}"
        return nodes.reference("", "code of this figure", internal=True, refuri=uri, classes=["bit-figure-source"])


class BitTable(SphinxDirective):
    """Insert a computed table of the registry; see the module's docstring."""

    required_arguments = 1
    has_content = False
    option_spec = {"class": directives.class_option, "widths": directives.positive_int_list}

    def run(self) -> list[nodes.Node]:
        """Compute the table and return its nodes."""
        id = self.arguments[0]
        entry = figures.tables().get(id)
        if entry is None:
            logger.warning(_known("table", id, figures.tables()), location=self.get_location(), type="bitfig")
            return []
        _depend_on_source(self.env, entry.function)
        try:
            rows = entry.function()
            if len({len(row) for row in rows}) != 1:
                raise ValueError(f"its rows have {sorted({len(row) for row in rows})} cells; give each the same number")
        except Exception as error:
            message = f"the table {id!r} could not be computed: {type(error).__name__}: {error}"
            logger.warning(message, location=self.get_location(), type="bitfig", exc_info=True)
            return []
        return [self._table(entry, rows)]

    def _table(self, entry: figures.Table, rows: list[list[str]]) -> nodes.table:
        header, body = rows[0], rows[1:]
        columns = list(zip(*body, strict=True)) or [()] * len(header)
        numeric = [number > 0 and _all_numbers(column) for number, column in enumerate(columns)]
        table = nodes.table("", classes=["bit-table", *self.options.get("class", [])])
        inline, messages = self.parse_inline(" ".join(entry.caption.split()))
        table += nodes.title("", "", *inline)
        group = nodes.tgroup("", cols=len(header))
        for width in self.options.get("widths", [1] * len(header)):
            group += nodes.colspec("", colwidth=width)
        group += nodes.thead("", self._row(header, numeric))
        group += nodes.tbody("", *(self._row(row, numeric) for row in body))
        table += group
        table += messages
        self.set_source_info(table)
        self.options["name"] = f"tab-{entry.id}"
        self.add_name(table)
        return table

    def _row(self, cells: list[str], numeric: list[bool]) -> nodes.row:
        row = nodes.row()
        for text, is_number in zip(cells, numeric, strict=True):
            inline, messages = self.parse_inline(str(text))
            classes = ["bit-number"] if is_number else []
            row += nodes.entry("", nodes.paragraph("", "", *inline), *messages, classes=classes)
        return row


class BitValue(SphinxRole):
    """Quote a computed number of the registry."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Compute the number and return it as text."""
        function = figures.values().get(self.text)
        if function is None:
            logger.warning(_known("value", self.text, figures.values()), location=self.get_location(), type="bitfig")
            return [], []
        _depend_on_source(self.env, function)
        try:
            return [nodes.inline("", function(), classes=["bit-value"])], []
        except Exception as error:
            message = f"the value {self.text!r} could not be computed: {type(error).__name__}: {error}"
            logger.warning(message, location=self.get_location(), type="bitfig", exc_info=True)
            return [], []


_PLACED = re.compile(r"\{bit-figure\} ([\w-]+)\n(?!:plain:)")


class BitFigureFunctions(SphinxDirective):
    """Show every numbered figure and document all functions that draw one; links to a figure's code lead there."""

    def run(self) -> list[nodes.Node]:
        """Return pictures, places and what autodoc makes of the functions, in the order of the ids."""
        pages = sorted(Path(self.env.srcdir).glob("*.md"))
        places = {id: page.stem for page in pages for id in _PLACED.findall(page.read_text(encoding="utf-8"))}
        lines = []
        for id, entry in sorted(figures.registry().items()):
            function = inspect.unwrap(entry.function)
            lines += [f".. rubric:: {id}", ""]
            if id in places:
                lines += [f".. bit-figure:: {id}", "   :plain: narrow", "   :class: small", ""]
                lines += [f":numref:`fig-{id}` of :doc:`/{places[id]}`", ""]
            lines += [f".. autofunction:: {function.__module__}.{function.__qualname__}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def number_apart(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Number figures and tables so that none is taken for one of a paper, which counts them 1, 2, 3.

    A page's lead figure has the page's own number: "Fig. 6" where the page's other figures are 6.1, 6.2, ... Pages
    without a number have a letter in place of it: "Table A.1". Runs after Sphinx has numbered the figures of all pages.
    """
    env.bitfig_natural_numbers = copy.deepcopy(env.toc_fignumbers)
    for page, id in app.config.bitfig_lead_figures.items():
        numbers = env.toc_fignumbers.get(page, {}).get("figure", {})
        lead = f"fig-{id}"
        if lead not in numbers:
            continue
        chapter = numbers[lead][:-1]
        others = sorted((number, name) for name, number in numbers.items() if name != lead)
        numbers.update({name: (*chapter, count) for count, (_, name) in enumerate(others, start=1)})
        numbers[lead] = chapter
    unnumbered = (page for page in env.toc_fignumbers if not env.toc_secnumbers.get(page, {}).get(""))
    for letter, page in zip(ascii_uppercase, unnumbered, strict=False):
        for numbers in env.toc_fignumbers[page].values():
            numbers.update({name: (letter, count) for count, name in enumerate(numbers, start=1)})
    return []


def restore_natural_numbers(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Undo :func:`number_apart`, so that Sphinx sees no change of numbers where there is none."""
    natural = getattr(env, "bitfig_natural_numbers", {})
    env.toc_fignumbers.update({page: numbers for page, numbers in natural.items() if page in env.toc_fignumbers})
    return []


def setup(app: Sphinx) -> dict:
    """Register directives, role and settings."""
    app.add_config_value("bitfig_cache", "", "env", str)
    app.add_config_value("bitfig_lead_figures", {}, "env", dict)
    app.add_node(picture, html=(visit_picture, nothing))
    app.add_node(choice, html=(visit_choice, depart_choice))
    app.add_node(enlarge, html=(visit_enlarge, None))
    app.add_node(measured, html=(visit_measured, depart_measured))
    app.add_directive("bit-figure", BitFigure)
    app.add_directive("bit-table", BitTable)
    app.add_directive("bit-figure-functions", BitFigureFunctions)
    app.add_role("bit-value", BitValue())
    app.connect("env-get-updated", restore_natural_numbers, priority=100)
    app.connect("env-get-updated", number_apart, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
