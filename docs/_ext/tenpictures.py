"""Sphinx extension: the files of the few-shot learner in the page.

A page that includes ``_parts/ten-pictures.md`` has a container of that class, in whose place ``ten-pictures.js`` puts
the learner. Its pictures and features and the network's weights are made from what the package ships, and kept with the
figures under the same digest, so that they follow it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from bitdoc.studies.fewshot import page_files, ten_pictures

SCRIPTS = ("ten-pictures-net.js", "ten-pictures-head.js", "ten-pictures-own.js", "ten-pictures-chart.js")
MADE = {
    "ten-pictures-data.js": lambda: page_files.data_script(ten_pictures.read()),
    "ten-pictures-features.js": lambda: page_files.features_script(ten_pictures.read()),
    "ten-pictures-weights.js": page_files.network_script,
}


def add_scripts(app: Sphinx, page: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Have a page with the learner load its scripts; they ask for pictures, features and weights when needed."""
    if doctree is None or not any("ten-pictures" in node["classes"] for node in doctree.findall(nodes.container)):
        return
    app.add_css_file("ten-pictures.css")
    for place, script in enumerate((*SCRIPTS, "ten-pictures.js")):
        app.add_js_file(script, loading_method="defer", priority=600 + place)


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Put pictures, features and weights among the site's static files."""
    if error is not None or app.builder.format != "html":
        return
    for name, make in MADE.items():
        kept = Path(app.config.bitfig_cache) / name
        if not kept.exists():
            kept.write_text(make(), encoding="utf-8")
        shutil.copyfile(kept, Path(app.outdir) / "_static" / name)


def setup(app: Sphinx) -> dict:
    """Register the hooks."""
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
