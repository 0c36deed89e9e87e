import type { Json, JsonObject } from '../../kernel/json.ts';
import { objects, text } from '../core/party.ts';

export type UsageKind = 'data' | 'voice' | 'sms' | 'roaming_data';

interface Unit {
  /** Base units in one of these: bytes, seconds, messages. */
  size: number;
  name: string;
}

const bytes: Record<string, Unit> = {
  b: { size: 1, name: 'B' },
  byte: { size: 1, name: 'B' },
  bytes: { size: 1, name: 'B' },
  octet: { size: 1, name: 'B' },
  octets: { size: 1, name: 'B' },
  kb: { size: 1024, name: 'KB' },
  mb: { size: 1024 ** 2, name: 'MB' },
  gb: { size: 1024 ** 3, name: 'GB' },
};
const seconds: Record<string, Unit> = {
  s: { size: 1, name: 's' },
  sec: { size: 1, name: 's' },
  second: { size: 1, name: 's' },
  seconds: { size: 1, name: 's' },
  min: { size: 60, name: 'min' },
  minute: { size: 60, name: 'min' },
  minutes: { size: 60, name: 'min' },
};
const messages: Record<string, Unit> = {
  sms: { size: 1, name: 'SMS' },
  message: { size: 1, name: 'SMS' },
  messages: { size: 1, name: 'SMS' },
};

const mb: Unit = { size: 1024 ** 2, name: 'MB' };
/** The unit of an offer, where a record names none. */
const defaultUnit: Record<UsageKind, Unit> = {
  data: mb,
  voice: { size: 60, name: 'min' },
  sms: { size: 1, name: 'SMS' },
  roaming_data: mb,
};
const unitsOf: Record<UsageKind, Record<string, Unit>> = {
  data: bytes,
  voice: seconds,
  sms: messages,
  roaming_data: bytes,
};

const kinds: Record<string, UsageKind | 'barred'> = {
  data: 'data',
  voice: 'voice',
  call: 'voice',
  sms: 'sms',
  message: 'sms',
  roamingdata: 'roaming_data',
  dataroaming: 'roaming_data',
  roamingvoice: 'barred',
  roamingsms: 'barred',
  international: 'barred',
  internationalvoice: 'barred',
  internationalsms: 'barred',
  premium: 'barred',
  premiumvoice: 'barred',
  premiumsms: 'barred',
};

export interface ReadUsage {
  msisdn: string | undefined;
  /** `barred`: of a kind that prepaid bundles never allow. Undefined: not a kind we know. */
  kind: UsageKind | 'barred' | undefined;
  /** In base units, rounded up; undefined when it is no amount at all. */
  quantity: number | undefined;
  unit: Unit;
  source: string | undefined;
  recordId: string | undefined;
}

/** Reads what a TMF635 usage says: its type, and among its characteristics number, amount, unit, source and record id. */
export function readUsage(document: JsonObject): ReadUsage {
  const given = new Map<string, Json | undefined>();
  for (const { name, value } of objects(document.usageCharacteristic))
    given.set((text(name) ?? '').toLowerCase(), value);
  const first = (...names: string[]): Json | undefined => {
    for (const name of names) {
      const value = given.get(name);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  const named = text(first('kind')) ?? text(document.usageType) ?? '';
  const kind = kinds[named.toLowerCase().replace(/[^a-z]/g, '')];
  const chargeable = kind === undefined || kind === 'barred' ? undefined : kind;
  const unitName = text(first('unit', 'units', 'unitofmeasure'));
  const unit =
    chargeable === undefined
      ? { size: 1, name: unitName ?? '' }
      : unitName === undefined
        ? defaultUnit[chargeable]
        : unitsOf[chargeable][unitName.toLowerCase()];
  const amount = first('volume', 'quantity', 'amount', 'duration', 'count');
  const value =
    typeof amount === 'number'
      ? amount
      : typeof amount === 'string' && amount.trim() !== ''
        ? Number(amount)
        : Number.NaN;
  const quantity = unit ? Math.ceil(value * unit.size) : Number.NaN;
  const id = first('recordid', 'record_id', 'cdrid');
  const source = first('source', 'sourcesystem');
  const msisdn = first('msisdn', 'originatingnumber', 'callingnumber', 'servednumber');
  return {
    msisdn: typeof msisdn === 'number' ? String(msisdn) : text(msisdn)?.replace(/^\+/, ''),
    kind,
    quantity: Number.isSafeInteger(quantity) ? quantity : undefined,
    unit: unit ?? { size: 1, name: unitName ?? '' },
    source: text(source),
    recordId: typeof id === 'number' ? String(id) : text(id),
  };
}
