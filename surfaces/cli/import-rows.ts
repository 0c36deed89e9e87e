import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { type Answer, type Connection, callTool, connectionOf } from './connection.ts';
import { csvCell, csvCells } from './csv.ts';
import type { Verb } from './descriptors.ts';
import { drawFailure, refusedFailure, unknownServer, unreachableFailure } from './failure.ts';
import { type RowImport, type RowsOptions, resultFormats } from './import-rows-command.ts';
import { UsageError } from './input.ts';
import { bar } from './render/bar.ts';
import { plainText } from './render/plain.ts';
import type { Style } from './render/text.ts';
import { type Terminal, wantsColor } from './terminal.ts';

type Results = (typeof resultFormats)[number];
const columns = ['line', 'outcome', 'id', 'rule', 'field', 'message'];

/** As many as the server takes in one call, and no more bytes than fit in one. */
const chunkRows = 500;
const chunkBytes = 400_000;
const triesMax = 4;

interface Row {
  line: number;
  cells: JsonObject;
  bytes: number;
}

interface Tally {
  rows: number;
  accepted: number;
  repeated: number;
  bytes: number;
  reasons: Map<string, number>;
}

/**
 * Sends a file row by row in calls of some hundreds and prints a row for each, in order; how far it is goes to the error
 * output. @returns 0 when every row was accepted or was here before, 1 when any was refused, or the server failed
 */
export async function importRows(
  path: string,
  what: RowImport,
  verbs: readonly Verb[],
  given: RowsOptions,
  terminal: Terminal,
): Promise<0 | 1> {
  const to = resultFormats.find((one) => one === (given.to ?? (given.json ? 'ndjson' : 'csv')));
  if (to === undefined) throw new UsageError(`--to: "${given.to}" is none of ${resultFormats.join(', ')}.`);
  const style: Style = { width: terminal.columns(), color: wantsColor(terminal, given.color !== false) };
  const connection = connectionOf(given, terminal.env, terminal.folder);
  if (!connection) {
    terminal.error(drawFailure(unknownServer, style));
    return 1;
  }
  const verb = verbs.find(({ name }) => name === what.tool);
  if (!verb) throw new Error(`there is no tool ${what.tool}; build the program again`);
  const tally: Tally = { rows: 0, accepted: 0, repeated: 0, bytes: 0, reasons: new Map() };
  const progress = progressOf(terminal, tally, terminal.fileBytes?.(path), style);
  if (to === 'csv') terminal.out(`${columns.join(',')}\n`);
  for await (const chunk of chunksOf(readRows(terminal.readLines(path), what))) {
    const sent = await sendChunk(connection, what.tool, chunk, terminal);
    if ('failed' in sent) {
      terminal.error(`\n${failureOf(sent.failed, verb, verbs, connection, style)}`);
      terminal.error(
        `Nothing after line ${(chunk[0]?.line ?? 1) - 1} is sure to be done. Send the file again: what was done is known.\n`,
      );
      return 1;
    }
    for (const result of sent.results) note(result, tally, to, terminal);
    tally.bytes += chunk.reduce((sum, row) => sum + row.bytes, 0);
    progress(false);
  }
  progress(true);
  const refused = [...tally.reasons].sort(([, a], [, b]) => b - a);
  terminal.error(
    `${tally.accepted.toLocaleString('en')} accepted, ${tally.repeated.toLocaleString('en')} seen before\n`,
  );
  for (const [reason, count] of refused)
    terminal.error(`${count.toLocaleString('en')} refused: ${plainText(reason)}\n`);
  return refused.length > 0 ? 1 : 0;
}

function note(result: JsonObject, tally: Tally, to: Results, terminal: Terminal): void {
  tally.rows += 1;
  if (result.outcome === 'accepted') tally.accepted += 1;
  if (result.outcome === 'repeated') tally.repeated += 1;
  const isRefused = result.outcome === 'refused';
  if (isRefused) {
    const reason = String(result.rule ?? 'invalid');
    tally.reasons.set(reason, (tally.reasons.get(reason) ?? 0) + 1);
  }
  if (to === 'none' || (to === 'refused' && !isRefused)) return;
  terminal.out(`${to === 'csv' ? columns.map((name) => csvCell(result[name])).join(',') : JSON.stringify(result)}\n`);
}

/** A bar where a person looks and the size is known; else a line for each part, so that a log shows how far it came. */
function progressOf(
  terminal: Terminal,
  tally: Tally,
  total: number | undefined,
  style: Style,
): (isEnd: boolean) => void {
  const began = Date.now();
  let lastAt = 0;
  return (isEnd) => {
    const now = Date.now();
    if (!terminal.isErrorTty && !isEnd && now - lastAt < 5000) return;
    lastAt = now;
    const rate = Math.round(tally.rows / (Math.max(1, now - began) / 1000)).toLocaleString('en');
    const counts = `${tally.rows.toLocaleString('en')} rows, ${rate} a second`;
    if (!terminal.isErrorTty || total === undefined || total === 0) {
      terminal.error(`${terminal.isErrorTty ? '\r\u001b[K' : ''}${counts}${isEnd || !terminal.isErrorTty ? '\n' : ''}`);
      return;
    }
    const share = isEnd ? 1 : Math.min(1, tally.bytes / total);
    const room = Math.max(10, Math.min(40, style.width - counts.length - 10));
    const { full, rest } = bar(share, room);
    terminal.error(
      `\r\u001b[K${full}${rest} ${String(Math.floor(share * 100)).padStart(3)} % ${counts}${isEnd ? '\n' : ''}`,
    );
  };
}

