import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Runs a bench that stands by itself too, and gives what it measured. Its own judgement is left to whoever runs it. */
export async function runScript(
  name: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'airtime-bench-'));
  const file = join(folder, 'measured.json');
  try {
    await promisify(execFile)(
      process.execPath,
      ['--import', import.meta.resolve('tsx'), fileURLToPath(new URL(name, import.meta.url)), ...args, '--json', file],
      { env: { ...process.env, AIRTIME_BENCH_LENIENT: '1', ...environment }, maxBuffer: 1 << 24 },
    );
    return JSON.parse(readFileSync(file, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
