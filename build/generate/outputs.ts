/**
 * Makes every output from the contracts, in memory.
 */
import { join } from 'node:path';
import { readContracts } from './contract.ts';
import { expand } from './openapi.ts';
import { operationTable } from './operations.ts';
import { toolSchemas, toolSchemasIndex, toolSchemasTypes } from './schemas.ts';
import { typesOf } from './types.ts';
import { compileParameters, compileValidators, formatsModule, validatorIndex, validatorTypes } from './validators.ts';

/** Every file to write, by its path below the root of the repository. */
export async function makeOutputs(root: string): Promise<Map<string, string>> {
  const { common, contracts } = readContracts(join(root, 'specs'));
  const expanded = contracts.map((contract) => expand(contract, common));
  const parameters = compileParameters(expanded);
  const files = new Map<string, string>();
  for (const one of expanded) {
    const { api } = one.contract;
    const { code, declaration } = compileValidators(one, parameters);
    files.set(`generated/openapi/${api}.json`, `${JSON.stringify(one.document, null, 2)}\n`);
    files.set(`generated/types/${api}.ts`, await typesOf(one.document));
    files.set(`generated/schemas/${api}.js`, toolSchemas(one));
    files.set(`generated/schemas/${api}.d.ts`, toolSchemasTypes);
    files.set(`generated/validators/${api}.js`, code);
    files.set(`generated/validators/${api}.d.ts`, declaration);
  }
  files.set('generated/schemas/index.ts', toolSchemasIndex(contracts.map(({ api }) => api)));
  files.set('generated/validators/parameters.js', parameters.code);
  files.set('generated/validators/parameters.d.ts', parameters.declaration);
  files.set('generated/validators/formats.js', formatsModule);
  files.set('generated/validators/validator.ts', validatorTypes);
  files.set('generated/validators/index.ts', validatorIndex(contracts.map(({ api }) => api)));
  files.set('generated/operations.ts', operationTable(expanded));
  return files;
}
