import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { apis, operations, resources } from '../../generated/operations.ts';
import { commands } from '../../policy/commands.ts';
import { errors } from './errors.ts';
import { makeFiles } from './files.ts';
import { idOf, markdown } from './markdown.ts';
import { html, inline } from './markup.ts';

const root = resolve(import.meta.dirname, '../..');
let files: Map<string, string>;
beforeAll(async () => {
  files = await makeFiles();
});

const pages = () => [...files].filter(([name]) => name.endsWith('.html'));
const page = (name: string): string => files.get(name) ?? '';
const idsOf = (text: string) => [...text.matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => id);

describe('the pages', () => {
  test('are small', () => {
    expect(pages().map(([name]) => name)).toEqual(expect.arrayContaining(apis.map(({ api }) => `${api}.html`)));
    for (const [name, text] of pages()) expect([name, Buffer.byteLength(text) < 200_000]).toEqual([name, true]);
  });

  test('link only to what is there', () => {
    const places = new Map([...files].map(([name, text]) => [name, new Set(idsOf(text))]));
    for (const [name, text] of pages()) {
      for (const [, href = ''] of text.matchAll(/ (?:href|src)="([^"]*)"/g)) {
        if (href.startsWith('data:')) continue;
        const [file, fragment] = href.split('#');
        const ids = places.get(file === '' || file === undefined ? name : file);
        expect([name, href, ids !== undefined && (fragment === undefined || ids.has(fragment))]).toEqual([
          name,
          href,
          true,
        ]);
      }
    }
  });

  test('find only what is there', () => {
    const found: unknown = JSON.parse(files.get('search.json') ?? '');
    if (!Array.isArray(found)) throw new Error('the search is a list');
    expect(found.length).toBeGreaterThan(500);
    for (const [, , href] of found) {
      const [file = '', fragment] = String(href).split('#');
      const ids = idsOf(page(file));
      expect([href, fragment === undefined ? ids.length > 0 : ids.includes(fragment)]).toEqual([href, true]);
    }
  });

  test('name each place once', () => {
    for (const [name, text] of pages()) {
      const ids = idsOf(text);
      expect([name, ids.filter((id, index) => ids.indexOf(id) !== index)]).toEqual([name, []]);
    }
  });

  test('hold one script, the one that the policy allows, and nothing else that runs', () => {
    const policy = files.get('content-security-policy.txt') ?? '';
    for (const [name, text] of pages()) {
      const scripts = [...text.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, script = '']) => script);
      const hashes = scripts.map((script) => createHash('sha256').update(script).digest('base64'));
      expect([name, hashes.length, policy.includes(`'sha256-${hashes[0]}'`)]).toEqual([name, 1, true]);
      expect([name, text.match(/<[^>]+ (?:on\w+|style)=/g)]).toEqual([name, null]);
    }
    expect(policy).not.toMatch(/unsafe|\*|http/);
  });

  test('show every operation with an example, every attribute and every event of an API', () => {
    for (const { api } of apis) {
      const text = page(`${api}.html`);
      const served = operations.filter((one) => one.api === api && one.served);
      for (const { operationId } of served) {
        expect(text).toContain(`<h3 id="${operationId}">`);
        expect(text).toContain(`aria-label="Example of ${operationId}"`);
      }
      for (const { resource, events, createRequired } of resources.filter((one) => one.api === api)) {
        expect(text).toContain(`<h2 id="${resource}">`);
        for (const { name, path } of events)
          expect(text).toContain(`<tr><td><code>${name}</code><td><code>${path}</code>`);
        for (const name of createRequired) {
          expect(text).toMatch(new RegExp(`<tr><td><code>${name}</code><td>.*create <b>\\(required\\)</b>`));
        }
      }
    }
  });

  test('show every rule of every command with its sentence', () => {
    for (const { code, sentence } of commands.flatMap((one) => one.rules)) {
      expect(page('rules.html')).toContain(`<tr id="${code}"><td><code>${code}</code>`);
      expect([sentence, page('rules.html').includes(html`${sentence}`.markup)]).toEqual([sentence, true]);
    }
    expect(page('rules.html')).toContain('id="card.number_never_stored"');
  });

  test('name no machine but the reader’s own', () => {
    for (const [name, text] of pages()) expect([name, text.match(/\/(?:root|work|home)\//g)]).toEqual([name, null]);
  });
});

test('the errors are those of the sources, no more and no less', () => {
  const rooms = ['kernel', 'policy', 'read', 'handlers', 'tools', 'surfaces/http'];
  const made = rooms.flatMap((room) =>
    readdirSync(resolve(root, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !/(\.test|testing)\.ts$/.test(file))
      .flatMap((file) => {
        const text = readFileSync(resolve(root, room, file), 'utf8');
        const thrown = [...text.matchAll(/(?:new (?:HttpProblem|AirtimeError)|super)\(\s*(\d{3}|status),\s*'(\w+)'/g)];
        const conflicts = [...text.matchAll(/\bconflict\(\s*'(\w+)'/g)].map(([, reason]) => `409 ${reason}`);
        const broken = [...text.matchAll(/\b\w+: \[(\d{3}), '(\w+)',|\?\? \[(\d{3}), '(\w+)',/g)];
        return [
          ...[...thrown, ...broken].map(([, status, reason, other, name]) => `${status ?? other} ${reason ?? name}`),
          ...conflicts,
        ];
      }),
  );
  const told = errors.map(({ status, reason }) => `${reason === 'badRequest' ? 'status' : status} ${reason}`);
  expect([...new Set(made)].sort()).toEqual(told.sort());
});

describe('text becomes markup', () => {
  test('that cannot break out', () => {
    expect(html`<p title="${'"><script>'}">${'<b> & "c"'}`.markup).toBe(
      '<p title="&quot;&gt;&lt;script&gt;">&lt;b&gt; &amp; &quot;c&quot;',
    );
    expect(inline('a `<b>` **c** <d>').markup).toBe('a <code>&lt;b&gt;</code> <strong>c</strong> &lt;d&gt;');
  });

  test('by the marks that the guide uses, and refuses others', () => {
    const { title, body, sections } = markdown(
      '# T\n\nOne\ntwo.\n\n## A b: c\n\n- x\n  y\n- z\n\n```sh\na <b>\n\nc\n```\n\n|h|i|\n|---|---|\n|j|k|\n',
    );
    expect([title, sections]).toEqual(['T', [{ id: 'a-b-c', title: 'A b: c' }]]);
    expect(body.markup).toContain('<p>One two.</p>');
    expect(body.markup).toContain('<ul><li>x y<li>z</ul>');
    expect(body.markup).toContain('<pre><code>a &lt;b&gt;\n\nc</code></pre>');
    expect(body.markup).toContain('<th>h<th>i<tbody><tr><td>j<td>k');
    expect(() => markdown('> quoted')).toThrow(/not known/);
    expect(idOf('Be told: notifications')).toBe('be-told-notifications');
  });
});
