/** One step from a value to those below it. A member of an array means that member of each element, as in jsonpath. */
export type Step = { kind: 'member'; name: string } | { kind: 'index'; index: number } | { kind: 'elements' };

/** A constant of the query. A number keeps the digits it was written with. */
export type Literal =
  | { kind: 'string'; text: string }
  | { kind: 'number'; text: string }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'null' };

export type OrderOperator = '>' | '>=' | '<' | '<=';

/**
 * What must hold for one value. Where a path leads to an array, one of its elements has to pass.
 * `equal`: the value is one of the literals, of the same type.
 * `order`: an operand that is an instant is compared with strings that are instants; another string with strings, by code
 * point; a number with numbers. An operand of kind `attribute` came without a type: an instant, else a number (compared
 * with numbers and with strings that write one), else a string. A string that begins like a date of a day that does not
 * exist is placed among the instants by its text.
 * `match`: the value is a string in which the regular expression, in PostgreSQL's words, is found.
 * `exists`: there is a value.
 */
export type Test =
  | { kind: 'equal'; literals: Literal[] }
  | { kind: 'order'; operator: OrderOperator; operand: { kind: 'attribute' | 'string' | 'number'; text: string } }
  | { kind: 'match'; pattern: string; ignoreCase: boolean }
  | { kind: 'exists' };

/** A condition on a document, or inside `some` on an element of it. It is true or false, never unknown. */
export type Condition =
  | { kind: 'all'; conditions: Condition[] }
  | { kind: 'any'; conditions: Condition[] }
  | { kind: 'not'; condition: Condition }
  | { kind: 'value'; path: Step[]; test: Test }
  | { kind: 'some'; path: Step[]; condition: Condition };

/** A number as JSON writes it, short enough that no arithmetic on it overflows. */
export const numberPattern = '^-?(?:0|[1-9][0-9]{0,29})(?:[.][0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?$';
const number = new RegExp(numberPattern);

export function isNumber(text: string): boolean {
  return number.test(text);
}

/**
 * Lets a link that a client saw find the form in which documents keep it.
 * @param storedLink the kept form of a text that is a link of ours, undefined for any other.
 */
export function withStoredLinks(condition: Condition, storedLink: (text: string) => string | undefined): Condition {
  switch (condition.kind) {
    case 'all':
    case 'any':
      return {
        kind: condition.kind,
        conditions: condition.conditions.map((part) => withStoredLinks(part, storedLink)),
      };
    case 'not':
    case 'some':
      return { ...condition, condition: withStoredLinks(condition.condition, storedLink) };
    case 'value': {
      if (condition.test.kind !== 'equal') return condition;
      const links = condition.test.literals.flatMap((literal): Literal[] => {
        const text = literal.kind === 'string' ? storedLink(literal.text) : undefined;
        return text === undefined ? [] : [{ kind: 'string', text }];
      });
      return { ...condition, test: { kind: 'equal', literals: [...condition.test.literals, ...links] } };
    }
  }
}
