import MiniSearch from 'minisearch';
import handbook from '../../generated/handbook.json' with { type: 'json' };

export interface Section {
  /** Its place in the chapter, as a link names it. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface Chapter {
  /** `selling` */
  readonly name: string;
  readonly title: string;
  readonly sections: readonly Section[];
}

/** The operators' handbook, as the build found it in docs/handbook/. */
export const chapters: readonly Chapter[] = handbook.chapters;

export interface Found {
  /** What to quote: `selling#a-card-comes-first`. */
  readonly cite: string;
  readonly chapter: string;
  readonly section: string;
  readonly text: string;
}

interface Entry extends Found {
  readonly id: string;
}

let index: MiniSearch<Entry> | undefined;

/** Made with the first question: the handbook is small, and most processes are never asked. */
function indexed(): MiniSearch<Entry> {
  if (index) return index;
  index = new MiniSearch<Entry>({
    fields: ['section', 'chapter', 'text'],
    storeFields: ['cite', 'chapter', 'section', 'text'],
    searchOptions: {
      boost: { section: 4, chapter: 2 },
      prefix: (term) => term.length > 2,
      fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    },
  });
  index.addAll(
    chapters.flatMap((chapter) =>
      chapter.sections.map((section) => {
        const cite = `${chapter.name}#${section.id}`;
        return { id: cite, cite, chapter: chapter.title, section: section.title, text: section.text };
      }),
    ),
  );
  return index;
}

// They stand in nearly every section, and in most questions.
const common: ReadonlySet<string> = new Set(
  'a an and are can do does for how i in is it my of on or the to was what when who why with'.split(' '),
);

/** The sections that say most about the words, best first. Words of a question that say nothing are left out. */
export function searchHandbook(words: string, limit: number): Found[] {
  const asked = words
    .toLowerCase()
    .split(/[^\p{L}\p{N}_]+/u)
    .filter((word) => word !== '');
  const telling = asked.filter((word) => !common.has(word));
  const found = indexed().search((telling.length > 0 ? telling : asked).join(' '));
  return found.slice(0, limit).map(({ cite, chapter, section, text }) => ({
    cite: String(cite),
    chapter: String(chapter),
    section: String(section),
    text: String(text),
  }));
}
