import { expect, test } from 'vitest';
import { addressPolicy, isAllowance } from './callback-address.ts';

const forbidden = [
  ['127.0.0.1', /loopback/],
  ['127.255.255.254', /loopback/],
  ['::1', /loopback/],
  ['::ffff:127.0.0.1', /loopback/],
  ['::ffff:7f00:1', /loopback/],
  ['0:0:0:0:0:ffff:7f00:0001', /loopback/],
  ['10.0.0.1', /private/],
  ['172.16.0.1', /private/],
  ['172.31.255.255', /private/],
  ['192.168.1.1', /private/],
  ['::ffff:192.168.1.1', /private/],
  ['fc00::1', /private/],
  ['fd12:3456::1', /private/],
  ['169.254.1.1', /link-local/],
  ['fe80::1', /link-local/],
  ['fe80::1%eth0', /link-local/],
  ['169.254.169.254', /credentials/],
  ['::ffff:a9fe:a9fe', /credentials/],
  ['fd00:ec2::254', /credentials/],
  ['168.63.129.16', /credentials/],
  ['100.100.100.200', /credentials/],
  ['0.0.0.0', /public internet/],
  ['100.64.0.1', /public internet/],
  ['192.0.2.1', /public internet/],
  ['198.18.0.1', /public internet/],
  ['224.0.0.1', /public internet/],
  ['255.255.255.255', /public internet/],
  ['::', /public internet/],
  ['::7f00:1', /public internet/],
  ['64:ff9b::7f00:1', /public internet/],
  ['2002:7f00:1::', /public internet/],
  ['2001:0:7f00:1::', /public internet/],
  ['2001:db8::1', /public internet/],
  ['ff02::1', /public internet/],
  ['localhost', /no IP address/],
  ['127.1', /no IP address/],
] as const;

test.each(forbidden)('%s is not called', (address, reason) => {
  expect(addressPolicy([]).refusal(address)).toMatch(reason);
});

test.each(['8.8.8.8', '172.32.0.1', '::ffff:8.8.8.8', '2606:4700::1111', '11.0.0.1', '192.169.0.1'])(
  '%s is public',
  (address) => {
    expect(addressPolicy([]).refusal(address)).toBeUndefined();
  },
);

test('a configuration allows kinds and ranges, and nothing beside them', () => {
  const loopback = addressPolicy(['loopback']);
  expect([loopback.refusal('127.0.0.1'), loopback.refusal('::1'), loopback.refusal('::ffff:127.0.0.1')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(loopback.refusal('10.0.0.1')).toMatch(/private/);
  const range = addressPolicy(['10.1.0.0/16', 'fd00:1::/32']);
  expect([range.refusal('10.1.2.3'), range.refusal('fd00:1::5')]).toEqual([undefined, undefined]);
  expect([range.refusal('10.2.0.1'), range.refusal('fd00:2::5')]).toEqual([
    expect.stringMatching(/private/),
    expect.stringMatching(/private/),
  ]);
});

test('a word never allows where a cloud keeps its credentials; its exact range does', () => {
  const words = addressPolicy(['loopback', 'private', 'link-local']);
  expect(words.refusal('169.254.169.254')).toMatch(/credentials/);
  expect(words.refusal('fd00:ec2::254')).toMatch(/credentials/);
  expect(words.refusal('169.254.1.1')).toBeUndefined();
  expect(addressPolicy(['169.254.169.254/32']).refusal('169.254.169.254')).toBeUndefined();
});

test('what a configuration may say', () => {
  expect(['loopback', 'private', 'link-local', '10.0.0.0/8', '::1/128'].filter((item) => !isAllowance(item))).toEqual(
    [],
  );
  const wrong = [
    '',
    'all',
    'toString',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0/8',
    '::1/129',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
  ];
  expect(wrong.filter(isAllowance)).toEqual([]);
});
