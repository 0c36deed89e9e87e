import { AirtimeError } from '../../kernel/error.ts';

/** A query string that breaks a rule of filtering, sorting, selection or paging. Answered 400. */
export class InvalidQuery extends AirtimeError {
  readonly parameter: string;
  readonly rule: string;
  readonly remedy: string;

  /**
   * @param parameter the name of the query parameter, or `query` for the query string as a whole.
   * @param rule the rule it broke, as a sentence.
   * @param remedy what to send instead, as a sentence.
   */
  constructor(parameter: string, rule: string, remedy: string) {
    super(400, 'invalidQuery', `Query parameter '${parameter}': ${rule} ${remedy}`, {
      faults: [{ field: parameter, rule, remedy }],
    });
    this.name = 'InvalidQuery';
    this.parameter = parameter;
    this.rule = rule;
    this.remedy = remedy;
  }
}

/** A query that is well formed but asks for something the engine does not do. Answered 501. */
export class UnsupportedQuery extends AirtimeError {
  readonly parameter: string;
  readonly rule: string;
  readonly remedy: string;

  /** Takes what `InvalidQuery` takes. */
  constructor(parameter: string, rule: string, remedy: string) {
    super(501, 'unsupportedQuery', `Query parameter '${parameter}': ${rule} ${remedy}`, {
      faults: [{ field: parameter, rule, remedy }],
    });
    this.name = 'UnsupportedQuery';
    this.parameter = parameter;
    this.rule = rule;
    this.remedy = remedy;
  }
}
