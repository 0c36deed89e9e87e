import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { transform } from 'esbuild';
import { layOut } from './page.ts';
import { makePages, navigation, searchEntries } from './pages.ts';
import { makeReference } from './reference.ts';

const root = resolve(import.meta.dirname, '../..');
const own = import.meta.dirname;

/** Every file of the reference by its place below `/docs/`. */
export async function makeFiles(): Promise<Map<string, string>> {
  const reference = makeReference(root);
  const { code } = await transform(readFileSync(join(own, 'page-script.mjs'), 'utf8'), {
    minify: true,
    target: 'es2022',
  });
  const script = `(()=>{${code.trim()}})()`;
  const { code: style } = await transform(readFileSync(join(own, 'page.css'), 'utf8'), { minify: true, loader: 'css' });
  const files = new Map<string, string>();
  for (const page of makePages(reference, readFileSync(join(root, 'docs/integrators.md'), 'utf8'))) {
    files.set(page.file, layOut(page, { navigation, script }));
  }
  const found = searchEntries(reference).map(({ text, kind, href }) => [text, kind, href]);
  files.set('search.json', JSON.stringify(found));
  files.set('reference.css', style);
  files.set('content-security-policy.txt', policyFor(script));
  for (const { api } of reference.apis) {
    files.set(`openapi/${api}.json`, readFileSync(join(root, 'generated/openapi', `${api}.json`), 'utf8'));
  }
  return files;
}

/** Only the script that is in the pages runs, and only this server is asked for anything. */
function policyFor(script: string): string {
  const hash = createHash('sha256').update(script).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    "style-src 'self'",
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
