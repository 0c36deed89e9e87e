/** A line as the words that a shell would make of it; undefined when a quotation is not closed. */
export function splitWords(line: string): string[] | undefined {
  const { words, isOpen } = read(line);
  return isOpen ? undefined : words;
}

/** The words that stand before the cursor; the last is the one being typed, and may be empty. */
export function wordsUpTo(line: string): string[] {
  const { words } = read(line);
  return line === '' || /(^|[^\\])\s$/.test(line) ? [...words, ''] : words;
}

function read(line: string): { words: string[]; isOpen: boolean } {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at += 1) {
    const letter = line[at] ?? '';
    if (letter === '\\' && quote !== "'" && at + 1 < line.length) {
      at += 1;
      word = (word ?? '') + (line[at] ?? '');
    } else if (quote !== undefined) {
      if (letter === quote) quote = undefined;
      else word = (word ?? '') + letter;
    } else if (letter === '"' || (letter === "'" && word === undefined)) {
      // Within a word an apostrophe is one: what a person says in plain words holds many.
      quote = letter;
      word ??= '';
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + letter;
    }
  }
  if (word !== undefined) words.push(word);
  return { words, isOpen: quote !== undefined };
}
