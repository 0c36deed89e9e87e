import type { JsonObject } from '../../kernel/json.ts';
import { objects, refs, text } from '../core/party.ts';
import { createResource, lockResource, type ResourceDefinition, saveResource } from '../core/resource.ts';
import { findRow, type Tables } from '../core/table.ts';
import type { Tx } from '../core/transaction.ts';

/** Services and service orders that the house makes for its own lines; clients' own are in policy/service*. */
export const lineServiceResource: ResourceDefinition<'service'> = {
  resource: 'service',
  api: 'TMF638',
  table: 'service',
  prefix: 'svc',
};

export const lineServiceOrderResource: ResourceDefinition<'serviceOrder'> = {
  resource: 'serviceOrder',
  api: 'TMF641',
  table: 'serviceOrder',
  prefix: 'so',
};

interface NewLine {
  subscriptionId: string;
  serviceId: string;
  serviceOrderId: string;
  productOrderId: string;
  itemId: string;
  customerId: string;
  msisdn: string;
  esim: Tables['esimProfile'];
  planName: string;
}

const kinds = [
  { serviceType: 'data', name: 'Mobile data' },
  { serviceType: 'voice', name: 'Voice calls' },
  { serviceType: 'sms', name: 'Text messages' },
];

/**
 * The line as the network will know it: one customer-facing service and, under it, data, voice and SMS as
 * resource-facing ones, all reserved, and the service order that asks for them.
 */
export async function createLineServices(tx: Tx, line: NewLine): Promise<void> {
  const at = tx.now.toISOString();
  const supporting = [
    { ...refs.number(line.msisdn), value: line.msisdn },
    { ...refs.esim(line.esim.id), value: `…${line.esim.iccid.slice(-4)}` },
  ];
  const children = kinds.map((kind) => ({ ...kind, id: tx.newId('svc') }));
  const shared: JsonObject = {
    '@type': 'Service',
    state: 'reserved',
    isServiceEnabled: false,
    hasStarted: false,
    isStateful: true,
    startMode: '1',
    serviceDate: at,
    relatedParty: [refs.customer(line.customerId)],
    serviceOrderItem: [
      {
        itemId: line.itemId,
        serviceOrderId: line.serviceOrderId,
        serviceOrderHref: refs.serviceOrder(line.serviceOrderId).href,
        itemAction: 'add',
        role: 'initiator',
        '@referredType': 'ServiceOrder',
      },
    ],
  };
  await createResource(
    tx,
    lineServiceResource,
    {
      ...shared,
      name: `Mobile line ${line.msisdn}`,
      description: `${line.planName} on ${line.msisdn}`,
      category: 'CFS',
      serviceType: 'mobileLine',
      serviceCharacteristic: [
        { name: 'msisdn', valueType: 'string', value: line.msisdn },
        { name: 'roaming', valueType: 'boolean', value: true },
      ],
      serviceSpecification: refs.serviceSpecification('CustomerFacing', 'mobile-line', 'Mobile line'),
      supportingResource: supporting,
      supportingService: children.map((child) => refs.service(child.id, child.name)),
      serviceRelationship: children.map((child) => ({
        relationshipType: 'reliesOn',
        service: refs.service(child.id, child.name),
      })),
    },
    {
      category: 'CFS',
      subscriptionId: line.subscriptionId,
      msisdn: line.msisdn,
      esimId: line.esim.id,
      networkSequence: 0n,
    },
    line.serviceId,
  );
  for (const child of children) {
    await createResource(
      tx,
      lineServiceResource,
      {
        ...shared,
        name: child.name,
        description: `${child.name} of ${line.msisdn}`,
        category: 'RFS',
        serviceType: child.serviceType,
        serviceCharacteristic: [{ name: 'msisdn', valueType: 'string', value: line.msisdn }],
        serviceSpecification: refs.serviceSpecification('ResourceFacing', `mobile-${child.serviceType}`, child.name),
        supportingResource: supporting,
      },
      { category: 'RFS', subscriptionId: line.subscriptionId, parentId: line.serviceId, msisdn: line.msisdn },
      child.id,
    );
  }
  await createResource(
    tx,
    lineServiceOrderResource,
    {
      '@type': 'ServiceOrder',
      externalId: line.productOrderId,
      category: 'mobile',
      description: `Provision ${line.msisdn}`,
      orderDate: at,
      startDate: at,
      state: 'inProgress',
      // TMF641, unlike its siblings, requires the type of a related party.
      relatedParty: [{ ...refs.customer(line.customerId), '@type': 'RelatedParty' }],
      serviceOrderItem: [
        {
          id: '1',
          action: 'add',
          state: 'inProgress',
          service: { ...refs.service(line.serviceId), serviceType: 'mobileLine', state: 'active', '@type': 'Service' },
        },
      ],
    },
    { productOrderId: line.productOrderId, externalId: line.productOrderId },
    line.serviceOrderId,
  );
}

/** Ends the service order of a line with the state it came to. */
export async function endServiceOrder(
  tx: Tx,
  serviceOrderId: string | null,
  state: 'completed' | 'failed' | 'cancelled',
  reason?: string,
): Promise<void> {
  if (serviceOrderId === null || !(await findRow(tx, 'serviceOrder', { id: serviceOrderId }, true))) return;
  const order = await lockResource(tx, lineServiceOrderResource, serviceOrderId);
  if (text(order.document.state) === state) return;
  const at = tx.now.toISOString();
  await saveResource(tx, lineServiceOrderResource, order, {
    ...order.document,
    state,
    completionDate: at,
    serviceOrderItem: objects(order.document.serviceOrderItem).map((item) => ({ ...item, state })),
    ...(reason ? { errorMessage: [{ code: 'provisioning', reason, message: reason, timestamp: at }] } : {}),
  });
}
