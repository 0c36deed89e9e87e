import type { Api } from '../../generated/operations.ts';
import type { JsonObject } from '../../kernel/json.ts';

/**
 * One working example for every served operation, as data. The pages at `/docs`, the mock and a test that runs each of
 * them against a real server all read from here.
 *
 * A word in capitals behind a dollar sign (`$CUSTOMER_ID`) is a shell variable: the script that shows the example comes
 * by it first, so that what is copied works by itself.
 */
export interface ResourceExamples {
  /** The query of a list, as one would ask it. */
  readonly list: string;
  /** Whose id the examples of one resource use: one made for the purpose, or one that is there. Made where it can be. */
  readonly one?: Variable;
  readonly create?: BodyExample;
  readonly patch?: BodyExample;
  readonly delete?: { readonly one?: Variable; readonly status?: number; readonly note?: string };
}

export interface BodyExample {
  readonly body: JsonObject;
  /** Variables that the script needs beside those the body names. */
  readonly needs?: readonly string[];
  /** The status that is answered, where it is not the usual one. */
  readonly status?: number;
  readonly note?: string;
}

/** How a script comes by the value of a shell variable. */
export type Variable =
  | {
      readonly about: string;
      /** Made by the create example of `api`, `resource`. */
      readonly made: { readonly api: Api; readonly resource: string };
    }
  | {
      readonly about: string;
      /** The first of a list. */
      readonly listed: { readonly api: Api; readonly path: string };
      readonly needs?: readonly string[];
      /** A shell command that picks the value out of the answer, where it is not the id of the first entry. */
      readonly pick?: string;
      /** It comes to be a moment after what it needs: the script asks until it is there. */
      readonly isAwaited?: boolean;
    };

const made = (about: string, api: Api, resource: string): Variable => ({ about, made: { api, resource } });
const listed = (about: string, api: Api, path: string, needs: readonly string[] = []): Variable => ({
  about,
  listed: { api, path },
  needs,
});

// An order is worked on after it was answered, for about a second with the sandboxes.
const bought = (about: string, api: Api, path: string, pick?: string): Variable => ({
  about,
  listed: { api, path },
  needs: ['CUSTOMER_ID', 'PRODUCT_ORDER_ID'],
  isAwaited: true,
  ...(pick === undefined ? {} : { pick }),
});

const line = bought('the line that was ordered', 'TMF637', '/product?relatedParty.id=$CUSTOMER_ID&fields=id');
const bill = bought('the bill of the order', 'TMF678', '/customerBill?relatedParty.id=$CUSTOMER_ID&fields=id');

const bucket: Variable = {
  about: 'a bucket of the line, once it is active',
  listed: { api: 'TMF654', path: '/bucket?product.id=$LINE_ID&usageType=data&fields=id' },
  needs: ['LINE_ID'],
  isAwaited: true,
};

export const variables: Readonly<Record<string, Variable>> = {
  CUSTOMER_ID: made('a customer', 'TMF629', 'customer'),
  PAYMENT_METHOD_ID: made('a card on file of the customer', 'TMF670', 'paymentMethod'),
  PLAN_ID: listed('a plan that is on sale', 'TMF620', '/productOffering?code=PLAN_S&fields=id'),
  PRODUCT_ORDER_ID: made('an order of the customer for a line', 'TMF622', 'productOrder'),
  LINE_ID: line,
  BILL_ID: bill,
  PAID_ID: bought('the payment of the order', 'TMF676', '/payment?payer.id=$CUSTOMER_ID&status=captured&fields=id'),
  ACCOUNT_ID: {
    about: 'the billing account of the customer',
    listed: { api: 'TMF629', path: '/customer?id=$CUSTOMER_ID&fields=account' },
    needs: ['CUSTOMER_ID'],
    pick: 'grep -o \'"acc_[^"]*\' | cut -c2-',
  },
  MSISDN: bought(
    'the number of the line, once it is active',
    'TMF638',
    '/service?relatedParty.id=$CUSTOMER_ID&state=active&category=CFS',
    'grep -o \'"value":"[0-9]*"\' | head -n 1 | cut -d\'"\' -f4',
  ),
  CATALOG_ID: made('a catalogue', 'TMF620', 'catalog'),
  CATEGORY_ID: made('a category', 'TMF620', 'category'),
  PRODUCT_OFFERING_ID: made('an offering', 'TMF620', 'productOffering'),
  PRODUCT_OFFERING_PRICE_ID: made('a price', 'TMF620', 'productOfferingPrice'),
  PRODUCT_SPECIFICATION_ID: made('a specification', 'TMF620', 'productSpecification'),
  IMPORT_JOB_ID: made('an import job', 'TMF620', 'importJob'),
  EXPORT_JOB_ID: made('an export job', 'TMF620', 'exportJob'),
  TROUBLE_TICKET_ID: made('a ticket', 'TMF621', 'troubleTicket'),
  CANCEL_PRODUCT_ORDER_ID: made('a cancellation', 'TMF622', 'cancelProductOrder'),
  USAGE_ID: made('a usage record', 'TMF635', 'usage'),
  USAGE_SPECIFICATION_ID: made('a usage specification', 'TMF635', 'usageSpecification'),
  SERVICE_ID: made('a service', 'TMF638', 'service'),
  SERVICE_ORDER_ID: made('a service order', 'TMF641', 'serviceOrder'),
  CANCEL_SERVICE_ORDER_ID: made('a cancellation', 'TMF641', 'cancelServiceOrder'),
  PAYMENT_ID: made('a payment', 'TMF676', 'payment'),
  REFUND_ID: made('a refund', 'TMF676', 'refund'),
  CUSTOMER_BILL_ON_DEMAND_ID: made('a request for a bill', 'TMF678', 'customerBillOnDemand'),
  BUCKET_ID: bucket,
  TOPUP_BALANCE_ID: made('a top-up', 'TMF654', 'topupBalance'),
  QUERY_USAGE_CONSUMPTION_ID: made('a question about use', 'TMF677', 'queryUsageConsumption'),
  PARTY_INTERACTION_ID: made('an interaction', 'TMF683', 'partyInteraction'),
};

