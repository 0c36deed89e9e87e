import { BlockList, isIP } from 'node:net';

/** Which addresses this server may call when somebody else names them. */
export interface AddressPolicy {
  /** What keeps an IP address from being called: `is a loopback address`; undefined when nothing does. */
  refusal(address: string): string | undefined;
}

type Range = readonly [network: string, prefix: number];

/** Kinds that a configuration may allow by their word. */
const kinds = {
  loopback: [
    ['127.0.0.0', 8],
    ['::1', 128],
  ],
  private: [
    ['10.0.0.0', 8],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['fc00::', 7],
  ],
  'link-local': [
    ['169.254.0.0', 16],
    ['fe80::', 10],
  ],
} satisfies Record<string, readonly Range[]>;
type Kind = keyof typeof kinds;

// Where machines of the large clouds answer with their own credentials. No word allows them, only their exact range.
const metadata: readonly Range[] = [
  ['169.254.169.254', 32],
  ['169.254.170.2', 32],
  ['168.63.129.16', 32],
  ['100.100.100.200', 32],
  ['192.0.0.192', 32],
  ['fd00:ec2::254', 128],
  ['fd20:ce::254', 128],
];

// From the special-purpose registries of IANA: nothing in these is a host of the public internet. The forms that carry
// an IPv4 address inside an IPv6 one are among them, as they could carry a private one.
const special: readonly Range[] = [
  ['0.0.0.0', 8],
  ['100.64.0.0', 10],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const publicIpv6: Range = ['2000::', 3];

function listOf(ranges: readonly Range[]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of ranges) list.addSubnet(network, prefix, isIP(network) === 6 ? 'ipv6' : 'ipv4');
  return list;
}

const kindLists = Object.entries(kinds).map(([kind, ranges]) => ({ kind, list: listOf(ranges) }));
const metadataList = listOf(metadata);
const specialList = listOf(special);
const publicIpv6List = listOf([publicIpv6]);

/** Whether one item of a configuration can be understood: a word, or a range such as `10.1.0.0/16`. */
export function isAllowance(item: string): boolean {
  return isKind(item) || rangeOf(item) !== undefined;
}

function isKind(item: string): item is Kind {
  return Object.hasOwn(kinds, item);
}

function rangeOf(item: string): Range | undefined {
  const [network = '', prefix = ''] = item.split('/');
  const version = isIP(network);
  if (version === 0 || !/^\d{1,3}$/.test(prefix) || item.split('/').length !== 2) return undefined;
  return Number(prefix) <= (version === 6 ? 128 : 32) ? [network, Number(prefix)] : undefined;
}

/**
 * Only the public internet may be called, and what is allowed beside it.
 * @param allow words (`loopback`, `private`, `link-local`) and ranges (`10.1.0.0/16`, `fd00:1::/32`).
 */
export function addressPolicy(allow: readonly string[]): AddressPolicy {
  const byWord = listOf(allow.filter(isKind).flatMap((kind) => [...kinds[kind]]));
  const byRange = listOf(allow.map(rangeOf).filter((range) => range !== undefined));
  return {
    refusal(address) {
      const plain = unmapped(address);
      const version = isIP(plain);
      if (version === 0) return 'is no IP address';
      const family = version === 6 ? 'ipv6' : 'ipv4';
      if (byRange.check(plain, family)) return undefined;
      if (metadataList.check(plain, family)) return 'is where a cloud keeps its credentials';
      if (byWord.check(plain, family)) return undefined;
      const kind = kindLists.find(({ list }) => list.check(plain, family))?.kind;
      if (kind !== undefined) return `is a ${kind} address`;
      const isSpecial = specialList.check(plain, family) || (version === 6 && !publicIpv6List.check(plain, family));
      return isSpecial ? 'is not an address of the public internet' : undefined;
    },
  };
}

/** `::ffff:7f00:1` means 127.0.0.1 and is judged as such. A zone (`fe80::1%eth0`) is not part of the address. */
function unmapped(address: string): string {
  const bare = address.replace(/%.*$/, '');
  if (isIP(bare) !== 6) return bare;
  // The URL parser spells an IPv6 address in its one shortest form.
  const short = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}