async function* readRows(
  lines: AsyncIterable<string>,
  what: RowImport,
): AsyncGenerator<Row | { line: number; bytes: number }> {
  const cellsOf = await csvCells();
  let names: string[] | undefined;
  let line = 0;
  for await (const raw of lines) {
    line += 1;
    const text = line === 1 ? raw.replace(/^\ufeff/, '') : raw;
    if (text.trim() === '') continue;
    const found = cellsOf(text);
    if (!names) {
      const missing = what.needs.filter((name) => !found?.includes(name));
      if (!found || missing.length > 0) {
        throw new UsageError(
          `the first line of the file names its columns: ${what.needs.join(', ')}${missing.length < what.needs.length ? ` (${missing.join(', ')} missing)` : ''}.`,
        );
      }
      names = found;
      continue;
    }
    const bytes = Buffer.byteLength(text) + 1;
    if (!found || found.length !== names.length || bytes > chunkBytes) {
      yield { line, bytes };
      continue;
    }
    const cells: JsonObject = {};
    for (const [place, name] of names.entries()) {
      if (what.needs.includes(name) || (what.may.includes(name) && found[place] !== ''))
        cells[name] = found[place] ?? '';
    }
    yield { line, bytes, cells };
  }
}

type AnyRow = Row | { line: number; bytes: number };

async function* chunksOf(rows: AsyncIterable<AnyRow>): AsyncGenerator<AnyRow[]> {
  let chunk: AnyRow[] = [];
  let bytes = 0;
  for await (const row of rows) {
    if (chunk.length >= chunkRows || (chunk.length > 0 && bytes + row.bytes > chunkBytes)) {
      yield chunk;
      chunk = [];
      bytes = 0;
    }
    chunk.push(row);
    bytes += row.bytes;
  }
  if (chunk.length > 0) yield chunk;
}

type Failed = Exclude<Answer, { outcome: 'done' } | { outcome: 'proposed' }>;
type Sent = { results: JsonObject[] } | { failed: Failed };

const unreadable = (line: number): JsonObject => ({
  line,
  outcome: 'refused',
  rule: 'unreadable',
  field: '',
  message: 'The line has not as many cells as the first one names, or is no CSV.',
});

/** What became of each row of a chunk, in order, under the lines of the file. */
async function sendChunk(
  connection: Connection,
  tool: string,
  chunk: readonly AnyRow[],
  terminal: Terminal,
): Promise<Sent> {
  const rows = chunk.filter((row): row is Row => 'cells' in row);
  const sent = await sendRows(connection, tool, rows, terminal);
  if ('failed' in sent) return sent;
  const results = [...sent.results];
  return {
    results: chunk.map((row) => ('cells' in row ? (results.shift() ?? unreadable(row.line)) : unreadable(row.line))),
  };
}

/**
 * Sends rows, again while nobody answers: each is known by its key. A call that the door refuses whole, for something in
 * one row that is let in nowhere, is halved until that row stands alone: it is refused, and the others are not.
 */
async function sendRows(connection: Connection, tool: string, rows: readonly Row[], terminal: Terminal): Promise<Sent> {
  if (rows.length === 0) return { results: [] };
  const answer = await tried(connection, tool, rows, terminal);
  if (answer.outcome === 'done') {
    const found = isJsonObject(answer.result) && Array.isArray(answer.result.results) ? answer.result.results : [];
    return {
      results: rows.map((row, index) => {
        const one = found[index];
        const { row: _, ...result } = isJsonObject(one) ? one : { outcome: 'refused', rule: 'unanswered' };
        return { line: row.line, ...result };
      }),
    };
  }
  const isAboutRows =
    answer.outcome === 'refused' && (answer.status === 400 || answer.status === 413 || answer.status === 422);
  if (!isAboutRows || answer.outcome !== 'refused') return { failed: answer };
  if (rows.length === 1) {
    const { reason, message } = answer.error;
    return {
      results: [
        { line: rows[0]?.line ?? 0, outcome: 'refused', rule: reason ?? 'invalid', field: '', message: message ?? '' },
      ],
    };
  }
  const half = Math.ceil(rows.length / 2);
  const first = await sendRows(connection, tool, rows.slice(0, half), terminal);
  if ('failed' in first) return first;
  const second = await sendRows(connection, tool, rows.slice(half), terminal);
  return 'failed' in second ? second : { results: [...first.results, ...second.results] };
}

async function tried(
  connection: Connection,
  tool: string,
  rows: readonly Row[],
  terminal: Terminal,
): Promise<Exclude<Answer, { outcome: 'proposed' }>> {
  for (let tries = 1; ; tries += 1) {
    const answer = await callTool(connection, tool, { rows: rows.map(({ cells }) => cells) }, terminal.fetch);
    if (answer.outcome === 'proposed') throw new Error('the server proposed what needs no confirmation');
    const mayPass = answer.outcome === 'unreachable' || (answer.outcome === 'refused' && answer.status === 503);
    if (!mayPass || tries >= triesMax || !(await terminal.pause(500 * tries))) return answer;
  }
}

function failureOf(failed: Failed, verb: Verb, verbs: readonly Verb[], connection: Connection, style: Style): string {
  return drawFailure(
    failed.outcome === 'unreachable'
      ? unreachableFailure(connection, failed.message, failed.isRefusedConnection)
      : refusedFailure(verb, verbs, failed.status, failed.error),
    style,
  );
}
