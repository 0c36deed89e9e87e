import { type Api, apis, type Resource, resources } from '../../generated/operations.ts';

/** One event of the contract: what it is called on the wire, and where the official document has subscribers listen. */
export interface ContractEvent {
  readonly name: string;
  /** `productOrderCreateEvent`: the last part of the listener's path. */
  readonly listener: string;
}

const known: ReadonlyMap<string, ReadonlyMap<string, ContractEvent>> = new Map(
  resources.map((one) => [`${one.api} ${one.resource}`, eventsOf(one)] as const),
);

function eventsOf(resource: Resource): ReadonlyMap<string, ContractEvent> {
  return new Map(
    resource.events.map(({ name, path }) => [name, { name, listener: path.slice(path.lastIndexOf('/') + 1) }] as const),
  );
}

/**
 * The event that subscribers of an API are told, or undefined when the contract has none. Where a resource has no event
 * for a change of state (a usage specification), the change is told as one of an attribute, which it is.
 */
export function contractEvent(api: string, resourceType: string, type: string): ContractEvent | undefined {
  const events = known.get(`${api} ${resourceType}`);
  return events?.get(type) ?? events?.get(type.replace(/Stat(e|us)ChangeEvent$/, 'AttributeValueChangeEvent'));
}

/** The resources of an API that have events at all. */
export function observedResources(api: string): string[] {
  return resources.filter((one) => one.api === api && one.events.length > 0).map((one) => one.resource);
}

export function apiTitle(api: string): string {
  return apis.find((one) => one.api === api)?.title ?? api;
}

export function isApi(name: string): name is Api {
  return apis.some((one) => one.api === name);
}
