import type { ValidationError } from '../../generated/validators/validator.ts';
import type { Fault } from '../../kernel/error.ts';
import { invalid } from '../../kernel/error.ts';

const faultsMax = 20;

/** `/productOrderItem/0/action` as people write it: `productOrderItem[0].action`. */
export function fieldOf(instancePath: string): string {
  return instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((field, part) => (/^\d+$/.test(part) ? `${field}[${part}]` : field === '' ? part : `${field}.${part}`), '');
}

function join(field: string, name: unknown): string {
  return field === '' ? String(name) : `${field}.${name}`;
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  null: 'null',
};

const formats: Readonly<Record<string, [rule: string, remedy: string]>> = {
  'date-time': ['must be a date and time', 'Write it as RFC 3339, like 2026-01-31T09:30:00Z.'],
  date: ['must be a date', 'Write it like 2026-01-31.'],
  uri: ['must be an absolute address', 'Write it like https://example.com/path.'],
  'uri-reference': [
    'must be an address',
    'Write it like https://example.com/path, with other letters percent-encoded.',
  ],
  base64: ['must be base64', 'Encode it as RFC 4648, with padding.'],
  byte: ['must be base64', 'Encode it as RFC 4648, with padding.'],
  float: ['must be a number', 'Write a number without quotes.'],
};

function kindOf(type: unknown): string {
  const names = Array.isArray(type) ? type : String(type).split(',');
  return names.map((name) => kinds[String(name)] ?? String(name)).join(' or ');
}

/** One reason of Ajv's as field, rule and remedy. Nothing of what the caller sent is repeated. */
function faultOf({ instancePath, keyword, params, message }: ValidationError, where: string): Fault {
  const field = fieldOf(instancePath);
  const here = field || where;
  switch (keyword) {
    case 'required':
      return {
        field: join(field, params.missingProperty),
        rule: 'is missing',
        remedy: 'Add it: the contract requires it.',
      };
    case 'type':
      return { field: here, rule: `must be ${kindOf(params.type)}`, remedy: `Send ${kindOf(params.type)}.` };
    case 'enum': {
      const allowed = Array.isArray(params.allowedValues) ? params.allowedValues : [];
      return {
        field: here,
        rule: 'is not one of the allowed values',
        remedy: `Use one of: ${allowed.map(String).join(', ')}.`,
      };
    }
    case 'const':
      return {
        field: here,
        rule: 'has another value than the contract fixes',
        remedy: `Use ${String(params.allowedValue)}.`,
      };
    case 'format': {
      const [rule, remedy] = formats[String(params.format)] ?? [
        `must be a ${String(params.format)}`,
        'Correct its form.',
      ];
      return { field: here, rule, remedy };
    }
    case 'minimum':
    case 'exclusiveMinimum':
    case 'maximum':
    case 'exclusiveMaximum':
      return {
        field: here,
        rule: `must be ${params.comparison} ${params.limit}`,
        remedy: 'Send a number in that range.',
      };
    case 'minItems':
      return { field: here, rule: `needs at least ${params.limit} items`, remedy: 'Add what is missing.' };
    case 'maxItems':
      return { field: here, rule: `takes at most ${params.limit} items`, remedy: 'Send fewer.' };
    case 'minLength':
      return { field: here, rule: `needs at least ${params.limit} characters`, remedy: 'Send a longer text.' };
    case 'maxLength':
      return { field: here, rule: `takes at most ${params.limit} characters`, remedy: 'Send a shorter text.' };
    case 'additionalProperties':
      return {
        field: join(field, params.additionalProperty),
        rule: 'is not an attribute of this place',
        remedy: 'Leave it out.',
      };
    default:
      return { field: here, rule: message ?? keyword, remedy: 'See the schema in the contract.' };
  }
}

/**
 * What the contract's validator found, as an error 400 with one fault for each place.
 * @param where what to call the whole when the fault is with it: `the body`, `the query`.
 */
export function contractError(errors: readonly ValidationError[] | null | undefined, where: string) {
  const all = (errors ?? []).map((error) => faultOf(error, where));
  const faults = all
    .filter((fault, index) => all.findIndex((one) => one.field === fault.field && one.rule === fault.rule) === index)
    .slice(0, faultsMax);
  const sentence = faults.map((fault) => `${fault.field} ${fault.rule}`).join('; ');
  return invalid(`The request does not keep the contract: ${sentence}.`, faults);
}
