import type { Request } from 'express';
import { AirtimeError, type Fault, invalid } from '../../kernel/error.ts';

/** What was typed into a form: one text for each name. */
export class Form {
  readonly #fields: ReadonlyMap<string, string>;

  constructor(fields: Iterable<readonly [string, string]> = []) {
    this.#fields = new Map(fields);
  }

  /** Whether the form had such a field, be it empty. */
  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** The text without blanks around it; empty when there is none. */
  text(name: string): string {
    return (this.#fields.get(name) ?? '').trim();
  }
}

const bytesMax = 32 * 1024;
const fieldsMax = 60;

/** Reads the body of a form. @throws AirtimeError 413, 415, 400 */
export async function readForm(request: Request): Promise<Form> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    throw new AirtimeError(415, 'formExpected', 'This page takes a form as a browser sends it.');
  }
  const pieces: Buffer[] = [];
  let size = 0;
  // What is left unread must not take the answer with it.
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece));
    size += bytes.length;
    if (size > bytesMax) throw new AirtimeError(413, 'formTooLarge', 'That is more than this form can take.');
    pieces.push(bytes);
  }
  const fields = [...new URLSearchParams(Buffer.concat(pieces).toString('utf8'))];
  if (fields.length > fieldsMax) throw new AirtimeError(400, 'formTooLarge', 'That is more than this form has.');
  // PostgreSQL holds no NUL, and nobody types one.
  return new Form(fields.map(([name, value]) => [name, value.replaceAll('\0', '')] as const));
}

/** What was wrong with what was typed, for the page that comes back. */
export interface Problem {
  readonly status: number;
  /** The code of the rule, or the reason of the error: for the audit. */
  readonly reason: string;
  readonly message: string;
  readonly faults: readonly Fault[];
}

/**
 * An error as the page says it that comes back with what was typed.
 * @throws the error itself when coming back is of no use: a defect, a page that is not there, a session that is gone.
 */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof AirtimeError) || ![400, 409, 422, 429, 503].includes(error.status)) throw error;
  return { status: error.status, reason: error.reason, message: error.message, faults: error.faults };
}

export interface Wanted {
  readonly name: string;
  readonly label: string;
  readonly max?: number;
  readonly pattern?: RegExp;
  /** What to do about it: `Type the six figures of the mail.` */
  readonly remedy: string;
}

/** The texts of the fields that a form must have. @throws AirtimeError 400 with a fault for each that is missing or wrong */
export function wanted<Name extends string>(
  form: Form,
  fields: readonly (Wanted & { readonly name: Name })[],
): Record<Name, string> {
  const faults = fields.flatMap(({ name, label, max = 200, pattern, remedy }): Fault[] => {
    const text = form.text(name);
    if (text === '') return [{ field: name, rule: `${label} is missing.`, remedy }];
    if (text.length > max) return [{ field: name, rule: `${label} has more than ${max} characters.`, remedy }];
    if (pattern && !pattern.test(text)) return [{ field: name, rule: `${label} does not look right.`, remedy }];
    return [];
  });
  if (faults.length > 0)
    throw invalid(
      faults.length === 1 ? 'One thing needs another look.' : `${faults.length} things need another look.`,
      faults,
    );
  const texts: Partial<Record<Name, string>> = {};
  for (const { name } of fields) texts[name] = form.text(name);
  // Each name was asked for above.
  return texts as Record<Name, string>;
}

export const emailForm = /^[^\s@]{1,64}@[^\s@]{1,190}\.[^\s@]{2,63}$/;
