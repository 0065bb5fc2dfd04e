"""Sphinx extension: the directive ``report`` offers the printed report, or says how to make it.

``nox -s pdf`` prints the built site to ``_build/pdf/bitdoc.pdf`` and builds once more, so that the site offers it.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective


def _report(app: Sphinx) -> Path:
    return Path(app.srcdir) / "_build" / "pdf" / "bitdoc.pdf"


def _stamp(app: Sphinx) -> int:
    path = _report(app)
    return path.stat().st_mtime_ns if path.is_file() else 0


class Report(SphinxDirective):
    """A paragraph with a link to the report, if there is one."""

    def run(self) -> list[nodes.Node]:
        """Return the paragraph, and remember what it was made from."""
        if not hasattr(self.env, "bitdoc_report"):
            self.env.bitdoc_report = {}
        self.env.bitdoc_report[self.env.docname] = stamp = _stamp(self.env.app)
        if not stamp:
            text = "The five sections as one printable report, with their lengths on its title page: run {nox -s pdf}."
            before, command, after = text.replace("}", "{").split("{")
            return [nodes.paragraph("", "", nodes.Text(before), nodes.literal("", command), nodes.Text(after))]
        path = _report(self.env.app)
        label = f"The five sections as a printable report (PDF, {path.stat().st_size / 1e6:.0f} MB)"
        link = addnodes.download_reference("", label, reftarget="/_build/pdf/bitdoc.pdf", refdoc=self.env.docname)
        return [nodes.paragraph("", "", link)]


def find_outdated(app: Sphinx, env: BuildEnvironment, added: set, changed: set, removed: set) -> list[str]:
    """Name the pages that offer another report than the one that is there now."""
    return [page for page, stamp in getattr(env, "bitdoc_report", {}).items() if stamp != _stamp(app)]


def setup(app: Sphinx) -> dict:
    """Register the directive."""
    app.add_directive("report", Report)
    app.connect("env-get-outdated", find_outdated)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
