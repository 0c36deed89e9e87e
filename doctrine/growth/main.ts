import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { directoryVariable, openTestDirectory } from '../../app/database/testing.ts';
import { collectHotStatements, type Hot } from './collect.ts';
import { drawDocument } from './document.ts';

// Writes docs/growth-statements.md. Three times, because what workers do in between is not the same each time.

const { directory, remove } = await openTestDirectory();
process.env[directoryVariable] = directory;
try {
  const found = new Map<string, Hot>();
  for (let time = 0; time < 3; time += 1)
    for (const one of await collectHotStatements()) if (!found.has(one.hash)) found.set(one.hash, one);
  const statements = [...found.values()].sort((a, b) => (a.text < b.text ? -1 : 1));
  writeFileSync(fileURLToPath(new URL('../../docs/growth-statements.md', import.meta.url)), drawDocument(statements));
  process.stdout.write(`${statements.length} hot statements\n`);
} finally {
  await remove();
}
