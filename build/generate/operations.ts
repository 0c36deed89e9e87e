/**
 * Writes the table of APIs, resources and operations that the server routes by and the proofs count by.
 */
import type { ExpandedContract } from './openapi.ts';

const SHAPES = `// Made by \`make generate\` from specs/. Do not edit.

export type Api = (typeof apis)[number]['api'];

export type OperationKind =
  | 'list'
  | 'create'
  | 'retrieve'
  | 'patch'
  | 'delete'
  | 'registerListener'
  | 'unregisterListener'
  | 'listener';

export interface ApiRow {
  readonly api: string;
  readonly title: string;
  readonly version: string;
  /** The official path first; the others answer alike. */
  readonly basePaths: readonly string[];
}

/** One operation. Its key is \`api\` with \`operationId\`: operation ids recur across APIs. */
export interface Operation {
  readonly api: string;
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** Below the base path, with \`{id}\` for an identifier. */
  readonly path: string;
  readonly resource: string | null;
  readonly schema: string | null;
  /** False where the subscriber offers the operation and this server calls it, or where nobody does: see its description. */
  readonly served: boolean;
  readonly successStatuses: readonly number[];
}

export interface ResourceEvent {
  readonly kind: string;
  readonly name: string;
  /** Where the official document has subscribers listen, below their callback. */
  readonly path: string;
}

export interface Resource {
  readonly api: string;
  readonly resource: string;
  readonly schema: string;
  readonly basePath: string;
  readonly events: readonly ResourceEvent[];
  readonly stateProperty: 'lifecycleStatus' | 'state' | 'status' | null;
  /** The values that the contract allows, or null where it leaves them open. */
  readonly stateValues: readonly string[] | null;
  /** Attributes that a create may not set, as the contract has it. */
  readonly createExcluded: readonly string[];
  /** Attributes that a patch may not change. */
  readonly updateExcluded: readonly string[];
  readonly createRequired: readonly string[];
}
`;

/** The source of \`generated/operations.ts\`. */
export function operationTable(contracts: ExpandedContract[]): string {
  const apis = contracts.map(({ contract }) => ({
    api: contract.api,
    title: contract.title,
    version: contract.version,
    basePaths: contract.basePaths,
  }));
  const operations = contracts.flatMap(({ contract, operations: expanded }) =>
    expanded.map(({ kind, method, path, resource, schema, operation, served }) => ({
      api: contract.api,
      operationId: operation.operationId,
      kind,
      method,
      path,
      resource,
      schema,
      served,
      successStatuses: Object.keys(operation.responses)
        .map(Number)
        .filter((status) => status >= 200 && status < 300),
    })),
  );
  // What is not served at all has no place to live, and is no resource of this server.
  const resources = contracts.flatMap(({ contract, resources: expanded, operations: all }) =>
    expanded
      .filter(({ resource }) => all.some((one) => one.resource === resource && one.served))
      .map((resource) => ({ api: contract.api, basePath: contract.basePaths[0], ...resource })),
  );
  const rows = (values: readonly object[]): string => values.map((value) => `  ${JSON.stringify(value)},\n`).join('');
  return (
    `${SHAPES}\nexport const apis = [\n${rows(apis)}] as const satisfies readonly ApiRow[];\n` +
    `\nexport const operations = [\n${rows(operations)}] as const satisfies readonly Operation[];\n` +
    `\nexport const resources = [\n${rows(resources)}] as const satisfies readonly Resource[];\n`
  );
}
