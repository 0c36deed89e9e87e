import { isJsonObject, type Json, type JsonObject } from '../../kernel/json.ts';
import { type Connection, connectionOf } from './connection.ts';
import { csvCell, csvCells } from './csv.ts';
import { drawFailure, refusedFailure, unknownServer, unreachableFailure } from './failure.ts';
import { UsageError } from './input.ts';
import { plainText } from './render/plain.ts';
import { type Terminal, wantsColor } from './terminal.ts';

export interface ImportOptions {
  server?: string;
  profile?: string;
  color?: boolean;
  from?: string;
  to?: string;
}

/** What a file may hold, and what is printed. */
export const importFormats = ['ndjson', 'csv'] as const;
type Format = (typeof importFormats)[number];
export const resultFormats = [...importFormats, 'refused', 'none'] as const;
type Results = (typeof resultFormats)[number];

/** Records that are sent at once: a second's work at most, so that a lost answer costs little. */
const chunkRecords = 5000;
const triesMax = 4;
const columns = ['line', 'source', 'recordId', 'id', 'status', 'reason', 'charged', 'excess', 'units', 'repeated'];

interface Record {
  line: number;
  /** As it goes out: one line of NDJSON. */
  text: string;
  /** Has a record id, so that sending it twice counts it once. */
  isNamed: boolean;
}

/**
 * Sends a file of usage to `POST /usage/stream` and prints a row for each record, in order; how far it is goes to the
 * error output. A chunk whose answer is lost is sent again when all of its records have ids.
 * @returns 0 when every record was rated or was here before, 1 when any was refused, or the server could not be reached
 */
export async function importUsage(path: string, given: ImportOptions, terminal: Terminal): Promise<0 | 1> {
  const from = oneOf('--from', given.from ?? (path.endsWith('.csv') ? 'csv' : 'ndjson'), importFormats);
  const to = oneOf('--to', given.to ?? from, resultFormats);
  const connection = connectionOf(given, terminal.env, terminal.folder);
  const style = { width: terminal.columns(), color: wantsColor(terminal, given.color !== false) };
  if (!connection) {
    terminal.error(drawFailure(unknownServer, style));
    return 1;
  }
  const tally = { records: 0, rated: 0, repeated: 0, unnamed: 0, reasons: new Map<string, number>() };
  const began = Date.now();
  if (to === 'csv') terminal.out(`${columns.join(',')}\n`);
  const progress = (end: string) => {
    const seconds = Math.max(1, Date.now() - began) / 1000;
    const rate = Math.round(tally.records / seconds).toLocaleString('en');
    const over = terminal.isErrorTty ? '\r\u001b[K' : '';
    terminal.error(`${over}${tally.records.toLocaleString('en')} records, ${rate} a second${end}`);
  };
  for await (const chunk of chunksOf(readRecords(terminal.readLines(path), from))) {
    const answer = await sendChunk(connection, chunk, terminal);
    if (answer.failure !== undefined) {
      terminal.error('\n');
      terminal.error(answer.failure(style));
      terminal.error(`Everything before line ${chunk[0]?.line} has its result above; nothing after it was sent.\n`);
      return 1;
    }
    for (const result of answer.results) {
      tally.records += 1;
      if (result.status === 'rated') tally.rated += 1;
      if (result.repeated === true) tally.repeated += 1;
      if (typeof result.reason === 'string') {
        tally.reasons.set(result.reason, (tally.reasons.get(result.reason) ?? 0) + 1);
      }
      const text = rowOf(result, to);
      if (text !== undefined) terminal.out(`${text}\n`);
    }
    tally.unnamed += chunk.filter((record) => !record.isNamed).length;
    progress(terminal.isErrorTty ? '' : '\n');
  }
  progress('\n');
  const refused = [...tally.reasons].sort(([, a], [, b]) => b - a);
  terminal.error(`${tally.rated.toLocaleString('en')} rated, ${tally.repeated.toLocaleString('en')} seen before\n`);
  for (const [reason, count] of refused) {
    terminal.error(`${count.toLocaleString('en')} refused: ${plainText(reason)}\n`);
  }
  if (tally.unnamed > 0) {
    terminal.error(
      `${tally.unnamed.toLocaleString('en')} records have no recordId: imported again they would count again.\n`,
    );
  }
  return refused.length > 0 ? 1 : 0;
}

function oneOf<T extends string>(flag: string, value: string, choices: readonly T[]): T {
  const found = choices.find((one) => one === value);
  if (found === undefined) throw new UsageError(`${flag}: "${value}" is none of ${choices.join(', ')}.`);
  return found;
}

