/**
 * Writes the TypeScript types of one OpenAPI document, with an alias for each schema.
 */
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import type { Document } from './openapi.ts';

/** The source of `generated/types/TMFnnn.ts`. A default does not make a property required: clients may omit it. */
export async function typesOf(document: Document): Promise<string> {
  // The generator resolves references in place; a copy keeps the document whole.
  const copy: OpenAPI3 = JSON.parse(JSON.stringify(document));
  const tree = await openapiTS(copy, { defaultNonNullable: false, silent: true });
  const aliases = Object.keys(document.components.schemas)
    .map((name) => `export type ${name} = components['schemas']['${name}'];\n`)
    .join('');
  return `// Made by \`make generate\` from specs/. Do not edit.\n\n${astToString(tree)}\n${aliases}`;
}
