import pino from 'pino';
import { hasCheckDigit } from '../../kernel/card-number.ts';

/** What is never written, wherever it stands in a line. Bodies are not logged at all. */
const hiddenPaths = [
  'authorization',
  'token',
  'secret',
  'password',
  'cookie',
  'activationCode',
  'body',
  'cardNumber',
  'cvv',
].flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/**
 * Takes secrets out of free text, such as the message of an error: bearer tokens, keys of the card gateway, card numbers, eSIM activation codes,
 * passwords in addresses. Of an ICCID the last four digits stay, so that people can tell two apart.
 */
export function scrub(text: string): string {
  return text
    .replace(/\b(air|cnf)_[\w-]{8,}/g, '$1_[hidden]')
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 [hidden]')
    .replace(/\b(sk|rk|whsec)_[\w*]{4,}/g, '$1_[hidden]')
    .replace(/LPA:1\$[^\s"',)]*/g, 'LPA:1$[hidden]')
    .replace(/(:\/\/[^\s/:@]*):[^\s/@]+@/g, '$1:[hidden]@')
    .replace(/(?<!\d)\d(?:[ -]?\d){12,21}(?!\d)/g, (run) => {
      const digits = run.replace(/\D/g, '');
      if (digits.startsWith('89') && digits.length >= 18) return `[iccid …${digits.slice(-4)}]`;
      return digits.length <= 19 && hasCheckDigit(digits) ? '[card number hidden]' : run;
    });
}

/** What the log keeps of an error: enough to find the cause, with secrets taken out. */
export function errorFields(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: scrub(String(error)) };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { type: error.name, message: scrub(error.message), ...code, stack: scrub(error.stack ?? '') };
}

/** Settings for the program's log: one JSON object a line, times in ISO 8601, secrets never written. */
export function logOptions(level: string): pino.LoggerOptions {
  return {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: hiddenPaths, censor: '[hidden]' },
    serializers: {
      err: errorFields,
      error: errorFields,
      iccid: (iccid: unknown) => `…${String(iccid).slice(-4)}`,
    },
    hooks: {
      logMethod(parameters, method) {
        const cleaned = parameters.map((one: unknown) => (typeof one === 'string' ? scrub(one) : one));
        return Reflect.apply(method, this, cleaned);
      },
    },
  };
}