async function* readRecords(lines: AsyncIterable<string>, from: Format): AsyncGenerator<Record> {
  const toJson = from === 'csv' ? await csvReader() : (text: string) => text;
  let line = 0;
  for await (const raw of lines) {
    line += 1;
    const text = line === 1 ? raw.replace(/^\ufeff/, '') : raw;
    const json = text.trim() === '' ? undefined : toJson(text);
    if (json !== undefined) yield { line, text: json, isNamed: /"record_?id"/i.test(json) };
  }
}

/** A broken line goes out as it is, and is refused by itself. */
async function csvReader(): Promise<(text: string) => string | undefined> {
  const cells = await csvCells();
  let names: string[] | undefined;
  return (text) => {
    const found = cells(text);
    if (!names) {
      if (!found?.includes('msisdn')) {
        throw new UsageError(
          'the first line of a CSV file names its columns: msisdn, kind, amount, and more if known.',
        );
      }
      names = found;
      return undefined;
    }
    if (!found || found.length !== names.length) return text.replaceAll('\r', '');
    const record: JsonObject = {};
    for (const [place, name] of names.entries()) {
      const value = found[place] ?? '';
      if (value !== '') record[name] = value;
    }
    return JSON.stringify(record);
  };
}

async function* chunksOf(records: AsyncIterable<Record>): AsyncGenerator<Record[]> {
  let chunk: Record[] = [];
  for await (const record of records) {
    chunk.push(record);
    if (chunk.length < chunkRecords) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

type Style = Parameters<typeof drawFailure>[1];
interface Sent {
  results: JsonObject[];
  failure?: (style: Style) => string;
}

async function sendChunk(connection: Connection, chunk: readonly Record[], terminal: Terminal): Promise<Sent> {
  const mayRepeat = chunk.every((record) => record.isNamed);
  for (let tried = 1; ; tried += 1) {
    const isLast = tried >= triesMax || !mayRepeat;
    let message = 'the answer broke off';
    try {
      const response = await terminal.fetch(`${connection.url}/usage/stream`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-ndjson',
          'user-agent': 'bss',
          ...(connection.token === undefined ? {} : { authorization: `Bearer ${connection.token}` }),
        },
        body: chunk.map((record) => `${record.text}\n`).join(''),
        redirect: 'error',
      });
      const text = await response.text();
      if (response.status === 200) {
        const results = resultsOf(text, chunk);
        if (results) return { results };
      } else if (response.status !== 503 || isLast) {
        const error = parsed(text);
        const body = isJsonObject(error) ? error : { message: `The server answered ${response.status}.` };
        return {
          results: [],
          failure: (style) => drawFailure(refusedFailure(importVerb, [], response.status, body), style),
        };
      }
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
    if (isLast) {
      return { results: [], failure: (style) => drawFailure(unreachableFailure(connection, message, false), style) };
    }
    await terminal.pause(500 * tried);
  }
}

/** For the pictures of a refusal, which name what was asked. */
const importVerb = {
  name: 'usage.import',
  noun: 'usage',
  verb: 'import',
  summary: 'Charge a file of usage records',
  audience: ['operator', 'integrator'],
  effect: 'write' as const,
  input: {},
  rules: [],
  positional: ['file'],
  examples: [],
  view: undefined,
};

/** A result for each record under the line it has in the file; undefined when the stream ended before the last. */
function resultsOf(text: string, chunk: readonly Record[]): JsonObject[] | undefined {
  const results: JsonObject[] = [];
  for (const line of text.split('\n')) {
    const result = line === '' ? undefined : parsed(line);
    if (!isJsonObject(result) || typeof result.line !== 'number') continue;
    const record = chunk[result.line - 1];
    if (record) results.push({ ...result, line: record.line });
  }
  return results.length === chunk.length ? results : undefined;
}

function parsed(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function rowOf(result: JsonObject, to: Results): string | undefined {
  if (to === 'none' || (to === 'refused' && result.reason === undefined)) return undefined;
  if (to !== 'csv') return JSON.stringify(result);
  const amounts = [result.charged, result.excess].map((one) => (isJsonObject(one) ? one : {}));
  const flat: JsonObject = {
    ...result,
    charged: amounts[0]?.amount ?? '',
    excess: amounts[1]?.amount ?? '',
    units: amounts[0]?.units ?? '',
  };
  return columns.map((name) => csvCell(flat[name])).join(',');
}
