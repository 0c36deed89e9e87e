import { type Api, apis, type Operation, operations } from '../../generated/operations.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { type BodyExample, examples, type Variable, variables } from './examples.ts';

/** An example as one copies it: a piece of shell that works by itself where `AIRTIME_URL` and `TOKEN` are set. */
export interface ExampleScript {
  /** What its request needs: empty, or the lines that set its variables. */
  readonly preparation: string;
  /** What is prepared, in words. */
  readonly prepared: readonly string[];
  /** The resources that it creates for that, as `TMF629.customer`. */
  readonly creates: readonly string[];
  readonly request: string;
  /** The statuses that its last request may be answered with. */
  readonly statuses: readonly number[];
  readonly note: string | undefined;
}

interface Request {
  readonly method: Operation['method'];
  readonly api: Api;
  /** Below the base path, with its query. */
  readonly path: string;
  readonly body?: JsonObject;
  readonly needs?: readonly string[];
}

/** What the environment holds already. */
const given = new Set(['AIRTIME_URL', 'TOKEN']);

/** The script of one served operation. Throws where examples.ts has none. */
export function exampleScript(operation: Operation): ExampleScript {
  const { api, resource, kind } = operation;
  if (!isApi(api)) throw new Error(`there is no API ${api}`);
  if (kind === 'registerListener' || kind === 'unregisterListener') return hubScript(api, kind);
  const place = `${api}.${resource}`;
  const data = examples[place];
  if (!data || resource === null) throw new Error(`${place} has no examples`);
  const idName = `${resource.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}_ID`;
  const local: Record<string, Variable> = data.one ? { [idName]: data.one } : {};
  const item = `/${resource}/$${idName}`;
  const usual = operation.successStatuses;
  switch (kind) {
    case 'list':
      return script({ method: 'get', api, path: `/${resource}?${data.list}` }, local, usual, undefined);
    case 'retrieve':
      return script({ method: 'get', api, path: item }, local, usual, undefined);
    case 'create': {
      const { body, needs, status, note } = required(data.create, operation);
      const request = { method: 'post', api, path: `/${resource}`, body, needs: needs ?? [] } as const;
      return script(request, local, status === undefined ? usual : [status], note);
    }
    case 'patch': {
      const { body, status, note } = required(data.patch, operation);
      const request = { method: 'patch', api, path: item, body } as const;
      return script(request, local, status === undefined ? usual : [status], note);
    }
    case 'delete': {
      const { one, status, note } = data.delete ?? {};
      const request = { method: 'delete', api, path: one ? `/${resource}/$ENDED_ID` : item } as const;
      return script(request, one ? { ENDED_ID: one } : local, status === undefined ? usual : [status], note);
    }
    case 'listener':
      throw new Error(`${operation.operationId} is for the subscriber to answer`);
  }
}

function hubScript(api: Api, kind: 'registerListener' | 'unregisterListener'): ExampleScript {
  const register: Request = {
    method: 'post',
    api,
    path: '/hub',
    body: { callback: 'https://crm.example.com/airtime' },
  };
  if (kind === 'registerListener') {
    return script(register, {}, [201], 'Events then go to the callback, at the paths listed under events.');
  }
  return {
    preparation: `# a subscription\nHUB_ID=$(${curl('-s', register, ` | ${firstId}`)})\n`,
    prepared: ['a subscription'],
    creates: [],
    request: curl('-i', { method: 'delete', api, path: '/hub/$HUB_ID' }),
    statuses: [204],
    note: undefined,
  };
}

function required(example: BodyExample | undefined, operation: Operation): BodyExample {
  if (!example) throw new Error(`${operation.api} ${operation.operationId} has no example body`);
  return example;
}

function script(
  request: Request,
  local: Readonly<Record<string, Variable>>,
  statuses: readonly number[],
  note: string | undefined,
): ExampleScript {
  const steps: Step[] = [];
  prepare(request, local, new Set(given), steps);
  return {
    preparation: steps.map(({ about, text }) => `# ${about}\n${text}\n`).join(''),
    prepared: steps.map(({ about }) => about),
    creates: steps.flatMap(({ creates }) => creates ?? []),
    request: curl('-i', request),
    statuses,
    note,
  };
}

