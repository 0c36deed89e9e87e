import { Writable } from 'node:stream';
import pino from 'pino';
import { expect, test } from 'vitest';
import { logOptions, scrub } from './log.ts';

function logged(write: (log: pino.Logger) => void): string {
  let text = '';
  const destination = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  write(pino(logOptions('trace'), destination));
  return text;
}

test('secrets are taken out of text', () => {
  expect(scrub('Authorization: Bearer abc.def-ghi')).toBe('Authorization: Bearer [hidden]');
  expect(scrub('token air_abcdefgh12345 was refused')).toBe('token air_[hidden] was refused');
  expect(scrub('card 4242 4242 4242 4242 declined')).toBe('card [card number hidden] declined');
  expect(scrub('iccid 8965012345678901231')).toBe('iccid [iccid …1231]');
  expect(scrub('LPA:1$smdp.example.com$ABC-123')).toBe('LPA:1$[hidden]');
  expect(scrub('postgres://airtime:pass@localhost/db')).toBe('postgres://airtime:[hidden]@localhost/db');
  expect(scrub('Invalid API Key: sk_test_51Habc')).toBe('Invalid API Key: sk_[hidden]');
  expect(scrub('rk_live_51H and whsec_a1b2c3')).toBe('rk_[hidden] and whsec_[hidden]');
  expect(scrub('order ord_01k9 took 12345 ms')).toBe('order ord_01k9 took 12345 ms');
});

test('attributes that hold secrets are never written, at any of the first three levels', () => {
  const secret = 'do-not-write-me';
  const text = logged((log) =>
    log.info({
      authorization: secret,
      a: { token: secret, b: { activationCode: secret } },
      body: { name: secret },
      cvv: secret,
    }),
  );
  expect(text).not.toContain(secret);
  expect(JSON.parse(text)).toMatchObject({ authorization: '[hidden]', level: 'info' });
});

test('of an ICCID the last four digits stay', () => {
  expect(JSON.parse(logged((log) => log.info({ iccid: '8965012345678901231' })))).toMatchObject({ iccid: '…1231' });
});

test('messages and errors are scrubbed, and an error keeps its code and stack', () => {
  const error = Object.assign(new Error('duplicate key 4242424242424242'), {
    code: '23505',
    detail: 'Key (pan)=(4242424242424242)',
  });
  const text = logged((log) => log.error({ err: error }, 'no card 4242424242424242'));
  expect(text).not.toContain('4242424242424242');
  expect(JSON.parse(text)).toMatchObject({ err: { code: '23505', stack: expect.stringContaining('log.test.ts') } });
});
