import { type Paint, paintOf } from './paint.ts';
import { plainText } from './plain.ts';
import { type Column, table } from './table.ts';
import { type Style, wrap } from './text.ts';
import { distance } from './time.ts';

const widthMax = 96;

/** What somebody said, line by line behind a mark. Whatever it holds is text: a terminal obeys none of it. */
function said(text: string, mark: string, style: Style, paint: (line: string) => string): string[] {
  const width = Math.max(20, Math.min(style.width, widthMax) - 2);
  return text
    .trim()
    .split(/\r?\n/)
    .flatMap((line) => wrap(plainText(line), width))
    .map((line, index) => (line === '' ? '' : `${index === 0 ? mark : ' '} ${paint(line)}`));
}

export function drawReply(
  reply: { text: string; assistant: 'model' | 'rules'; tools: readonly string[]; caseId: string | undefined },
  style: Style,
): string {
  const paint = paintOf(style.color);
  const tools = [...new Set(reply.tools)].map(plainText);
  const about = [
    reply.assistant === 'rules' ? 'answered by rules, no language model is configured' : '',
    tools.length > 0 ? `used ${tools.join(', ')}` : '',
  ].filter(Boolean);
  return [
    ...said(reply.text, paint.accent('◆'), style, (line) => line),
    ...about.flatMap((line) => wrap(line, Math.min(style.width, widthMax) - 2)).map((line) => `  ${paint.quiet(line)}`),
    ...(reply.caseId === undefined
      ? []
      : wrap(`A person takes this over: case ${plainText(reply.caseId)}`, Math.min(style.width, widthMax) - 2).map(
          (line) => `  ${paint.warn(line)}`,
        )),
    '',
  ].join('\n');
}

/** What was said before, for somebody who comes back to it. */
export function drawTurns(turns: readonly { role: 'person' | 'assistant'; text: string }[], style: Style): string {
  const paint = paintOf(style.color);
  const lines = turns.flatMap(({ role, text }) =>
    role === 'person'
      ? said(text, paint.strong('›'), style, paint.quiet)
      : said(text, paint.accent('◆'), style, paint.quiet),
  );
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

interface SessionRow {
  id: string;
  title: string;
  lastAt: string | null;
}

export function drawSessions(
  sessions: readonly SessionRow[],
  current: string | undefined,
  now: string,
  style: Style,
): string {
  const paint: Paint = paintOf(style.color);
  const columns: Column<SessionRow>[] = [
    { title: '', value: (row) => (row.id === current ? '▸' : '') },
    { title: 'session', value: (row) => plainText(row.id) },
    { title: 'about', value: (row) => plainText(row.title), min: 4 },
    {
      title: 'last',
      value: (row) => (row.lastAt === null ? '' : distance(row.lastAt, now)),
      paint: paint.quiet,
      drop: 1,
    },
  ];
  return table(columns, sessions, style, 'No conversation yet.');
}
