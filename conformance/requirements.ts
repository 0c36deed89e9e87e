/**
 * What TMF630 asks of every resource, line by line. Each line is asked of every subject of its scope, which gives the
 * rows of the matrix: `R-LIST-TOTAL/TMF622/productOrder`.
 */

/** What a line is asked of: every served operation, every resource that offers a kind of operation, every API, every event. */
export type Scope =
  | 'operation'
  | 'list'
  | 'create'
  | 'retrieve'
  | 'patch'
  | 'delete'
  | 'resource'
  | 'task'
  | 'api'
  | 'event';

interface Line {
  readonly id: string;
  readonly scope: Scope;
  readonly says: string;
}

export const requirements = [
  { id: 'R-AUTH-NONE', scope: 'operation', says: 'without credentials the answer is 401 with a challenge' },
  { id: 'R-AUTH-SERVED', scope: 'operation', says: 'with credentials the operation succeeds, or is refused by a rule' },
  { id: 'R-AUTH-SCOPE', scope: 'api', says: 'a token of another API is refused with 403' },

  { id: 'R-ITEM-200', scope: 'retrieve', says: 'an item is answered 200' },
  { id: 'R-ITEM-404', scope: 'retrieve', says: 'an unknown item is 404' },
  { id: 'R-ITEM-ID-HREF', scope: 'retrieve', says: 'an item has its id and absolute href' },
  { id: 'R-ITEM-FIELDS', scope: 'retrieve', says: 'fields=a,b gives those plus id and href' },
  { id: 'R-ITEM-FIELDS-NONE', scope: 'retrieve', says: 'fields=none gives only id and href' },
  { id: 'R-ITEM-ETAG', scope: 'retrieve', says: 'an item has an ETag, the same while it does not change' },

  { id: 'R-LIST-ARRAY', scope: 'list', says: 'a list is 200 with an array' },
  { id: 'R-LIST-EMPTY', scope: 'list', says: 'a list of nothing is 200 with [] and counts of 0' },
  { id: 'R-LIST-ID-HREF', scope: 'list', says: 'each entry has its id and absolute href' },
  { id: 'R-LIST-TOTAL', scope: 'list', says: 'X-Total-Count counts before paging' },
  { id: 'R-LIST-RESULT', scope: 'list', says: 'X-Result-Count counts the page' },
  { id: 'R-LIST-DEFAULT-PAGE', scope: 'list', says: 'without limit a page is 100' },
  { id: 'R-LIST-PARTIAL', scope: 'list', says: 'a part is 206, a whole 200' },
  { id: 'R-LIST-LINKS', scope: 'list', says: 'Link leads to first, prev, next, last' },
  { id: 'R-LIST-PAST-END', scope: 'list', says: 'an offset past the end gives []' },
  { id: 'R-LIST-BAD-PAGING', scope: 'list', says: 'negative or non-numeric paging is 400' },
  { id: 'R-LIST-PAGES', scope: 'list', says: 'pages are stable, disjoint and complete' },
  { id: 'R-LIST-SORT', scope: 'list', says: 'sort=a and sort=-a order the list' },
  { id: 'R-LIST-SORT-NESTED', scope: 'list', says: 'sort=-a,b.c orders by several, nested too' },
  { id: 'R-LIST-FIELDS', scope: 'list', says: 'fields=a,b gives those plus id and href' },
  { id: 'R-LIST-FIELDS-NONE', scope: 'list', says: 'fields=none gives only id and href' },

  { id: 'R-FILTER-EQUAL', scope: 'list', says: 'a=v' },
  { id: 'R-FILTER-EXACT', scope: 'list', says: 'the exact string that the server returned finds its resource' },
  { id: 'R-FILTER-AND', scope: 'list', says: 'several filters are ANDed' },
  { id: 'R-FILTER-OR-COMMA', scope: 'list', says: 'a=x,y is either' },
  { id: 'R-FILTER-OR-REPEAT', scope: 'list', says: 'a=x&a=y is either' },
  { id: 'R-FILTER-EQ', scope: 'list', says: 'a.eq=v' },
  { id: 'R-FILTER-NE', scope: 'list', says: 'a.ne=v' },
  { id: 'R-FILTER-GT', scope: 'list', says: 'a.gt=v' },
  { id: 'R-FILTER-GTE', scope: 'list', says: 'a.gte=v' },
  { id: 'R-FILTER-LT', scope: 'list', says: 'a.lt=v' },
  { id: 'R-FILTER-LTE', scope: 'list', says: 'a.lte=v' },
  { id: 'R-FILTER-REGEX', scope: 'list', says: 'a.regex=p' },
  { id: 'R-FILTER-ENCODED', scope: 'list', says: 'operators as signs, plain and encoded' },
  { id: 'R-FILTER-NESTED', scope: 'list', says: 'a.b=v reaches into objects' },
  { id: 'R-FILTER-ARRAY', scope: 'list', says: 'a.b=v reaches through arrays' },
  { id: 'R-FILTER-DATE', scope: 'list', says: 'dates are compared as instants' },
  { id: 'R-FILTER-NUMBER', scope: 'list', says: 'numbers are compared as numbers' },
  { id: 'R-FILTER-BOOLEAN', scope: 'list', says: 'booleans are compared' },
  { id: 'R-FILTER-UNKNOWN', scope: 'list', says: 'attributes outside the schema are filtered too' },
  { id: 'R-FILTER-JSONPATH', scope: 'list', says: 'filter= takes JSONPath' },
  { id: 'R-FILTER-JSONPATH-BAD', scope: 'list', says: 'bad JSONPath is 400' },
  { id: 'R-FILTER-JSONPATH-UNSUPPORTED', scope: 'list', says: 'unsupported JSONPath is 501' },

  { id: 'R-CREATE-201', scope: 'create', says: 'a create is answered 201 with the body' },
  { id: 'R-CREATE-LOCATION', scope: 'create', says: 'Location is the href, and leads to the resource' },
  { id: 'R-CREATE-DEFAULTS', scope: 'create', says: 'the server fills state, dates and @type' },
  { id: 'R-CREATE-MANDATORY', scope: 'create', says: 'each missing mandatory attribute is 400, named' },
  { id: 'R-CREATE-TYPE', scope: 'create', says: 'an attribute of the wrong type is 400' },
  { id: 'R-CREATE-MALFORMED', scope: 'create', says: 'malformed JSON is 400' },
  { id: 'R-CREATE-MEDIA-TYPE', scope: 'create', says: 'a wrong media type is 415' },
  { id: 'R-CREATE-ACCEPT', scope: 'create', says: 'an Accept that rules JSON out is 406' },
  { id: 'R-CREATE-ID', scope: 'create', says: 'id and href are the server’s to give' },
  { id: 'R-CREATE-IDEMPOTENT', scope: 'create', says: 'the same Idempotency-Key and body give the first answer' },
  { id: 'R-CREATE-KEY-REUSED', scope: 'create', says: 'the same Idempotency-Key with another body is 422' },
  { id: 'R-CREATE-KEY-PER-CALLER', scope: 'create', says: 'an Idempotency-Key is the caller’s own' },

  { id: 'R-PATCH-200', scope: 'patch', says: 'a patch is 200 with the whole resource' },
  { id: 'R-PATCH-KEPT', scope: 'patch', says: 'what was patched is stored, and nothing else changed' },
  { id: 'R-PATCH-NULL', scope: 'patch', says: 'null removes an attribute' },
  { id: 'R-PATCH-ARRAY', scope: 'patch', says: 'an array is replaced whole' },
  { id: 'R-PATCH-JSON', scope: 'patch', says: 'JSON patch: add, replace, remove, test' },
  { id: 'R-PATCH-JSON-ATOMIC', scope: 'patch', says: 'a JSON patch whose test fails changes nothing' },
  { id: 'R-PATCH-IMMUTABLE', scope: 'patch', says: 'id and href cannot be changed' },
  { id: 'R-PATCH-TRANSITION', scope: 'patch', says: 'a legal transition is made' },
  { id: 'R-PATCH-ILLEGAL', scope: 'patch', says: 'an illegal transition is refused with nothing changed' },
  { id: 'R-PATCH-404', scope: 'patch', says: 'a patch of an unknown resource is 404' },
  { id: 'R-PATCH-MALFORMED', scope: 'patch', says: 'a malformed patch is 400' },
  { id: 'R-PATCH-MEDIA-TYPE', scope: 'patch', says: 'a patch of another media type is 415' },
  { id: 'R-PATCH-ETAG', scope: 'patch', says: 'a patch gives a new ETag' },
  {
    id: 'R-PATCH-IF-MATCH',
    scope: 'patch',
    says: 'If-Match is honoured: 200 when it matches, else 412 with nothing changed',
  },

  { id: 'R-DELETE-204', scope: 'delete', says: 'a delete is 204 without a body' },
  { id: 'R-DELETE-AGAIN', scope: 'delete', says: 'a second delete is 404, and so is a read' },
  { id: 'R-DELETE-UNKNOWN', scope: 'delete', says: 'a delete of an unknown resource is 404' },
  { id: 'R-DELETE-IF-MATCH', scope: 'delete', says: 'If-Match is honoured with 412' },
  {
    id: 'R-DELETE-REFUSED',
    scope: 'delete',
    says: 'what money, quota or a live line depends on is refused, and stays',
  },

  { id: 'R-TASK-NO-PATCH', scope: 'task', says: 'a task has no PATCH: 405 with Allow' },
  { id: 'R-TASK-ENDS', scope: 'task', says: 'a task is created, runs, and ends' },

  { id: 'R-ERROR-SHAPE', scope: 'operation', says: 'each error is a TMF Error' },
  { id: 'R-ERROR-METHOD', scope: 'resource', says: 'a method that is not offered is 405 with Allow' },
  { id: 'R-ERROR-FRAMEWORK', scope: 'api', says: 'the framework’s own errors are TMF Errors too' },
  { id: 'R-ERROR-POLICY', scope: 'resource', says: 'a refusal carries the rule’s code as reason' },

  {
    id: 'R-SHAPE-ROUND-TRIP',
    scope: 'create',
    says: '@type, @baseType, @schemaLocation and unknown attributes survive',
  },
  { id: 'R-SHAPE-REFERENCES', scope: 'resource', says: 'references carry id, href and @referredType' },
  { id: 'R-SHAPE-FOREIGN', scope: 'create', says: 'a reference that leaves the API is not resolved' },
  { id: 'R-SHAPE-ACTED-ON', scope: 'create', says: 'a reference that the domain acts on is resolved' },

  { id: 'R-SHAPE-SHARED', scope: 'api', says: 'a resource of two APIs is valid in both, whichever it came by' },

  { id: 'R-PATH-CASE', scope: 'resource', says: 'fixed segments match in any case' },
  { id: 'R-PATH-SLASH', scope: 'resource', says: 'a trailing slash is allowed' },
  { id: 'R-PATH-ID-CASE', scope: 'retrieve', says: 'ids keep their case' },
  {
    id: 'R-PATH-PUBLIC-URL',
    scope: 'resource',
    says: 'links use the configured public address, never the Host header',
  },
  { id: 'R-PATH-HEAD', scope: 'resource', says: 'HEAD answers as GET without a body' },
  { id: 'R-PATH-OPTIONS', scope: 'resource', says: 'OPTIONS answers with Allow' },
  { id: 'R-PATH-BASES', scope: 'api', says: 'every base path answers alike' },

  { id: 'R-HUB-201', scope: 'api', says: 'a hub with callback and query is 201 with Location' },
  { id: 'R-HUB-BAD-CALLBACK', scope: 'api', says: 'a bad callback is 400' },
  { id: 'R-HUB-PRIVATE', scope: 'api', says: 'a callback to a private address is refused unless allowed' },
  { id: 'R-HUB-BAD-QUERY', scope: 'api', says: 'a query that cannot be read is 400' },
  { id: 'R-HUB-DELETE', scope: 'api', says: 'DELETE of a hub is 204, then 404' },

  { id: 'R-EVENT-DELIVERED', scope: 'event', says: 'the event reaches the listener' },
  { id: 'R-EVENT-SHAPE', scope: 'event', says: 'it has the shape that the contract gives it, and its resource' },
  { id: 'R-EVENT-PATH', scope: 'event', says: 'it arrives where the contract has subscribers listen' },
  { id: 'R-EVENT-ORDER', scope: 'api', says: 'events of a resource come in order' },
  { id: 'R-EVENT-QUERY', scope: 'api', says: 'a hub’s query filters' },
  { id: 'R-EVENT-REFUSED', scope: 'api', says: 'a refused request makes no event' },
  { id: 'R-EVENT-UNREGISTERED', scope: 'api', says: 'nothing comes after unregistering' },
  { id: 'R-EVENT-RETRIED', scope: 'api', says: 'a listener that was down gets every event when it is back' },
  { id: 'R-EVENT-SIGNED', scope: 'api', says: 'each delivery is signed' },

  { id: 'R-KIT-FILTER', scope: 'list', says: 'the conformance kit’s filters, with exact strings, find the resource' },
] as const satisfies readonly Line[];

export type RequirementId = (typeof requirements)[number]['id'];

export interface Requirement extends Line {
  readonly id: RequirementId;
}
