/** Kinds of quota, in the order in which people read them. Base units: bytes, seconds, messages. */
export const quotaKinds = ['data', 'voice', 'sms', 'roaming_data'] as const;

const kindNames: Readonly<Record<string, string>> = {
  data: 'Data',
  voice: 'Voice',
  sms: 'SMS',
  roaming_data: 'Roaming data',
};

export function kindName(kind: string): string {
  return kindNames[kind] ?? kind;
}

const bytesInMb = 1024 ** 2;
const bytesInGb = 1024 ** 3;

/** What a person reads: `4.35 GB`, `512 MB`, `87.5 min`, `62 SMS`; `null` is unlimited. 1 GB is 1024 MB. */
export function formatQuantity(kind: string, amount: number | null): string {
  if (amount === null) return 'unlimited';
  switch (kind) {
    case 'voice':
      return `${rounded(amount / 60, 1)} min`;
    case 'sms':
      return `${rounded(amount, 0)} SMS`;
    case 'data':
    case 'roaming_data':
      return formatBytes(amount);
    default:
      return String(amount);
  }
}

// Rounded towards nothing: a person is never told of more than there is, and 0 means that nothing is left.
function formatBytes(bytes: number): string {
  if (bytes >= bytesInGb) return `${rounded(bytes / bytesInGb, 2)} GB`;
  if (bytes >= bytesInMb / 100 || bytes === 0) return `${rounded(bytes / bytesInMb, 2)} MB`;
  return `${bytes} B`;
}

function rounded(value: number, digits: number): string {
  const factor = 10 ** digits;
  return String(Math.trunc(value * factor) / factor);
}
