"""Sphinx extension: the bibliography names a work as the text cites it, "Kolesnikov et al., 2020".

In the text a semicolon stands between two works, since a comma stands before the year. Two works of the same authors
and year get a letter, in the text and in the list alike. The list is in the order of these names. And each work is
listed once, however often the page is asked for: sphinxcontrib-bibtex fills the same nodes anew each time.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting import BaseSortingStyle
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinxcontrib.bibtex.directives import BibliographyKey
from sphinxcontrib.bibtex.nodes import bibliography
from sphinxcontrib.bibtex.plugin import register_plugin as register_reference_style
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle


def label(entry: Entry) -> str:
    """Return the authors and the year as the text names them."""
    people = [
        " ".join(map(str, person.rich_prelast_names + person.rich_last_names))
        for person in entry.persons.get("author", [])
    ]
    names = {1: "{0}", 2: "{0} and {1}"}.get(len(people), "{0} et al.").format(*people or [entry.key])
    return f"{names}, {entry.fields.get('year', 'n.d.')}"


class AuthorYearLabels(BaseLabelStyle):
    """Labels for the list of works."""

    def format_labels(self, sorted_entries):
        """Yield the label of each work."""
        return map(label, sorted_entries)


class InOrderOfLabels(BaseSortingStyle):
    """The order in which a reader looks for a name: letters without their accents, small and capital alike."""

    def sorting_key(self, entry):
        """Return what an entry is sorted by."""
        letters = unicodedata.normalize("NFKD", label(entry)).encode("ascii", "ignore").decode().lower()
        return letters.replace(" et al.", "~"), entry.fields.get("title", "")


class Style(PlainStyle):
    """The plain style with labels that are those of the text, in their order."""

    default_label_style = AuthorYearLabels
    default_sorting_style = InOrderOfLabels


@dataclass
class References(AuthorYearReferenceStyle):
    """Author and year, works set apart by semicolons."""

    bracket_parenthetical: BracketStyle = field(default_factory=lambda: BracketStyle(sep="; "))


def tell_apart(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Give works of the same authors and year the letters a, b, ... in the order of their titles."""
    alike = defaultdict(list)
    for entry in env.get_domain("cite").bibdata.data.entries.values():
        if "year" in entry.fields:
            entry.fields["year"] = re.sub(r"(?<=\d)[a-z]$", "", entry.fields["year"])
        alike[label(entry)].append(entry)
    for entries in alike.values():
        for letter, entry in zip("abcdefgh", sorted(entries, key=lambda e: e.fields["title"]), strict=False):
            if len(entries) > 1:
                entry.fields["year"] += letter


class EmptyEntries(SphinxPostTransform):
    """Empty the entries of the list before they are filled."""

    default_priority = 4  # sphinxcontrib-bibtex fills them at 5

    def run(self, **kwargs) -> None:
        """Empty those of this page."""
        known = self.env.get_domain("cite").bibliographies
        for node in self.document.findall(bibliography):
            for entry in known[BibliographyKey(node["docname"], node["ids"][0])].citation_nodes.values():
                entry.clear()


def setup(app: Sphinx) -> dict:
    """Register the style and the hook."""
    register_plugin("pybtex.style.formatting", "author_year", Style)
    register_reference_style("sphinxcontrib.bibtex.style.referencing", "author_year_apart", References)
    app.add_post_transform(EmptyEntries)
    app.connect("env-before-read-docs", tell_apart)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
