// What a search puts first: the page that explains a term of the glossary, then sections whose titles hold the words, the
// glossary, the book's pages, and only then the reference and the lists. Sphinx calls `score` for each result.
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,

  // Kinds of pages, the first that fits; the numbers are small beside those for a title (40) and an explanation (300).
  places: [
    [/^api\/|^_modules\//, -8],
    [/^gallery\//, -4],
    [/^(changelog|status|bibliography|performance|index)$/, -10],
    [/^glossary$/, 4],
    [/./, 8],
  ],

  stems: (words) => splitQuery(words.toLowerCase()).map((word) => new Stemmer().stemWord(word)),

  /** Where the book explains each term: the glossary's links, as the search page carries them. */
  explained: () => {
    Scorer.known ??= JSON.parse(document.querySelector("meta[name='bitdoc-explained']")?.content ?? "{}");
    return Scorer.known;
  },

  /** The section of a page whose title holds all words of the query with the fewest others, and how many others. */
  section: (page, query) => {
    let best = null;
    for (const [title, places] of Object.entries(Search._index.alltitles)) {
      const stems = Scorer.stems(title);
      if (!query.every((stem) => stems.includes(stem))) continue;
      for (const [number, id] of places) {
        if (Search._index.docnames[number] !== page) continue;
        if (!best || stems.length < best.length) best = { id, title, length: stems.length };
      }
    }
    return best;
  },

  score: (result) => {
    const [page, , , , score, , kind] = result;
    const asked = new URLSearchParams(window.location.search).get("q") ?? "";
    const query = Scorer.stems(asked);
    let total = score + Scorer.places.find(([pattern]) => pattern.test(page))[1];
    if (!query.length) return total;
    const term = Object.keys(Scorer.explained()).find((each) => Scorer.stems(each).join(" ") === query.join(" "));
    const place = term && Scorer.explained()[term];
    if (kind === "text" || kind === "title") {
      const section = Scorer.section(page, query);
      if (section) {
        total += 40 - 3 * Math.min(10, section.length - query.length);
        if (kind === "text" && section.id !== null) {
          const above = Search._index.titles[Search._index.docnames.indexOf(page)];
          result[1] = above === section.title ? above : `${above} > ${section.title}`;
          result[2] = `#${section.id}`;
        }
      }
      if (place === page) total += 300;
    }
    // An entry of the glossary that is the term itself, and not one that holds it among other words.
    if (kind === "index") total += score >= 100 ? 100 : -80;
    return total;
  },
};
