import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

const entries = z.array(z.object({ row: z.string(), reason: z.string().min(10) })).nullable();

/** The known failures by row. */
export function readLedger(): ReadonlyMap<string, string> {
  const file = fileURLToPath(new URL('./ledger.yaml', import.meta.url));
  return new Map(
    (entries.parse(parse(readFileSync(file, 'utf8'))) ?? []).map(({ row, reason }) => [row, reason] as const),
  );
}
