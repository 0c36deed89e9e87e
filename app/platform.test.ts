import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signingSecretOf } from './notifications.ts';
import { keepToken, listenedUrl } from './platform.ts';

let home = '';
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'airtime-platform-'));
});
afterEach(() => rmSync(home, { recursive: true }));

// Two containers over one home have processes of the same number, and two starts write at once: a draft under a name that
// another would take is stood for by a folder of that name.
describe('a file of the installation', () => {
  it('is written beside whatever another process writes: the secret', () => {
    const file = join(home, 'signing-secret');
    mkdirSync(`${file}.${process.pid}`);
    const secret = signingSecretOf(undefined, file);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(signingSecretOf(undefined, file)).toBe(secret);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(home).sort()).toEqual(['signing-secret', `signing-secret.${process.pid}`]);
  });

  it('is written beside whatever another process writes: the token', () => {
    const file = join(home, 'cli.json');
    mkdirSync(`${file}.new`);
    keepToken(file, 'http://127.0.0.1:8080', 'air_one');
    keepToken(file, 'http://127.0.0.1:8080', 'air_two');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ url: 'http://127.0.0.1:8080', token: 'air_two' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(home).sort()).toEqual(['cli.json', 'cli.json.new']);
  });
});

describe('a link to the pages', () => {
  it.each([
    ['http://127.0.0.1:0', 'http://127.0.0.1:41234'],
    ['http://[::1]:0', 'http://[::1]:41234'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['https://bss.example.com', 'https://bss.example.com'],
  ])('from %s names %s', (publicUrl, named) => {
    expect(listenedUrl(publicUrl, 41_234)).toBe(named);
  });
});