interface Step {
  readonly about: string;
  readonly text: string;
  readonly creates: string | undefined;
}

/** Adds the lines that set every variable a request needs, each once and after what it needs itself. */
function prepare(request: Request, local: Readonly<Record<string, Variable>>, known: Set<string>, steps: Step[]): void {
  const named = [request.path, JSON.stringify(request.body ?? {})].join(' ').match(/\$[A-Z_]+/g) ?? [];
  const names = [...named.map((name) => name.slice(1)), ...(request.needs ?? [])];
  for (const name of names) {
    if (known.has(name)) continue;
    known.add(name);
    const variable = local[name] ?? variables[name];
    if (!variable) throw new Error(`no example says how to come by $${name}`);
    const source = requestFor(variable);
    prepare(source, {}, known, steps);
    const ask = `${name}=$(${curl('-s', source, ` | ${pickOf(variable)}`)})`;
    const isAwaited = 'listed' in variable && variable.isAwaited === true;
    steps.push({
      about: variable.about,
      text: isAwaited ? `until [ "$${name}" ]; do sleep 1\n  ${ask}\ndone` : ask,
      creates: 'made' in variable ? `${variable.made.api}.${variable.made.resource}` : undefined,
    });
  }
}

// Every resource begins with its id, and so does a list of them.
const firstId = `cut -s -d'"' -f4`;

function pickOf(variable: Variable): string {
  return 'listed' in variable ? (variable.pick ?? firstId) : firstId;
}

function requestFor(variable: Variable): Request {
  if ('listed' in variable) {
    return { method: 'get', api: variable.listed.api, path: variable.listed.path, needs: variable.needs ?? [] };
  }
  const { api, resource } = variable.made;
  const create = examples[`${api}.${resource}`]?.create;
  if (!create) throw new Error(`${api} ${resource} has no example of a create`);
  return { method: 'post', api, path: `/${resource}`, body: create.body, needs: create.needs ?? [] };
}

function curl(option: '-i' | '-s', request: Request, pipe = ''): string {
  const { method, body } = request;
  const basePath = apis.find((one) => one.api === request.api)?.basePaths[0];
  const verb = method === 'patch' || method === 'delete' ? ` -X ${method.toUpperCase()}` : '';
  const asked = `curl ${option}${verb} "$AIRTIME_URL${basePath}${request.path}" \\\n  -H "Authorization: Bearer $TOKEN"`;
  if (!body) return asked + pipe;
  const type = method === 'patch' ? 'application/merge-patch+json' : 'application/json';
  const text = `${asked} \\\n  -H 'Content-Type: ${type}' -d @- <<BODY${pipe}\n${bodyText(body)}\nBODY`;
  // Within a command substitution the closing parenthesis needs a line of its own.
  return pipe === '' ? text : `${text}\n`;
}

/** JSON over as few lines as it reads well in. Only variables may be expanded in it. */
function bodyText(body: JsonObject): string {
  const text = shortJson(body, '');
  if (/[`\\]|\$(?![A-Z_]+)/.test(text)) throw new Error(`the shell would change this example: ${text}`);
  return text;
}

function shortJson(value: unknown, indent: string): string {
  const flat = flatJson(value);
  if (indent.length + flat.length <= 88 || typeof value !== 'object' || value === null) return flat;
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((one) => deeper + shortJson(one, deeper)).join(',\n')}\n${indent}]`;
  }
  const parts = Object.entries(value).map(([name, one]) => `${deeper}"${name}": ${shortJson(one, deeper)}`);
  return `{\n${parts.join(',\n')}\n${indent}}`;
}

function flatJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(flatJson).join(', ')}]`;
  return `{ ${Object.entries(value)
    .map(([name, one]) => `"${name}": ${flatJson(one)}`)
    .join(', ')} }`;
}

function isApi(name: string): name is Api {
  return apis.some((one) => one.api === name);
}

/** Every served operation with its script. */
export function allExampleScripts(): { operation: Operation; script: ExampleScript }[] {
  return operations.filter((one) => one.served).map((operation) => ({ operation, script: exampleScript(operation) }));
}
