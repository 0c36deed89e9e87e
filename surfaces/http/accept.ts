const ranges = ['application/json', 'application/*', '*/*'];

/**
 * Whether a caller takes JSON (RFC 9110 12.5.1): the most specific range that covers it decides. Parameters beside the
 * weight are ignored, because clients ask for `application/json;charset=utf-8` and mean JSON.
 */
export function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return true;
  const weights = new Map<string, number>();
  for (const one of accept.split(',')) {
    const [range = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((part) => part.startsWith('q='))?.slice(2) ?? '1';
    const value = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0;
    weights.set(range, Math.max(value, weights.get(range) ?? 0));
  }
  const deciding = ranges.find((range) => weights.has(range));
  return deciding !== undefined && (weights.get(deciding) ?? 0) > 0;
}
