import type { DesiredLine, Network, NetworkAnswer } from '../../adapters/network.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { type StepDefinition, schedule, TryLater } from '../core/flow.ts';
import { text } from '../core/party.ts';
import { lockResource, saveResource } from '../core/resource.ts';
import { getRow, updateRows } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';
import { monitorResource } from '../service/resource.ts';

/**
 * How often a task that an order waits for is tried before the order gives up. Everything else that the network must
 * know, a block above all, is tried until it confirms.
 */
const attemptsForOrders = 6;

function desiredOf(value: unknown): DesiredLine {
  if (!isJsonObject(value)) throw new Error('a monitor knows what the line shall be');
  const state = value.state === 'active' || value.state === 'terminated' ? value.state : 'inactive';
  return {
    state,
    data: value.data === true,
    voice: value.voice === true,
    sms: value.sms === true,
    roamingData: value.roamingData === true,
  };
}

const deliver: StepDefinition = {
  flow: 'network',
  step: 'deliver',
  summary: 'Tell the network',
  async run(context) {
    const monitorId = text(context.step.input.monitorId) ?? '';
    const task = await context.during('network.read', async (tx) => {
      const monitor = await getRow(tx, 'monitor', { id: monitorId });
      const service = await getRow(tx, 'service', { id: monitor.serviceId ?? '' });
      // The profile is the task's own: a key names one task, and the line may have another profile by now.
      const told = isJsonObject(monitor.desired) ? text(monitor.desired.esimId) : undefined;
      const esim = await getRow(tx, 'esimProfile', { id: told ?? service.esimId ?? '' });
      return {
        key: context.step.key,
        line: service.id,
        sequence: Number(monitor.sequence),
        msisdn: service.msisdn ?? '',
        iccid: esim.iccid,
        desired: desiredOf(monitor.desired),
      };
    });
    const then = isJsonObject(context.step.input.then) ? context.step.input.then : undefined;
    // An order can end in a refusal. A line that must be stopped, served again or let go of cannot.
    const mayRefuse = then?.refused !== undefined && task.desired.state !== 'terminated';
    const mayGiveUp = mayRefuse && context.step.attempts >= attemptsForOrders;
    const key =
      mayRefuse || context.step.attempts === 1 ? task.key : await unrefusedKey(context.outside.network, task.key);
    let answer: NetworkAnswer | undefined;
    try {
      answer = await context.outside.network.apply({ ...task, key });
    } catch (error) {
      if (!mayGiveUp) throw error;
    }
    if (answer?.outcome === 'refused' && !mayGiveUp && !(mayRefuse && answer.permanent))
      throw new TryLater(`${answer.code}: ${answer.message}`);
    const refusal =
      answer === undefined
        ? 'The network did not answer in time.'
        : answer.outcome === 'refused'
          ? `${answer.code}: ${answer.message}`
          : undefined;
    await context.finish(refusal === undefined ? 'network.confirm' : 'network.refuse', async (tx) => {
      await closeMonitor(tx, monitorId, refusal);
      if (refusal === undefined) await updateConfirmed(tx, task.line, task.sequence);
      if (then) await goOn(tx, then, monitorId, refusal);
    });
  },
};

/** A key keeps a refusal for good, so what must be done all the same is asked again under the next key. */
async function unrefusedKey(network: Network, first: string): Promise<string> {
  for (let round = 1; ; round += 1) {
    const key = round === 1 ? first : `${first}:${round}`;
    const found = await network.find(key);
    if (found?.outcome !== 'refused' || !found.permanent) return key;
  }
}

async function closeMonitor(tx: Tx, monitorId: string, refusal: string | undefined): Promise<void> {
  const monitor = await lockResource(tx, monitorResource, monitorId);
  await saveResource(
    tx,
    monitorResource,
    monitor,
    {
      ...monitor.document,
      state: refusal === undefined ? 'Completed' : 'InError',
      response: {
        statusCode: refusal === undefined ? '200' : '422',
        body: JSON.stringify(refusal === undefined ? monitor.row.desired : { message: refusal }),
        header: [{ name: 'Content-Type', value: 'application/json' }],
      },
    },
    { confirmedAt: refusal === undefined ? tx.now : null },
  );
}

/** What the network last confirmed, for people to see. A late answer to an older task says nothing new. */
async function updateConfirmed(tx: Tx, serviceId: string, sequence: number): Promise<void> {
  const service = await getRow(tx, 'service', { id: serviceId }, true);
  if (service.networkSequence === BigInt(sequence)) {
    await updateRows(
      tx,
      'service',
      { id: serviceId },
      { confirmed: isJsonObject(service.desired) ? service.desired : {} },
    );
  }
}

async function goOn(tx: Tx, then: JsonObject, monitorId: string, refusal: string | undefined): Promise<void> {
  const step = text(refusal === undefined ? then.confirmed : then.refused) ?? '';
  const subject = text(then.subject) ?? '';
  const flow = text(then.flow) ?? '';
  await schedule(tx, {
    flow,
    subject,
    step,
    key: `${flow}:${subject}:${step}:${monitorId}`,
    input: refusal === undefined ? {} : { reason: refusal },
  });
}

export const networkSteps: readonly StepDefinition[] = [deliver];
