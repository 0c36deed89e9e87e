import { z } from 'zod';
import { command } from '../core/command.ts';
import { appendEvent } from '../core/event.ts';
import { cell, importOutput, importRowsMax, invalidRow, type RowResult } from '../core/import.ts';
import { watchStock } from './stock-alarm.ts';

const row = z.object({ msisdn: cell.describe('Digits with country code: 6581000000') });
const importInput = z.object({ rows: z.array(row).min(1).max(importRowsMax).describe('The rows, in order') });
const number = z.object({ msisdn: z.string().regex(/^\d{6,15}$/, 'it is 6 to 15 digits with country code') });

/** A number is its own key: one that is there already is left as it is. */
export const importNumbers = command<z.infer<typeof importInput>, null, z.infer<typeof importOutput>>({
  name: 'number.import',
  summary: 'Load many numbers, each row judged by itself',
  input: importInput,
  output: importOutput,
  audience: ['operator'],
  effect: 'write',
  examples: ['bss number import numbers.csv'],
  rules: [],
  facts: async () => null,
  async apply(tx, _facts, { rows }) {
    const results = rows.map((given, index): RowResult => {
      const read = number.safeParse(given);
      return read.success
        ? { row: index + 1, outcome: 'accepted', id: read.data.msisdn }
        : invalidRow(index + 1, read.error);
    });
    const wanted = [...new Set(results.flatMap(({ id }) => (id === undefined ? [] : [id])))].sort();
    const loaded = await tx.sql<{ msisdn: string }>`INSERT INTO "phone_number" ("msisdn", "state", "changed_at")
      SELECT m, 'available', ${tx.now}::timestamptz FROM unnest(${wanted}::text[]) m ON CONFLICT DO NOTHING RETURNING "msisdn"`;
    const fresh = new Set(loaded.map(({ msisdn }) => msisdn));
    if (loaded.length > 0) {
      await appendEvent(tx, {
        type: 'NumberBatchLoadEvent',
        resourceType: 'numberBatch',
        resourceId: tx.newId('imp'),
        sequence: 1n,
        change: { count: rows.length, loaded: loaded.length },
      });
      await watchStock(tx, 'number');
    }
    return {
      results: results.map((one) => {
        if (one.id === undefined || fresh.delete(one.id)) return one;
        return { ...one, outcome: 'repeated' as const };
      }),
    };
  },
});
