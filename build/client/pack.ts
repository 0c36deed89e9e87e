import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import ts from 'typescript';
import { z } from 'zod';

/**
 * Leaves the client in `dist/client/` as a package of JavaScript and declarations, for `npm install <folder>` or
 * `npm pack` elsewhere. It needs nothing of this repository then.
 */
export async function packClient(root: string): Promise<void> {
  const target = join(root, 'dist/client');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const entry = join(root, 'client/client.ts');
  await build({
    absWorkingDir: root,
    entryPoints: { index: entry },
    outdir: target,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    packages: 'external',
    logLevel: 'warning',
  });
  declare(root, entry, target);
  cpSync(join(root, 'client/README.md'), join(target, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(target, 'LICENSE'));
  const own = manifestOf(root);
  const manifest = {
    name: 'airtime-client',
    version: own.version,
    description: 'A typed client of the TM Forum Open APIs that Airtime serves',
    license: own.license,
    type: 'module',
    exports: { types: './types/client/client.d.ts', default: './index.js' },
    dependencies: { 'openapi-fetch': manifestOf(join(root, 'node_modules/openapi-fetch')).version },
  };
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  process.stdout.write('dist/client: packed\n');
}

const manifestOf = (folder: string) =>
  z
    .object({ version: z.string(), license: z.string() })
    .parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));

function declare(root: string, entry: string, target: string): void {
  const program = ts.createProgram([entry], {
    declaration: true,
    emitDeclarationOnly: true,
    allowImportingTsExtensions: true,
    strict: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    types: [],
    rootDir: root,
    outDir: join(target, 'types'),
  });
  const { diagnostics } = program.emit();
  const found = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (found.length > 0) {
    throw new Error(
      ts.formatDiagnostics(found, {
        getCurrentDirectory: () => root,
        getCanonicalFileName: (name) => name,
        getNewLine: () => '\n',
      }),
    );
  }
  // A declaration names its neighbours as the sources do; in the package there are no sources.
  const types = join(target, 'types');
  for (const file of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.d.ts')) continue;
    const text = readFileSync(join(types, file), 'utf8');
    writeFileSync(
      join(types, file),
      text.replace(/(from '\.[^']*)\.ts'/g, "$1.js'").replace(/(from "\.[^"]*)\.ts"/g, '$1.js"'),
    );
  }
}
