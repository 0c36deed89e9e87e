import type { DesiredLine, Network, NetworkAnswer } from '../../adapters/network.ts';
import { RequestRefused } from '../../adapters/outcome.ts';
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { type StepContext, type StepDefinition, schedule, TryLater } from '../core/flow.ts';
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
        key: `network:${service.id}:${monitor.sequence}`,
        decided: Number(service.networkSequence),
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
    const { decided, ...asked } = task;
    const { network } = context.outside;
    const key = mayRefuse || context.step.attempts === 1 ? task.key : await unrefusedKey(network, task.key);
    let answer: NetworkAnswer | undefined;
    try {
      answer = await network.apply({ ...asked, key });
    } catch (error) {
      await rememberForgotten(context, task, error);
      if (!mayGiveUp) throw error;
    }
    if (answer?.outcome === 'superseded' && answer.newestSequence > decided) {
      await goPast(context, task, answer.newestSequence);
      throw new TryLater(`The network knows a task ${answer.newestSequence} of this line that we do not.`);
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

interface Decided {
  line: string;
  sequence: number;
  /** Of the newest task of this line that we know of. */
  decided: number;
}

/** The key of a task that we never sent, or sent with something else in it, names a task from before a restore. */
async function rememberForgotten(context: StepContext, task: Decided, error: unknown): Promise<void> {
  if (!(error instanceof RequestRefused) || error.code !== 'key_reused') return;
  const stands = await context.outside.network.line(task.line);
  await goPast(context, task, stands?.sequence ?? 0);
}

/**
 * A database that was restored has forgotten what was decided since the backup, and the network has not: it would take what
 * we decide now for something older. All that is open for the line is moved past the newest that the network knows, in its
 * order, so that our word is the last one again.
 */
async function goPast(context: StepContext, { line, sequence, decided }: Decided, newest: number): Promise<void> {
  await context.during('network.go_past', async (tx) => {
    const service = await getRow(tx, 'service', { id: line }, true);
    // Another task of the line was here meanwhile, and took this one along.
    if (service.networkSequence !== BigInt(decided)) return;
    const by = BigInt(Math.max(newest, decided) + 1 - sequence);
    await tx.sql`UPDATE "monitor" SET "sequence" = "sequence" + ${by} WHERE "service_id" = ${line} AND "sequence" >= ${sequence}`;
    await updateRows(tx, 'service', { id: line }, { networkSequence: service.networkSequence + by });
  });
}

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
