/** Turns `ProductOfferingPrice` into `product offering price`. Runs of capitals stay together. */
export function spell(name: string): string {
  const apart = name.replace(/([a-z\d])([A-Z])/g, '$1 $2').replace(/([A-Z])([A-Z][a-z])/g, '$1 $2');
  return apart.replace(/[A-Z][a-z]/g, (letters) => letters.toLowerCase());
}

/** The plural of an English noun phrase, as far as the names of TM Forum resources need it. */
export function plural(thing: string): string {
  return thing.endsWith('y') ? `${thing.slice(0, -1)}ies` : `${thing}s`;
}

/** The phrase with its indefinite article: an export job, a usage. */
export function withArticle(thing: string): string {
  return `${/^(?!us)[aeiou]/.test(thing) ? 'an' : 'a'} ${thing}`;
}

/** The name with its first letter small, as it appears on the wire. */
export function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** What a schema is, where its author had nothing to add to its name. */
export function defaultDescription(name: string): string {
  if (name.endsWith('Ref')) return `A reference to ${withArticle(spell(name.slice(0, -3)))}.`;
  const words = spell(name);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
