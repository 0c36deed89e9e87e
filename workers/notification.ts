import { apiTitle, contractEvent } from '../policy/notification/contract-events.ts';
import type { DueEvent } from '../policy/notification/delivery.ts';
import { linkOf } from '../read/bindings.ts';

/** An event as a subscriber gets it. */
export interface Notification {
  readonly name: string;
  /** Where the official document has subscribers listen, below their callback: `productOrderCreateEvent`. */
  readonly listener: string;
  readonly body: string;
}

/**
 * The body of the official event schemas. The id is that of the recorded event, the same when it is sent again. Undefined
 * when the contract has no such event, or the event no resource.
 */
export function notificationOf(
  queue: { api: string; resourceType: string; resourceId: string },
  event: DueEvent,
  publicUrl: string,
): Notification | undefined {
  const { api, resourceType, resourceId } = queue;
  const known = contractEvent(api, resourceType, event.type);
  if (!known || event.resource === null) return undefined;
  const { id: _id, href: _href, ...rest } = event.resource;
  const isAttributeChange = known.name.endsWith('AttributeValueChangeEvent');
  const body = {
    eventId: event.id,
    eventTime: event.occurredAt,
    eventType: known.name,
    ...(event.requestId === null ? {} : { correlationId: event.requestId }),
    domain: apiTitle(api),
    title: titleOf(known.name),
    timeOcurred: event.occurredAt,
    ...(isAttributeChange && event.changed !== null && event.changed.length > 0
      ? { fieldPath: event.changed.join(',') }
      : {}),
    event: { [resourceType]: { id: resourceId, href: linkOf(api, resourceType, resourceId), ...rest } },
  };
  return { name: known.name, listener: known.listener, body: withAbsoluteLinks(JSON.stringify(body), publicUrl) };
}

/** `ProductOrderStateChangeEvent`: "Product order state change". */
function titleOf(name: string): string {
  const words = name
    .replace(/Event$/, '')
    .replace(/([A-Z])/g, ' $1')
    .trim()
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Links of ours are stored without the public address, so that it can change. */
function withAbsoluteLinks(json: string, publicUrl: string): string {
  const address = JSON.stringify(publicUrl).slice(1, -1);
  return json.replace(/"airtime:(?=\/(?:tmf-api|payment)\/)/g, () => `"${address}`);
}