/** A job is deleted once it has ended. */
function ended(resource: 'importJob' | 'exportJob'): Variable {
  const name = resource === 'importJob' ? 'IMPORT_JOB_ID' : 'EXPORT_JOB_ID';
  const path = `/${resource}?id=$${name}&status=Succeeded,Failed&fields=id`;
  return { about: 'the job, once it has ended', listed: { api: 'TMF620', path }, needs: [name], isAwaited: true };
}

const customer = { id: '$CUSTOMER_ID', role: 'customer', '@referredType': 'Customer' };
const money = (value: number): JsonObject => ({ unit: 'SGD', value });
const freeService: JsonObject = {
  name: 'Voicemail',
  serviceType: 'voicemail',
  state: 'feasibilityChecked',
  serviceSpecification: { id: 'voicemail', name: 'Voicemail' },
};
const renamed = { body: { description: 'Described by an example.' } };
const notDeleted = (note: string) => ({ status: 409, note });

/** By API and resource. Hubs need no data of their own. */
export const examples: Readonly<Record<string, ResourceExamples>> = {
  'TMF620.catalog': {
    list: 'lifecycleStatus=Active&fields=name,lifecycleStatus',
    create: { body: { name: 'Winter catalogue', catalogType: 'ProductCatalog' } },
    patch: renamed,
  },
  'TMF620.category': {
    list: 'isRoot=true&sort=name',
    create: { body: { name: 'Travel', description: 'For those who go abroad.', isRoot: true } },
    patch: renamed,
  },
  'TMF620.productOffering': {
    list: 'lifecycleStatus=Active&isSellable=true&fields=code,name,productOfferingPrice',
    create: {
      body: { name: 'Winter plan', description: 'Not on sale yet.', lifecycleStatus: 'In design', isSellable: false },
    },
    patch: renamed,
  },
  'TMF620.productOfferingPrice': {
    list: 'priceType=recurring&price.value.gt=20',
    create: {
      body: {
        name: 'Winter price',
        priceType: 'recurring',
        recurringChargePeriodType: 'month',
        recurringChargePeriodLength: 1,
        price: money(15),
        tax: [{ taxCategory: 'GST', taxRate: 9 }],
      },
    },
    patch: renamed,
  },
  'TMF620.productSpecification': {
    list: 'brand=Airtime&limit=2',
    create: { body: { name: 'Home router', brand: 'Airtime', productNumber: 'ROUTER' } },
    patch: renamed,
  },
  'TMF620.importJob': {
    list: 'status=Succeeded&sort=-creationDate',
    create: {
      body: {
        url: '$AIRTIME_URL/tmf-api/productCatalogManagement/v4/category',
        path: 'categories.json',
        contentType: 'application/json',
      },
      note: '`path` names a file in the folder for jobs of the installation, `.airtime/jobs`. It is read after the answer; `status` and `errorLog` of the job say what became of it.',
    },
    delete: { one: ended('importJob') },
  },
  'TMF620.exportJob': {
    list: 'status=Succeeded&sort=-creationDate',
    create: {
      body: {
        url: '$AIRTIME_URL/tmf-api/productCatalogManagement/v4/productOffering',
        contentType: 'text/csv',
        query: 'isSellable=true',
      },
      note: 'The file is written after the answer, into the folder for jobs of the installation; `path` of the job then names it.',
    },
    delete: { one: ended('exportJob') },
  },
  'TMF621.troubleTicket': {
    list: 'status=acknowledged,inProgress&severity=critical&sort=-creationDate',
    create: {
      body: {
        name: 'No data',
        description: 'Nothing loads since noon.',
        severity: 'major',
        ticketType: 'problem',
        relatedParty: [customer],
      },
    },
    patch: { body: { status: 'inProgress', statusChangeReason: 'Somebody is looking at it.' } },
  },
  'TMF622.productOrder': {
    list: 'state=completed&sort=-orderDate&limit=5&fields=state,orderDate,orderTotalPrice',
    create: {
      body: {
        relatedParty: [customer],
        productOrderItem: [{ id: '1', action: 'add', quantity: 1, productOffering: { id: '$PLAN_ID' } }],
      },
      needs: ['PAYMENT_METHOD_ID'],
      note: 'The order is answered `acknowledged` and worked on from then on: read it again, or register a hub. One that breaks a rule is answered 201 too, with `state` `rejected` and the rule in `note`.',
    },
    patch: { body: { description: 'For the daughter.', externalId: 'CRM-4711' } },
    delete: notDeleted('What was sold stays on record: the refusal shows the rule.'),
  },
  'TMF622.cancelProductOrder': {
    list: 'state=done',
    create: {
      body: { productOrder: { id: '$PRODUCT_ORDER_ID' }, cancellationReason: 'The customer changed her mind.' },
    },
  },
  'TMF629.customer': {
    list: 'status=active&name.regex=^A&sort=name',
    create: {
      body: {
        name: 'Ana Lim',
        engagedParty: { id: 'ana-lim', name: 'Ana Lim', '@referredType': 'Individual' },
        contactMedium: [{ mediumType: 'phone', characteristic: { phoneNumber: '+65 6123 4567' } }],
      },
      note: 'An email address in a contact medium is welcome, and belongs to one customer only.',
    },
    patch: { body: { status: 'active', statusReason: 'Can be reached.' } },
  },
  'TMF635.usage': {
    list: 'usageType=data&status=rated&sort=-usageDate&limit=10',
    create: {
      body: {
        usageType: 'data',
        usageCharacteristic: [
          { name: 'msisdn', value: '$MSISDN' },
          { name: 'volume', value: 5 },
          { name: 'unit', value: 'MB' },
        ],
      },
      note: 'Give `source` and `recordId` as characteristics too: the same record then counts once, however often it is sent.',
    },
    patch: { body: { description: 'Video on the train.' } },
    delete: notDeleted('Usage that was judged stays on record: the refusal shows the rule.'),
  },
  'TMF635.usageSpecification': {
    list: 'name.regex=usage&fields=name',
    create: { body: { name: 'Wifi usage', description: 'Usage of hotspots, as a partner reports it.' } },
    patch: renamed,
  },
  'TMF637.product': {
    list: 'status=active&fields=name,status,productTerm',
    one: line,
    create: {
      body: { status: 'created', productOffering: { id: '$PLAN_ID' }, relatedParty: [customer] },
      needs: ['PAYMENT_METHOD_ID'],
    },
    patch: { body: { description: 'The line of the daughter.' } },
    delete: notDeleted('What was sold stays on record: the refusal shows the rule. A line is ended by an order.'),
  },
  'TMF638.service': {
    list: 'category=CFS&state=active&fields=name,state,supportingResource',
    create: { body: freeService },
    patch: { body: { state: 'designed' } },
  },
  'TMF640.service': {
    list: 'state=active&limit=3',
    one: made('a service', 'TMF640', 'service'),
    create: { body: freeService },
    patch: { body: { state: 'designed' } },
  },
  'TMF640.monitor': {
    list: 'state=Completed&limit=3&sort=-id',
    one: listed('a monitor', 'TMF640', '/monitor?limit=1&fields=id', ['PRODUCT_ORDER_ID']),
  },
  'TMF641.serviceOrder': {
    list: 'state=acknowledged,inProgress&sort=orderDate',
    create: {
      body: {
        description: 'Voicemail for a line.',
        serviceOrderItem: [{ id: '1', action: 'add', service: freeService }],
      },
    },
    patch: { body: { state: 'inProgress' } },
  },
  'TMF641.cancelServiceOrder': {
    list: 'state=done&fields=state,serviceOrder',
    create: { body: { serviceOrder: { id: '$SERVICE_ORDER_ID' }, cancellationReason: 'Not needed any more.' } },
  },
  'TMF670.paymentMethod': {
    list: 'status=active&fields=name,brand,lastFourDigits,expirationDate',
    create: {
      body: { '@type': 'tokenizedCard', name: 'Visa', token: 'tok_visa', relatedParty: customer },
      note: 'The token is what the card gateway gave for the card; `tok_visa` is one of the sandbox.',
    },
    patch: { body: { name: 'The blue card' } },
  },
  'TMF676.payment': {
    list: 'status=captured&sort=-paymentDate&limit=5',
    create: {
      body: {
        account: { id: '$ACCOUNT_ID' },
        paymentMethod: { id: '$PAYMENT_METHOD_ID' },
        totalAmount: money(5),
      },
      note: 'Orders, renewals and top-ups charge the card by themselves. A payment that settles nothing of ours is kept, `denied`, and moves no money.',
    },
  },
  'TMF676.refund': {
    list: 'status=done&sort=-refundDate&limit=5',
    create: {
      body: {
        account: { id: '$ACCOUNT_ID' },
        paymentMethod: { id: '$PAYMENT_METHOD_ID' },
        payment: { id: '$PAID_ID' },
        totalAmount: money(2),
      },
    },
  },
  'TMF654.bucket': {
    list: 'usageType=data&status=active&fields=name,remainingValue,validFor',
    one: bucket,
  },
  'TMF654.topupBalance': {
    list: 'status=completed&sort=-requestedDate',
    create: {
      body: {
        amount: { amount: 1, units: 'GB' },
        usageType: 'data',
        bucket: { id: '$BUCKET_ID' },
        partyAccount: { id: '$ACCOUNT_ID' },
      },
      note: 'It is an order for the add-on that holds this amount, charged to the card on file; `status` says what became of it.',
    },
  },
  'TMF654.accumulatedBalance': {
    list: 'usageType=data&fields=name,totalBalance',
    one: listed('a sum', 'TMF654', '/accumulatedBalance?limit=1&fields=id', ['BUCKET_ID']),
  },
  'TMF677.queryUsageConsumption': {
    list: 'limit=5',
    create: { body: { searchCriteria: { product: [{ id: '$LINE_ID' }] } } },
  },
  'TMF678.customerBillOnDemand': {
    list: 'state=done',
    create: { body: { name: 'A statement', billingAccount: { id: '$ACCOUNT_ID' }, relatedParty: customer } },
  },
  'TMF678.customerBill': {
    list: 'category=receipt&sort=-billDate&limit=5&fields=billNo,billDate,taxIncludedAmount',
    one: bill,
    patch: { body: { state: 'onHold' } },
  },
  'TMF678.appliedCustomerBillingRate': {
    list: 'isBilled=true&limit=5',
    one: listed('a rate', 'TMF678', '/appliedCustomerBillingRate?limit=1&fields=id', ['PRODUCT_ORDER_ID']),
  },
  'TMF683.partyInteraction': {
    list: 'direction=inbound&sort=-creationDate&limit=5',
    create: {
      body: {
        description: 'Asked how to travel with the plan.',
        direction: 'inbound',
        reason: 'question',
        status: 'opened',
        channel: [{ id: 'phone', href: 'https://crm.example.com/channel/phone', name: 'Phone' }],
        interactionDate: { startDateTime: '2027-01-15T09:30:00Z' },
        relatedParty: [{ ...customer, href: '$AIRTIME_URL/tmf-api/customerManagement/v4/customer/$CUSTOMER_ID' }],
      },
    },
    patch: { body: { status: 'completed' } },
  },
};

/** Examples of the doors themselves, by the page that shows them. They are run as the others are. */
export const doorExamples = {
  firstCall: {
    request:
      'curl -i "$AIRTIME_URL/tmf-api/productCatalogManagement/v4/productOffering?isSellable=true&fields=code,name" \\\n  -H "Authorization: Bearer $TOKEN"',
    statuses: [200],
  },
  error: {
    request:
      'curl -i "$AIRTIME_URL/tmf-api/customerManagement/v4/customer/cus_unknown" \\\n  -H "Authorization: Bearer $TOKEN"',
    statuses: [404],
  },
  toolList: { request: 'curl -i "$AIRTIME_URL/tools" -H "Authorization: Bearer $TOKEN"', statuses: [200] },
  tool: {
    request: `curl -i "$AIRTIME_URL/tools/offering.list" -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' -d '{}'`,
    statuses: [200],
  },
} as const;
