import { type ComponentChildren, createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Problem, Form as Typed } from '../form.ts';
import { usePage } from '../layout.tsx';

/** What was typed and what was wrong with it, for the fields of one form. */
interface FormFacts {
  readonly values: Typed | undefined;
  readonly problem: Problem | undefined;
}

const Facts = createContext<FormFacts>({ values: undefined, problem: undefined });

const fieldId = (name: string): string => `field-${name}`;

/** A form of ours: it carries the token that another site cannot know, and what was wrong the last time. */
export function Form({
  action,
  problem,
  values,
  children,
  class: className,
}: {
  action: string;
  problem?: Problem | undefined;
  /** What was typed the last time. */
  values?: Typed | undefined;
  children: ComponentChildren;
  class?: string;
}) {
  const { csrf } = usePage();
  return (
    <form method="post" action={action} class={className ?? 'form'} noValidate>
      <input type="hidden" name="csrf" value={csrf} />
      <Facts.Provider value={{ values, problem }}>
        {problem ? <ProblemSummary problem={problem} /> : null}
        {children}
      </Facts.Provider>
    </form>
  );
}

/** What went wrong, above everything else; each fault leads to its field. */
export function ProblemSummary({ problem }: { problem: Problem }) {
  return (
    <div class="notice bad" role="alert" tabIndex={-1} id="problem">
      <p class="notice-title">{problem.message}</p>
      {problem.faults.length === 0 ? null : (
        <ul>
          {problem.faults.map(({ field, rule, remedy }) => (
            <li key={`${field} ${rule}`}>
              <a href={`#${fieldId(field)}`}>{rule}</a> {remedy}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface FieldParts {
  readonly name: string;
  readonly label: string;
  readonly hint?: ComponentChildren;
}

/** Label, hint and fault around an input, tied to it for whoever hears the page. */
function useField({ name, hint }: FieldParts): {
  id: string;
  fault: string | undefined;
  value: string | undefined;
  described: string | undefined;
} {
  const { values, problem } = useContext(Facts);
  const fault = problem?.faults.find(({ field }) => field === name);
  const id = fieldId(name);
  const described = [hint === undefined ? '' : `${id}-hint`, fault ? `${id}-fault` : ''].filter((one) => one !== '');
  return {
    id,
    fault: fault && `${fault.rule} ${fault.remedy}`,
    value: values?.has(name) ? values.text(name) : undefined,
    described: described.length === 0 ? undefined : described.join(' '),
  };
}

function Around({
  id,
  label,
  hint,
  fault,
  children,
}: {
  id: string;
  label: string;
  hint?: ComponentChildren;
  fault: string | undefined;
  children: ComponentChildren;
}) {
  return (
    <div class={fault === undefined ? 'field' : 'field wrong'}>
      <label for={id}>{label}</label>
      {hint === undefined ? null : (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault === undefined ? null : (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
      {children}
    </div>
  );
}

export function TextField(
  props: FieldParts & {
    type?: 'text' | 'email' | 'tel' | 'search';
    autocomplete?: string;
    inputmode?: 'text' | 'numeric' | 'email' | 'tel';
    value?: string;
    max?: number;
    class?: string;
    isRequired?: boolean;
  },
) {
  const { name, label, hint, type = 'text', autocomplete, inputmode, max = 200, isRequired = true } = props;
  const { id, fault, value, described } = useField(props);
  return (
    <Around id={id} label={label} hint={hint} fault={fault}>
      <input
        id={id}
        name={name}
        type={type}
        list={undefined}
        class={props.class}
        value={(value ?? props.value) || undefined}
        autocomplete={autocomplete}
        inputMode={inputmode}
        maxLength={max}
        required={isRequired}
        aria-invalid={fault === undefined ? undefined : 'true'}
        aria-describedby={described}
        spellcheck={false}
      />
    </Around>
  );
}

/** The six figures of a mail. */
export function CodeField({ name = 'code', label, hint }: { name?: string; label: string; hint?: ComponentChildren }) {
  return (
    <TextField
      name={name}
      label={label}
      hint={hint}
      class="code"
      autocomplete="one-time-code"
      inputmode="numeric"
      max={10}
    />
  );
}

export function TextArea(props: FieldParts & { rows?: number; max?: number; value?: string }) {
  const { name, label, hint, rows = 5, max = 4000 } = props;
  const { id, fault, value, described } = useField(props);
  return (
    <Around id={id} label={label} hint={hint} fault={fault}>
      <textarea
        id={id}
        name={name}
        rows={rows}
        maxLength={max}
        required
        aria-invalid={fault === undefined ? undefined : 'true'}
        aria-describedby={described}
      >
        {value ?? props.value ?? ''}
      </textarea>
    </Around>
  );
}

export interface Choice {
  readonly value: string;
  readonly label: string;
  readonly detail?: ComponentChildren;
  /** What stands at its end: a price. */
  readonly end?: ComponentChildren;
}

/** One of several, as large rows that a thumb can hit. */
export function Choices(props: FieldParts & { choices: readonly Choice[]; chosen?: string; isCompact?: boolean }) {
  const { name, label, hint, choices, chosen, isCompact } = props;
  const { id, fault, value, described } = useField(props);
  const now = value || chosen;
  return (
    <fieldset
      class={fault === undefined ? 'choices' : 'choices wrong'}
      aria-describedby={described}
      id={id}
      tabIndex={-1}
    >
      <legend>{label}</legend>
      {hint === undefined ? null : (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault === undefined ? null : (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
      <div class={isCompact ? 'choice-grid' : 'choice-list'}>
        {choices.map((choice) => (
          <label class="choice" key={choice.value}>
            <input type="radio" name={name} value={choice.value} checked={choice.value === now} required />
            <span class="choice-text">
              <span class="choice-label">{choice.label}</span>
              {choice.detail === undefined ? null : <span class="choice-detail">{choice.detail}</span>}
            </span>
            {choice.end === undefined ? null : <span class="choice-end">{choice.end}</span>}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function Hidden({ name, value }: { name: string; value: string }) {
  return <input type="hidden" name={name} value={value} />;
}

/** What a form does; the quiet one beside it leaves without doing it. */
export function Actions({
  label,
  kind = 'primary',
  away,
}: {
  label: string;
  kind?: 'primary' | 'danger';
  away?: { to: string; label: string };
}) {
  return (
    <div class="actions">
      <button type="submit" class={`button ${kind}`}>
        {label}
      </button>
      {away ? (
        <a class="button plain" href={away.to}>
          {away.label}
        </a>
      ) : null}
    </div>
  );
}

/** A button that does one thing of its own. */
export function ActionButton({
  action,
  label,
  fields = {},
  kind = 'secondary',
}: {
  action: string;
  label: string;
  fields?: Readonly<Record<string, string>>;
  kind?: 'primary' | 'secondary' | 'danger' | 'plain';
}) {
  return (
    <Form action={action} class="inline-form">
      {Object.entries(fields).map(([name, value]) => (
        <Hidden key={name} name={name} value={value} />
      ))}
      <button type="submit" class={`button ${kind}`}>
        {label}
      </button>
    </Form>
  );
}
