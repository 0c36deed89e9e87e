import pg from 'pg';
import { connect } from '../../app/database/connect.ts';
import { testDatabase } from '../../app/database/testing.ts';
import type { Caller } from '../../kernel/caller.ts';

/** A row as it is written: names of columns, objects as JSON. */
export type Row = Readonly<Record<string, unknown>>;

export interface TestBusiness {
  /** As the server reads. */
  readonly pool: pg.Pool;
  /** Writes rows in one transaction of a command named for it. */
  write(rows: readonly (readonly [table: string, row: Row])[]): Promise<void>;
  close(): Promise<void>;
}

/** When every row is written, unless it says otherwise: business time is frozen a little later. */
export const writtenAt = '2027-03-10T02:00:00.000Z';
export const now = '2027-03-20T02:00:00.000Z';

const arrays = ['block_reasons', 'stopped_kinds', 'scopes'];

function parameter(name: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && !arrays.includes(name) ? JSON.stringify(value) : value;
}

/** A database of its own, its clock frozen at `now`, without a row beyond that. */
export async function testBusiness(): Promise<TestBusiness> {
  const given = await testDatabase();
  const owner = new pg.Pool({ connectionString: given.ownerUrl, max: 1 });
  // Dropping the database may meet a connection that is just closing.
  owner.on('connect', (connection) => connection.on('error', () => undefined));
  const server = await connect({ url: given.serverUrl, max: 2, statementTimeoutMs: 10_000, log: () => undefined });
  const write: TestBusiness['write'] = async (rows) => {
    const client = await owner.connect();
    try {
      await client.query('BEGIN');
      await client.query(`SELECT begin_command('test.fixture', '{"name":"fixture","surface":"start"}'::jsonb)`);
      for (const [table, row] of rows) {
        const entries = Object.entries(row);
        await client.query(
          `INSERT INTO "${table}" (${entries.map(([name]) => `"${name}"`).join(', ')}) VALUES (${entries.map((_, index) => `$${index + 1}`).join(', ')})`,
          entries.map(([name, value]) => parameter(name, value)),
        );
      }
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  };
  await owner.query('BEGIN');
  await owner.query(`SELECT begin_command('test.fixture', '{}'::jsonb)`);
  await owner.query('DELETE FROM "business_clock"');
  await owner.query(
    `INSERT INTO "business_clock" ("id", "mode", "frozen_at", "moved_at") VALUES (1, 'frozen', $1, $1)`,
    [now],
  );
  await owner.query('COMMIT');
  return {
    pool: server.pool,
    write,
    close: async () => {
      await server.close();
      await owner.end();
      await given.drop();
    },
  };
}

export const operator: Caller = { audience: 'operator', id: 'opr', name: 'Operator', surface: 'cli', scopes: ['*'] };

export function customerCaller(customerId: string): Caller {
  return { audience: 'customer', id: customerId, name: 'Customer', surface: 'portal', scopes: ['*'], customerId };
}

// ---- rows ----

const stamps = { created_at: writtenAt, updated_at: writtenAt };

/** An id of the right form that says what it is for: `id('cus', 'ada')`. */
export function id(prefix: string, name: string): string {
  return `${prefix}_${name.padEnd(26, '0')}`;
}

export const gigabyte = 1024 ** 3;

export function customer(name: string, document: Row = {}): readonly [string, Row] {
  const email = `${name}@example.com`;
  return [
    'customer',
    {
      id: id('cus', name),
      state: 'active',
      name: `${name} Lim`,
      email,
      document: {
        id: id('cus', name),
        name: `${name} Lim`,
        contactMedium: [
          { mediumType: 'email', preferred: true, characteristic: { emailAddress: email } },
          { mediumType: 'postalAddress', characteristic: { street1: '1 Raffles Place', city: 'Singapore' } },
        ],
        ...document,
      },
      ...stamps,
    },
  ];
}

export function card(owner: string, name: string, row: Row = {}): readonly [string, Row] {
  return [
    'payment_method',
    {
      id: id('pme', name),
      state: 'active',
      customer_id: id('cus', owner),
      gateway_token: `tok_${name}`,
      expires_at: '2029-12-31T15:59:59.999Z',
      is_preferred: true,
      document: { id: id('pme', name), brand: 'visa', lastFourDigits: '4242' },
      ...stamps,
      ...row,
    },
  ];
}

const terms = { code: 'PLAN_M', name: 'Standard', kind: 'plan' };

export function line(owner: string, name: string, row: Row = {}): readonly [string, Row] {
  return [
    'subscription',
    {
      id: id('sub', name),
      state: 'active',
      document: { id: id('sub', name) },
      customer_id: id('cus', owner),
      offering_id: 'ofr_m',
      plan_code: 'PLAN_M',
      price_minor: 2500,
      tax_rate: 900,
      currency: 'SGD',
      terms,
      period_number: 1,
      anchor_at: writtenAt,
      period_starts_at: writtenAt,
      period_ends_at: '2027-04-10T02:00:00.000Z',
      state_since: writtenAt,
      ...stamps,
      ...row,
    },
  ];
}

export function bucket(owner: string, lineName: string, name: string, row: Row): readonly [string, Row] {
  return [
    'bucket',
    {
      id: id('bkt', name),
      subscription_id: id('sub', lineName),
      customer_id: id('cus', owner),
      source: 'plan',
      offering_id: 'ofr_m',
      period_number: 1,
      state: 'active',
      valid_from: writtenAt,
      expires_at: '2027-04-10T02:00:00.000Z',
      ...stamps,
      ...row,
    },
  ];
}

export function order(owner: string, name: string, state: string, document: Row = {}): readonly [string, Row] {
  return [
    'product_order',
    {
      id: id('ord', name),
      state,
      customer_id: id('cus', owner),
      document: { id: id('ord', name), ...document },
      ...stamps,
    },
  ];
}

export function orderItem(owner: string, orderName: string, name: string, row: Row = {}): readonly [string, Row] {
  return [
    'order_item',
    {
      id: id('itm', name),
      product_order_id: id('ord', orderName),
      item_id: '1',
      action: 'add',
      state: 'inProgress',
      offering_id: 'ofr_m',
      customer_id: id('cus', owner),
      amount_minor: 2500,
      tax_rate: 900,
      currency: 'SGD',
      terms,
      ...row,
    },
  ];
}

export function payment(owner: string, name: string, row: Row = {}): readonly [string, Row] {
  return [
    'payment',
    {
      id: id('pay', name),
      state: 'captured',
      customer_id: id('cus', owner),
      amount_minor: 2500,
      currency: 'SGD',
      document: { id: id('pay', name) },
      ...stamps,
      ...row,
    },
  ];
}

export function step(name: string, row: Row): readonly [string, Row] {
  return [
    'flow_step',
    {
      id: id('stp', name),
      key: name,
      flow: 'order',
      subject: 'itm_x',
      step: 'authorise',
      state: 'waiting',
      due_at: writtenAt,
      not_before: '2020-01-01T00:00:00Z',
      caller: { name: 'Operator' },
      input: {},
      created_at: writtenAt,
      ...row,
    },
  ];
}

let events = 0;

export function event(resourceType: string, resourceId: string, row: Row = {}): readonly [string, Row] {
  events += 1;
  return [
    'event',
    {
      id: id('evt', `e${events}x`),
      type: 'SomethingStateChangeEvent',
      resource_type: resourceType,
      resource_id: resourceId,
      resource_sequence: events,
      command: 'test.fixture',
      caller: { name: 'Operator', surface: 'cli' },
      occurred_at: writtenAt,
      recorded_at: writtenAt,
      ...row,
    },
  ];
}
