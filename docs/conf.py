"""Sphinx settings. The helpers that are more than a setting live in ``_ext``."""

from __future__ import annotations

import os
import sys
from datetime import date
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent

# The package that is documented is the one beside this file, in this process and in the notebooks' kernels.
sys.path[:0] = [str(ROOT), str(HERE / "_ext")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
# Quiet, reproducible cells: no progress bars, no thread pools that fight over the cores.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# tqdm, when a library imports it in a notebook, asks for widgets that no page needs.
os.environ.setdefault("PYTHONWARNINGS", "ignore:IProgress not found")

import freshness

# Kernels run without the user's own IPython settings, and keep their log to errors.
ipython = HERE / "_build" / "ipython"
os.environ["IPYTHONDIR"] = str(ipython)
(ipython / "profile_default").mkdir(parents=True, exist_ok=True)
(ipython / "profile_default" / "ipython_kernel_config.py").write_text('c.IPKernelApp.log_level = "ERROR"\n')

project = "bitdoc"
author = "The bitdoc authors"
copyright = "The bitdoc authors. Text and figures CC BY 4.0, code MIT"
language = "en"
digest = freshness.digest(ROOT)

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_codeautolink",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "access",
    "apidoc",
    "bitfig",
    "bitgallery",
    "cards",
    "citations",
    "fonts",
    "freshness",
    "icons",
    "mathml",
    "notebooks",
    "plaintext",
    "planner",
    "portable",
    "report",
    "search",
    "share",
    "tenpictures",
    "terms",
    "typography",
]
root_doc = "index"
templates_path = ["_templates"]
# sphinx-gallery writes a notebook beside each page; myst-nb would take it for the page itself.
exclude_patterns = ["_build", "_parts", "gallery/**/*.ipynb", "gallery/*.ipynb", "**/.ipynb_checkpoints"]
# sphinx-gallery links its own code; codeautolink's second visit to those pages is no news. It also warns of a space
# anywhere in an example's path, and a checkout may stand in such a folder; the names of the examples hold none.
suppress_warnings = ["codeautolink.match_name", "sphinx_gallery.space_in_filename"]

# -- Pages ------------------------------------------------------------------------------------------------------------
myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(freshness.cache_folder(HERE / "_build" / "notebooks", digest))
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 600
nb_output_stderr = "remove-warn"
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"

# -- Figures, tables, numbers -----------------------------------------------------------------------------------------
bitfig_cache = str(freshness.cache_folder(HERE / "_build" / "figures", digest))
numfig = True
# "Fig. 3.2" is the second figure of section 3: a figure added to one section renumbers no other. The page on few-shot
# transfer is the sixth of the numbered pages, and its lead figure bears the number of the page: Fig. 6, the number of
# the figure in the paper that it repeats. (Flat numbers would call it 6 only while exactly five stand before it.)
numfig_secnum_depth = 1
bitfig_lead_figures = {"few-shot": "few-shot"}
math_eqref_format = "({number})"
# Formulas are MathML, made in the build: no script, no font server, no npm, and they open from disk (see mathml.py).
html_math_renderer = "mathml"

# -- References -------------------------------------------------------------------------------------------------------
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year_apart"
bibtex_default_style = "author_year"
# "root" is also that of a square, "shots" are those of a film too; linked by hand where they are meant.
terms_by_hand = ["root", "shots"]
terms_not_on = ["glossary", "bibliography", "index", "changelog"]
# Named, because autosummary looks only at the pages that the build before this one knew.
autosummary_generate = ["api/index.rst"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# -- Gallery ----------------------------------------------------------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "run_stale_examples": freshness.gallery_is_stale(HERE / "gallery", digest),
    "abort_on_example_error": False,
    "image_scrapers": ("bitgallery.scrape_figures",),
    "reset_modules": ("matplotlib", "bitgallery.reset_torch"),
    "ignore_repr_types": r"matplotlib|Figure",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("bitdoc",),
    "write_computation_times": False,
    "show_memory": False,
    "download_all_examples": False,
    "plot_gallery": True,
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "show_signature": False,
}
bitgallery_groups = [
    (
        "With your own pictures",
        "The whole way from a folder to a classifier in use, in half a minute and without a card; and what BiT's rule "
        "chooses for a task, before anything is trained.",
        ["own_pictures", "hyperrule"],
    ),
    (
        "See how it works",
        "Pictures and code that explain one idea each; nothing is downloaded, and a minute is enough.",
        ["norm_axes", "bit_block", "widths", "mixup_pictures", "mixup_half_moons", "retinanet"],
    ),
    (
        "Measure again",
        "The book's experiments: drawn from the runs that ship with the package, and made anew with ``--run``.",
        ["few_shot_cifar10", "norm_batch_size", "mixup_memorize", "mixup_middle", "mixup_study"],
    ),
]
freshness_digest = digest

# -- Code blocks ------------------------------------------------------------------------------------------------------
codeautolink_warn_on_missing_inventory = False
copybutton_prompt_text = r">>> |\.\.\. |\$ |PS> "
copybutton_prompt_is_regexp = True
copybutton_selector = "div:not(.output):not(.sphx-glr-script-out) > div.highlight pre"

# -- Site -------------------------------------------------------------------------------------------------------------
# Where the site will stand, and where its source is, only the publishing workflow knows. Cards and sitemap need an
# address in any case: the one of `nox -s live`. Buttons that lead to the source need a source.
html_baseurl = os.environ.get("BITDOC_SITE_URL", "")
share_url = html_baseurl or "http://127.0.0.1:8000/"
repository = os.environ.get("BITDOC_REPOSITORY_URL", "")
html_theme = "sphinx_book_theme"
html_favicon = "_static/favicon.svg"
html_title = "Big Transfer, explained"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_js_files = [(name, {"defer": "defer"}) for name in ("access.js", "figures.js", "cards.js")]
html_search_scorer = str(HERE / "_static" / "search-scorer.js")
html_show_search_summary = False  # search-snippets.js tells more, and from disk, too
html_domain_indices = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_persistent": [],
    "use_download_button": False,
    "use_fullscreen_button": True,
    "repository_url": repository,
    "path_to_docs": "docs",
    "use_repository_button": bool(repository),
    "use_edit_page_button": bool(repository),
    "use_issues_button": bool(repository),
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    # The line on copyright names the authors.
    "footer_content_items": ["copyright", "extra-footer"],
    "extra_footer": (
        f"<p>Last verified on {date.today()}: every cell and figure comes from bitdoc {digest[:8]}, "
        f"PyTorch {installed('torch')} and Matplotlib {installed('matplotlib')}.</p>"
    ),
}
