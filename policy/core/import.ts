import { createHash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, type JsonObject } from '../../kernel/json.ts';

/** Rows of one call. A file of any size is sent as many of these, each a transaction of its own. */
export const importRowsMax = 500;
/** A cell of a file, judged row by row: what would fail the whole call is only what no file of ours has. */
export const cell = z.string().max(10_000).optional();

/** What became of a row. A row that is bad stops no other. */
export const rowResult = z.object({
  row: z.number().int().describe('Its place in the call, from 1'),
  outcome: z
    .enum(['accepted', 'repeated', 'refused'])
    .describe('repeated: it was accepted before, and is not done again'),
  id: z.string().optional().describe('What it became'),
  rule: z.string().optional().describe('The code of the rule that refused it, or `invalid`'),
  field: z.string().optional().describe('The column that was wrong'),
  message: z.string().optional().describe('Why it was refused'),
});
export type RowResult = z.infer<typeof rowResult>;
export const importOutput = z.object({ results: z.array(rowResult) });

/** The first thing that is wrong with a row, as its result. */
export function invalidRow(row: number, error: z.ZodError): RowResult {
  const [issue] = error.issues;
  return {
    row,
    outcome: 'refused',
    rule: 'invalid',
    field: issue?.path.join('.') ?? '',
    message: issue?.message ?? '',
  };
}

export const digestOf = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

/** A row is known by its key; one without a key by all that it says, so that a file without keys can be sent again too. */
export function rowKeys(key: string | undefined, content: JsonObject): { key: Buffer; content: Buffer } {
  const said = digestOf(canonicalJson(content));
  return {
    key: key === undefined || key === '' ? digestOf(`row ${said.toString('hex')}`) : digestOf(`key ${key}`),
    content: said,
  };
}
