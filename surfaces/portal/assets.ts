import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What pages load beside themselves. They are small and kept in memory once somebody has asked for a page. */
const contents = {
  'portal.css': ['tokens.css', 'page.css', 'form.css', 'parts.css', 'desk.css'],
  'chat.js': ['chat.js'],
  'live.js': ['live.js'],
  'once.js': ['once.js'],
  'card.js': ['card.js'],
} as const;
export type AssetName = keyof typeof contents;

export interface Asset {
  /** With a hash of what it holds, so that it may be kept for ever. */
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
}

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

/** Beside the sources, or beside the compiled program. */
function directories(): readonly string[] {
  return ['./style', './script', './portal', '../portal'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
}

function read(file: string): Buffer {
  const place = directories().find((directory) => existsSync(join(directory, file)));
  if (place === undefined) throw new Error(`${file} of the pages is missing: this installation is not whole`);
  return readFileSync(join(place, file));
}

function load(name: AssetName): Asset {
  const body = Buffer.concat(contents[name].map(read));
  const [stem = '', ending = ''] = name.split('.');
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  return { path: `/assets/${stem}-${hash}.${ending}`, type: types[ending] ?? 'application/octet-stream', body };
}

let loaded: ReadonlyMap<AssetName, Asset> | undefined;

function all(): ReadonlyMap<AssetName, Asset> {
  loaded ??= new Map(assetNames.map((name) => [name, load(name)]));
  return loaded;
}

const assetNames: readonly AssetName[] = ['portal.css', 'chat.js', 'live.js', 'once.js', 'card.js'];

export function assetPath(name: AssetName): string {
  return all().get(name)?.path ?? '';
}

export function assetAt(path: string): Asset | undefined {
  return [...all().values()].find((asset) => asset.path === path);
}
