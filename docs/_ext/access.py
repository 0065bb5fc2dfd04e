"""Sphinx extension: what the theme and the gallery leave unsaid for those who read with a screen reader or keyboard.

The entries of the bibliography are a list, a table's empty corner is no header, and ``access.js`` names what the theme
builds from templates: the sidebar, its buttons, and the boxes in which wide tables scroll. Links to edit a page lead
somewhere or are not there. A long name in code may break where its parts meet, and nowhere else.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

# Words of code in the text and in signatures, and headings that are one long name.
_IN_CODE = re.compile(r'(<span class="pre">|<h1>)([^<>\s]{16,})(</span>|<a class="headerlink")')


def mend(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Mend the page's HTML."""
    if doctree is None or app.builder.format != "html":
        return
    body = context["body"]
    body = body.replace('role="doc-biblioentry"', 'role="listitem"')
    body = re.sub(r'<th( class="[^"]*")?>\s*(<p></p>)?\s*</th>', r"<td\1></td>", body)
    context["body"] = _IN_CODE.sub(lambda match: match[1] + breakable(match[2]) + match[3], body)
    for neighbor in filter(None, (context.get("prev"), context.get("next"))):
        neighbor["title"] = breakable_text(neighbor["title"])


def breakable_text(html: str) -> str:
    """Mark where the long names in HTML may break; what stands inside a tag is left alone."""
    return re.sub(r"(<[^>]*>)|([^<>\s]{16,})", lambda match: match[1] or breakable(match[2]), html)


def breakable(name: str) -> str:
    """Mark where a name longer than 15 signs may break: after a dot, slash, underscore, equals sign or bracket.

    An entity of HTML counts as one sign; one that is cut would be another.
    """
    signs = re.findall(r"&[#\w]+;|.", name)
    if len(signs) < 16:
        return name
    return "".join(sign + "<wbr>" if sign in "._/=,([" else sign for sign in signs[:-1]) + signs[-1]


def mend_edit_link(
    app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None
) -> None:
    """Let the button to edit a page lead to the source of an example, and none stand on a page without a source."""
    generated = pagename.startswith(("gallery/", "api/generated/"))
    for group in context.get("header_buttons", []):
        for button in [b for b in group.get("buttons", []) if b["label"] == "source-edit-button" and generated]:
            script = f"examples/{pagename.removeprefix('gallery/')}.py"
            if (Path(app.srcdir).parent / script).is_file():
                button["url"] = button["url"].replace(f"docs/{pagename}.rst", script)
            else:
                group["buttons"].remove(button)


def setup(app: Sphinx) -> dict:
    """Register the hooks; the theme adds its buttons at 501."""
    app.connect("html-page-context", mend)
    app.connect("html-page-context", mend_edit_link, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
