import { z } from 'zod';
import { type NetworkLine, type NetworkTask, networkStates } from '../network.ts';
import { iccid, msisdn, taskKey, taskSequence } from '../network-task.ts';

/** A line as a TMF640 service: what we write into one, and what we read back. */

const characteristic = z.looseObject({ name: z.string(), value: z.unknown() });

/** As much of a foreign service as we need; a server that leaves lists out leaves nothing out. */
export const foreignService = z.looseObject({
  id: z.string().min(1),
  name: z.string().optional(),
  state: z.string().optional(),
  serviceDate: z.string().optional(),
  serviceCharacteristic: z.array(characteristic).optional(),
});
export type ForeignService = z.output<typeof foreignService>;

/** The task that a service was last brought to its state by. It travels in the service, so that every copy of us sees it. */
const taskMark = z.object({ key: taskKey, sequence: taskSequence, receivedAt: z.coerce.date().optional() });
export type TaskMark = z.output<typeof taskMark>;

const markName = 'airtimeTask';
const switches = ['data', 'voice', 'sms', 'roamingData'] as const;
const specification = { id: 'airtime-mobile-line', name: 'Mobile line', '@referredType': 'ServiceSpecification' };

const characteristicOf = (service: ForeignService, name: string): unknown =>
  service.serviceCharacteristic?.find((one) => one.name === name)?.value;

/**
 * The whole of what a line shall be. What the other side keeps in the service for itself stays. The body of a new service
 * is the same whenever it is sent: a server that knows an Idempotency-Key compares it, and dates the service itself.
 */
export function bodyOf(task: NetworkTask, receivedAt: Date, before: ForeignService | undefined): object {
  const ours: Record<string, unknown> = {
    msisdn: task.msisdn,
    iccid: task.iccid,
    ...Object.fromEntries(switches.map((name) => [name, task.desired[name]])),
    [markName]: {
      key: task.key,
      sequence: task.sequence,
      ...(before ? { receivedAt: receivedAt.toISOString() } : {}),
    },
  };
  return {
    ...(before
      ? {}
      : {
          '@type': 'Service',
          name: task.line,
          category: 'CFS',
          serviceType: 'mobileLine',
          serviceSpecification: specification,
        }),
    state: task.desired.state,
    isServiceEnabled: task.desired.state === 'active',
    serviceCharacteristic: [
      ...(before?.serviceCharacteristic ?? []).filter(({ name }) => !Object.hasOwn(ours, name)),
      ...Object.entries(ours).map(([name, value]) => ({ name, valueType: valueTypeOf(value), value })),
    ],
  };
}

function valueTypeOf(value: unknown): string {
  return typeof value === 'object' ? 'object' : typeof value;
}

/** Undefined for a service that is not of our making. */
export function markOf(service: ForeignService): TaskMark | undefined {
  return taskMark.safeParse(characteristicOf(service, markName)).data;
}

/** When the task of a service came in, as far as the service knows. */
export function receivedAtOf(service: ForeignService): Date | undefined {
  const mark = markOf(service);
  return mark?.receivedAt ?? z.coerce.date().safeParse(service.serviceDate ?? Number.NaN).data;
}

const lineOfService = z.object({
  state: z.enum(networkStates),
  data: z.boolean(),
  voice: z.boolean(),
  sms: z.boolean(),
  roamingData: z.boolean(),
  msisdn,
  iccid,
});

export function lineOf(service: ForeignService): NetworkLine | undefined {
  const mark = markOf(service);
  const values = Object.fromEntries(
    ['msisdn', 'iccid', ...switches].map((name) => [name, characteristicOf(service, name)]),
  );
  const read = lineOfService.safeParse({ ...values, state: service.state });
  if (!mark || !read.success) return undefined;
  const changedAt = receivedAtOf(service) ?? new Date(0);
  return { ...read.data, line: service.name ?? '', sequence: mark.sequence, changedAt };
}
