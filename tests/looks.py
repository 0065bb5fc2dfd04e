"""Scripts that look at a page for what must not be there; each returns what it has found."""

from __future__ import annotations

TOO_WIDE = """() => {
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    return [`${document.documentElement.scrollWidth} px`, ...[...document.querySelectorAll('body *')]
        .filter(e => e.checkVisibility() && e.getBoundingClientRect().right > room + 1)
        .slice(0, 5).map(e => e.outerHTML.slice(0, 120))];
}"""
# A note is as wide as the paragraphs beside it, or stands in the margin.
NARROW_NOTES = """() => [...document.querySelectorAll('article aside.margin')].filter(a => a.checkVisibility())
    .filter(a => a.getBoundingClientRect().width < Math.min(180, innerWidth * 0.7)).map(a => a.textContent.trim())"""
# A piece of code without a place to break stands on one line, if that line has room for it.
BROKEN_WORDS = """() => [...document.querySelectorAll('article .pre')]
    .filter(e => e.checkVisibility() && !e.querySelector('wbr') && e.getClientRects().length > 1)
    .map(e => e.textContent)"""
CUT_COMMANDS = """() => [...document.querySelectorAll('.highlight-bash pre, .highlight-powershell pre')]
    .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
FLAT_FORMULAS = """() => [...document.querySelectorAll('math')]
    .filter(m => m.checkVisibility() && (m.getBoundingClientRect().width < 2 || m.getBoundingClientRect().height < 4))
    .map(m => m.textContent)"""
BROKEN_PICTURES = """() => [...document.querySelectorAll('img')]
    .filter(i => i.checkVisibility() && i.complete && i.naturalWidth === 0).map(i => i.src)"""
# Dark figures are drawn for the dark; a filter would change their colors.
FILTERED_PICTURES = """() => [...document.querySelectorAll('article img')]
    .filter(i => i.checkVisibility() && getComputedStyle(i).filter !== 'none').map(i => i.src)"""
# An icon is a drawing in the color of the text. What still asks for the theme's icon fonts has none.
BARE_ICONS = """() => {
    const found = [], named = '.fa-solid, .fa-regular, .fa-brands, .fas, .far, .fab';
    for (const e of document.querySelectorAll(named)) {
        const s = getComputedStyle(e, '::before');
        const drawn = s.maskImage.startsWith('url("data:image/svg') && s.backgroundColor !== 'rgba(0, 0, 0, 0)';
        if (!drawn) found.push(e.className);
    }
    for (const e of document.querySelectorAll('body *')) for (const side of ['::before', '::after']) {
        const s = getComputedStyle(e, side);
        const empty = ['none', 'normal', '""'].includes(s.content);
        if (!empty && s.fontFamily.includes('Awesome')) found.push(e.outerHTML.slice(0, 80));
    }
    return found;
}"""
