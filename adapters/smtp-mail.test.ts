import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Mail } from './mail.ts';
import { openSmtpMail, senderOf } from './smtp-mail.ts';
import { startSmtpServer, type TestSmtpServer } from './testing-smtp-server.ts';

let server: TestSmtpServer;
let mail: Mail & { close(): void };

beforeEach(async () => {
  server = await startSmtpServer();
  // Nothing here waits for this to pass: it only must be long enough for a machine that is busy.
  mail = await openSmtpMail({ url: server.url, from: 'Air Time <no-reply@airtime.example>', timeoutMs: 20_000 });
});
afterEach(async () => {
  mail.close();
  await server.close();
});

const message = { key: 'notice:receipt:bil_1', to: 'ada@example.com', subject: 'Receipt 1', text: 'Hello Ada,\n' };
/** The header fields of a message, unfolded. */
const headers = (source: string) => (source.split('\r\n\r\n')[0] ?? '').replace(/\r\n[ \t]+/g, ' ').split('\r\n');

test('a message arrives whole, in both forms, from our sender', async () => {
  await mail.send({ ...message, toName: 'Ada Lim', html: '<p>Hello Ada,</p>' });
  const [taken] = server.taken;
  expect(taken).toMatchObject({ from: 'no-reply@airtime.example', to: ['ada@example.com'] });
  expect(headers(taken?.source ?? '')).toEqual(
    expect.arrayContaining([
      'From: Air Time <no-reply@airtime.example>',
      'To: Ada Lim <ada@example.com>',
      'Subject: Receipt 1',
      'Auto-Submitted: auto-generated',
    ]),
  );
  expect(taken?.source).toContain('Hello Ada,');
  expect(taken?.source).toContain('<p>Hello Ada,</p>');
});

test('the same key has the same Message-ID, another key another', async () => {
  await mail.send(message);
  await mail.send(message);
  await mail.send({ ...message, key: 'notice:receipt:bil_2' });
  const ids = server.taken.map(({ source }) => headers(source).find((line) => /^message-id:/i.test(line)));
  expect(ids[0]).toMatch(/^Message-ID: <[0-9a-f]{40}@airtime\.example>$/i);
  expect(ids[1]).toBe(ids[0]);
  expect(ids[2]).not.toBe(ids[0]);
});

test('no field of a message makes a header or a recipient of its own', async () => {
  for (const evil of ['Ada\r\nBcc: eve@example.com', 'Ada\nX-Evil: 1', 'Ada\rX-Evil: 1', 'Ada\u0000']) {
    await expect(mail.send({ ...message, toName: evil })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(mail.send({ ...message, subject: evil })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(mail.send({ ...message, key: evil })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(mail.send({ ...message, to: `${evil}@example.com` })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  }
  expect(server.taken).toEqual([]);
  // What is one line but means something to a header is only a name.
  await mail.send({ ...message, toName: 'Eve <eve@example.com>, "Bcc": eve@example.com; é' });
  expect(server.taken[0]?.to).toEqual(['ada@example.com']);
  expect(headers(server.taken[0]?.source ?? '').filter((line) => /^(to|cc|bcc):/i.test(line))).toHaveLength(1);
});

test('a server that is away, slow or says later leaves the outcome open; then it goes', async () => {
  server.refuse({ at: 'recipient', code: 451 });
  await expect(mail.send(message)).rejects.toMatchObject({ name: 'OutcomeUnknown', key: message.key });
  server.refuse(undefined);
  server.hangUp(1);
  await expect(mail.send(message)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
  const { port } = server;
  await server.close();
  await expect(mail.send(message)).rejects.toMatchObject({ name: 'OutcomeUnknown' });
  server = await startSmtpServer(port);
  await mail.send(message);
  expect(server.taken).toHaveLength(1);
});

test('a recipient or a message that is refused for good is refused; a sender that is refused is our own trouble', async () => {
  for (const at of ['recipient', 'message'] as const) {
    server.refuse({ at, code: 550 });
    const refused = await mail.send(message).catch((error: unknown) => error);
    expect(refused).toMatchObject({ name: 'RequestRefused', code: 'invalid_request' });
    // Logs and steps keep what is thrown; they know no address.
    expect(String(refused)).not.toContain('ada@');
  }
  server.refuse({ at: 'sender', code: 550 });
  await expect(mail.send(message)).rejects.toMatchObject({ name: 'RequestRefused', code: 'unauthorised' });
  expect(server.taken).toEqual([]);
});

test('who may be the sender', () => {
  expect(senderOf('a@b.example')).toEqual({ name: '', address: 'a@b.example' });
  expect(senderOf('Air "Time" <a@b.example>')).toEqual({ name: 'Air Time', address: 'a@b.example' });
  for (const wrong of ['', 'Airtime', 'a@b.example, c@d.example', 'A\r\nBcc: x <a@b.example>', 'A <a@b.example> b'])
    expect(senderOf(wrong)).toBeUndefined();
});
