import { daysAfter } from '../../kernel/calendar.ts';
import { appendEvent } from '../core/event.ts';
import { schedule } from '../core/flow.ts';
import { must } from '../core/machine.ts';
import { findRow, insertRow, type Tables, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { esimMachine, numberMachine } from './machines.ts';
import { watchStock } from './stock-alarm.ts';
import { isWantedSql } from './wanted.ts';

type NumberRow = Tables['phoneNumber'];
type EsimRow = Tables['esimProfile'];

async function numberEvent(tx: Tx, row: NumberRow, from: string): Promise<void> {
  await appendEvent(tx, {
    type: 'NumberStateChangeEvent',
    resourceType: 'number',
    resourceId: row.msisdn,
    sequence: BigInt(tx.now.getTime()),
    change: { from, to: row.state },
  });
}

async function esimEvent(tx: Tx, row: EsimRow, from: string): Promise<void> {
  await appendEvent(tx, {
    type: 'EsimStateChangeEvent',
    resourceType: 'esim',
    resourceId: row.id,
    sequence: BigInt(tx.now.getTime()),
    // The ICCID itself never goes into an event: the last four digits name it to a person.
    change: { from, to: row.state, iccidEnding: row.iccid.slice(-4) },
  });
}

/**
 * Takes a free number for a line to be; a wish is honoured when that number is free. One that somebody else has chosen is
 * theirs as long as they may make up their mind. Undefined when none is left.
 */
export async function reserveNumber(tx: Tx, heldFor: string, wished?: string): Promise<NumberRow | undefined> {
  // A number that was wished for is waited for; others that are being taken at this instant are passed over.
  const [free] = await tx.run<NumberRow>(
    `SELECT * FROM "phone_number" n WHERE "state" = 'available' AND ($2::text IS NULL OR "msisdn" = $2)
      AND ("wanted_by" IS NULL OR "wanted_for" = $1 OR NOT (${isWantedSql('n')}))
    ORDER BY "msisdn" LIMIT 1 FOR UPDATE${wished === undefined ? ' SKIP LOCKED' : ''}`,
    [heldFor, wished ?? null],
  );
  if (!free) return undefined;
  const reserved = await moveNumber(tx, free, 'reserve', { heldFor });
  await watchStock(tx, 'number');
  return reserved;
}

async function moveNumber(tx: Tx, row: NumberRow, event: string, columns: Partial<NumberRow>): Promise<NumberRow> {
  const state = must(numberMachine, row.state, event as 'reserve');
  const [moved] = await updateRows(tx, 'phoneNumber', { msisdn: row.msisdn }, { ...columns, state, changedAt: tx.now });
  if (!moved) throw new Error(`number ${row.msisdn} is gone`);
  await numberEvent(tx, moved, row.state);
  return moved;
}

export async function assignNumber(tx: Tx, msisdn: string, subscriptionId: string): Promise<void> {
  const row = await findRow(tx, 'phoneNumber', { msisdn }, true);
  if (!row) throw new Error(`number ${msisdn} is gone`);
  // It has its line: whoever had chosen it wants it no more.
  const wish = { wantedBy: null, wantedFor: null, wantedUntil: null };
  await moveNumber(tx, row, 'assign', { heldFor: null, subscriptionId, ...wish });
  await insertRow(tx, 'numberAssignment', {
    id: tx.newId('asg'),
    msisdn,
    subscriptionId,
    assignedAt: tx.now,
    releasedAt: null,
  });
}

/** Who may give a number or a profile back: the order item, or the line, that it was reserved for or assigned to. */
export type Holder = readonly (string | null)[];

const isHeldBy = (row: { heldFor: string | null; subscriptionId: string | null }, holder: Holder) =>
  holder.some((id) => id !== null && (id === row.heldFor || id === row.subscriptionId));

/**
 * Gives a number back: one that never served at once, one that did after its quarantine. A number that has moved on to
 * somebody else stays theirs: a step may run twice, or long after.
 */
export async function releaseNumber(tx: Tx, msisdn: string, holder: Holder): Promise<void> {
  const row = await findRow(tx, 'phoneNumber', { msisdn }, true);
  if (!row || !isHeldBy(row, holder)) return;
  if (row.state === 'reserved') {
    await moveNumber(tx, row, 'release', { heldFor: null, subscriptionId: null });
    await watchStock(tx, 'number');
    return;
  }
  if (row.state !== 'assigned') return;
  await quarantineNumber(tx, row, 'release');
  await updateRows(tx, 'numberAssignment', { msisdn, releasedAt: null }, { releasedAt: tx.now });
}

/** Keeps a reserved number from being sold: the network would not give it to a line, for another has it there. */
export async function setAsideNumber(tx: Tx, msisdn: string, holder: Holder): Promise<void> {
  const row = await findRow(tx, 'phoneNumber', { msisdn }, true);
  if (row?.state === 'reserved' && isHeldBy(row, holder)) await quarantineNumber(tx, row, 'set_aside');
}

async function quarantineNumber(tx: Tx, row: NumberRow, event: 'release' | 'set_aside'): Promise<void> {
  const { msisdn } = row;
  const quarantinedUntil = daysAfter(tx.now, tx.settings.numberQuarantineDays, tx.settings.timeZone);
  await moveNumber(tx, row, event, { heldFor: null, subscriptionId: null, quarantinedUntil });
  await schedule(tx, {
    flow: 'number',
    subject: msisdn,
    step: 'end_quarantine',
    key: `number:${msisdn}:quarantine:${quarantinedUntil.toISOString()}`,
    dueAt: quarantinedUntil,
  });
}

export async function endQuarantine(tx: Tx, msisdn: string): Promise<void> {
  const row = await findRow(tx, 'phoneNumber', { msisdn }, true);
  if (row?.state !== 'quarantined' || (row.quarantinedUntil ?? tx.now) > tx.now) return;
  await moveNumber(tx, row, 'end_quarantine', { quarantinedUntil: null });
  await watchStock(tx, 'number');
}

/** The number goes to another operator, for good: it is never sold here again. */
export async function portOutNumber(tx: Tx, row: NumberRow): Promise<void> {
  await moveNumber(tx, row, 'port_out', { heldFor: null, subscriptionId: null });
  await updateRows(tx, 'numberAssignment', { msisdn: row.msisdn, releasedAt: null }, { releasedAt: tx.now });
}

export async function reserveEsim(tx: Tx, heldFor: string): Promise<EsimRow | undefined> {
  const [free] =
    await tx.sql<EsimRow>`SELECT * FROM "esim_profile" WHERE "state" = 'available' ORDER BY "id" LIMIT 1 FOR UPDATE SKIP LOCKED`;
  if (!free) return undefined;
  const reserved = await moveEsim(tx, free, 'reserve', { heldFor });
  await watchStock(tx, 'esim');
  return reserved;
}

async function moveEsim(tx: Tx, row: EsimRow, event: string, columns: Partial<EsimRow>): Promise<EsimRow> {
  const state = must(esimMachine, row.state, event as 'reserve');
  const [moved] = await updateRows(tx, 'esimProfile', { id: row.id }, { ...columns, state, changedAt: tx.now });
  if (!moved) throw new Error(`eSIM ${row.id} is gone`);
  await esimEvent(tx, moved, row.state);
  return moved;
}

/** The profile is paid for and may be fetched by the customer's phone. */
export async function handOutEsim(tx: Tx, esimId: string, subscriptionId: string): Promise<void> {
  const row = await findRow(tx, 'esimProfile', { id: esimId }, true);
  if (!row) throw new Error(`eSIM ${esimId} is gone`);
  await moveEsim(tx, row, 'release', { heldFor: null, subscriptionId });
}

/** Takes a profile back from who has it: to the shelf while no phone has fetched it, else for good. */
export async function takeBackEsim(tx: Tx, esimId: string, holder: Holder): Promise<void> {
  const row = await findRow(tx, 'esimProfile', { id: esimId }, true);
  if (!row || !isHeldBy(row, holder) || row.state === 'available' || row.state === 'deleted') return;
  const event = row.state === 'reserved' || row.state === 'released' ? 'unreserve' : 'delete';
  await moveEsim(tx, row, event, { heldFor: null, subscriptionId: null });
  await watchStock(tx, 'esim');
}

/** Deletes a profile that another took the place of. Its activation code is known to a customer, so it is not sold again. */
export async function deleteEsim(tx: Tx, esimId: string, holder: Holder): Promise<void> {
  const row = await findRow(tx, 'esimProfile', { id: esimId }, true);
  if (!row || !isHeldBy(row, holder) || row.state === 'deleted') return;
  await moveEsim(tx, row, 'delete', { heldFor: null, subscriptionId: null });
}
