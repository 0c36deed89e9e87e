import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isCardSecret } from '../../../kernel/card-number.ts';
import { configFolder, type Environment } from '../profiles.ts';

/** Lines that were typed before, the latest first. */
export interface History {
  readonly lines: readonly string[];
  add(line: string): void;
}

const linesMax = 1000;

/**
 * The history of the console, in a file that its owner alone can read. A line that holds a secret is remembered nowhere,
 * nor is one that begins with a space. Without a home, or where the file cannot be written, it lasts as long as the console.
 */
export function openHistory(env: Environment): History {
  const folder = configFolder(env);
  const path = folder === undefined ? undefined : join(folder, 'history');
  const lines = path === undefined ? [] : readLines(path);
  return {
    lines,
    add: (line) => {
      if (line.trim() === '' || line.startsWith(' ') || line === lines[0] || holdsSecret(line)) return;
      lines.unshift(line);
      if (path !== undefined) append(path, line);
    },
  };
}

function readLines(path: string): string[] {
  try {
    const all = readFileSync(path, 'utf8').split('\n').filter(Boolean);
    const kept = all.slice(-linesMax);
    if (all.length > linesMax * 2) writeFileSync(path, `${kept.join('\n')}\n`, { mode: 0o600 });
    return kept.reverse();
  } catch {
    return [];
  }
}

function append(path: string, line: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    appendFileSync(path, `${line.replaceAll('\n', ' ')}\n`, { mode: 0o600 });
    chmodSync(path, 0o600);
  } catch {
    // A history that cannot be kept stops nobody from working.
  }
}

const secretLooks: readonly RegExp[] = [
  // Access tokens, keys of a card gateway and of others, confirmations, what activates an eSIM, and whole ICCIDs.
  /\b(air|cnf|sk|rk|pk|whsec|ghp|xox[bp])[_-][\w-]{8,}/i,
  /\bLPA:/i,
  /\bbearer\s+\S{8,}/i,
  /\b89\d{16,18}\b/,
  /(secret|password|token|key)\s*[=:]\s*\S+/i,
  /--token\b/i,
  /:\/\/[^\s/@]+:[^\s/@]+@/,
];

/** Whether a line holds what may not be written down. */
export function holdsSecret(line: string): boolean {
  return secretLooks.some((look) => look.test(line)) || holdsCard(line);
}

/** Whether a line holds a card number: that one is not even sent. */
export function holdsCard(line: string): boolean {
  return isCardSecret('text', line, { aboutPaying: true });
}
