import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { remoteMailbox } from '../remote.ts';
import { serveSandboxes } from '../server.ts';
import { type Mailbox, openMailbox } from './mailbox.ts';

const secret = 'a secret of the test suite';

describe.each(['in process', 'remote'] as const)('mailbox, %s', (form) => {
  let directory: string;
  let mailbox: Mailbox;
  let stop: () => Promise<void>;

  async function start(): Promise<void> {
    const local = await openMailbox({ directory, now: () => new Date('2026-03-01T00:00:00Z') });
    if (form === 'in process') {
      mailbox = local;
      stop = local.close;
      return;
    }
    const server = await serveSandboxes({ secret, mailbox: local }, 0);
    mailbox = remoteMailbox(server.url, secret);
    stop = async () => {
      await server.close();
      await local.close();
    };
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'airtime-mail-'));
    await start();
  });
  afterEach(async () => {
    await stop();
    await rm(directory, { recursive: true, force: true });
  });

  const message = (key: string, to = 'ann@example.com') => ({ key, to, subject: `About ${key}`, text: 'Hello.' });

  test('keeps what was sent, newest first, by address, over a restart', async () => {
    await mailbox.send(message('a'));
    await mailbox.send({ ...message('b', 'Bob@example.com'), html: '<p>Hello.</p>' });
    await mailbox.send(message('c'));
    await stop();
    await start();
    const at = new Date('2026-03-01T00:00:00Z');
    expect(await mailbox.messages()).toEqual([
      { ...message('c'), at },
      { ...message('b', 'Bob@example.com'), html: '<p>Hello.</p>', at },
      { ...message('a'), at },
    ]);
    expect(await mailbox.messages({ to: 'bob@EXAMPLE.com' })).toHaveLength(1);
    expect((await mailbox.messages({ to: 'ann@example.com', limit: 1 })).map(({ key }) => key)).toEqual(['c']);
    expect(await mailbox.messages({ to: 'eve@example.com' })).toEqual([]);
  });

  test('delivers a key once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => mailbox.send(message('a'))));
    await stop();
    await start();
    await mailbox.send(message('a'));
    expect(await mailbox.messages()).toHaveLength(1);
  });

  test('refuses what is no address, and two addresses', async () => {
    for (const to of ['ann', 'ann@example.com, bob@example.com', 'ann@example.com\nbcc: bob@example.com', '']) {
      await expect(mailbox.send(message('a', to))).rejects.toMatchObject({ code: 'invalid_request' });
    }
    expect(await mailbox.messages()).toEqual([]);
  });
});
