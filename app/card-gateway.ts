import type { Logger } from 'pino';
import type { CardGateway, GatewayDoor } from '../adapters/card-gateway.ts';
import { RequestRefused } from '../adapters/outcome.ts';
import { systemCaller } from '../kernel/caller.ts';
import type { MachineClock } from '../kernel/clock.ts';
import { AirtimeError } from '../kernel/error.ts';
import { execute, type Policy } from '../policy/core/command.ts';
import { runStatement } from '../policy/core/transaction.ts';
import { receiveGatewayEvent } from '../policy/payment/gateway-event.ts';
import type { WebhookParts } from '../surfaces/http/webhooks.ts';
import { type Configuration, ConfigurationError } from './configuration.ts';

/** Stripe, when the configuration chooses it. Its SDK is loaded only then: it costs memory. */
export async function openChosenGateway(
  configuration: Pick<Configuration, 'stripe' | 'publicUrl'>,
  clock: MachineClock,
): Promise<{ gateway: CardGateway; door: GatewayDoor } | undefined> {
  const { stripe } = configuration;
  if (stripe === undefined) return undefined;
  const { openStripeCardGateway } = await import('../adapters/stripe/stripe-card-gateway.ts');
  const gateway = openStripeCardGateway({
    secretKey: stripe.secretKey,
    webhookSecret: stripe.webhookSecret,
    url: stripe.url,
    returnUrl: stripe.returnUrl ?? configuration.publicUrl,
    now: clock.now,
  });
  return { gateway, door: gateway.door };
}

/** A movable clock never meets a real card: a database whose time was stopped is not served with one. */
export async function refuseMovedClock(policy: Policy): Promise<void> {
  if (policy.outside.gateway.kind === 'sandbox') return;
  const [clock] = await runStatement<{ mode: string }>(policy.pool, 'SELECT "mode" FROM "business_clock"', []);
  if (clock === undefined || clock.mode === 'wall') return;
  throw new ConfigurationError(
    'AIRTIME_CARD_GATEWAY: business time of this database stands still or was moved, and a movable clock never meets a real card. ' +
      'Start once with the sandbox and let it run again (bss clock thaw), or use another database.',
  );
}

/** Where the gateway's notices come in. Who sends a wrong signature leaves a line in the log and nothing else. */
export function gatewayWebhook(parts: {
  policy: Policy;
  door: GatewayDoor;
  log: Pick<Logger, 'warn'>;
  wake: () => void;
}): WebhookParts {
  const name = parts.policy.outside.gateway.kind;
  return {
    name,
    async receive(body, headers, requestId) {
      const notice = await parts.door.read(body, headers).catch((error: unknown) => {
        if (!(error instanceof RequestRefused)) throw error;
        parts.log.warn({ requestId, webhook: name, reason: error.code }, 'a notice was refused');
        throw new AirtimeError(
          400,
          error.code === 'unauthorised' ? 'webhook.signature' : 'webhook.not_an_event',
          error.message,
        );
      });
      const { id, type, gatewayReference } = notice;
      const caller = { ...systemCaller(`card gateway ${name}`), requestId };
      const input = { id, type, ...(gatewayReference === undefined ? {} : { gatewayReference }) };
      const { isNew } = await execute(parts.policy, receiveGatewayEvent, input, caller);
      parts.wake();
      return isNew;
    },
  };
}
