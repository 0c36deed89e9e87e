import type { WireResponse } from '../../handlers/wire.ts';
import type { ProblemAnswer } from './problem.ts';

/** An answer with its body as text. Links of ours in it still begin with `airtime:`. */
export interface TextAnswer {
  status: number;
  headers: Record<string, string>;
  text: string | null;
}

/** A handler's answer as text and headers. */
export function textAnswer(from: WireResponse): TextAnswer {
  return {
    status: from.status,
    headers: {
      ...from.headers,
      ...(from.version === undefined ? {} : { ETag: `"${from.version}"` }),
      ...(from.location === undefined ? {} : { Location: from.location }),
    },
    text: from.body === undefined ? null : JSON.stringify(from.body),
  };
}

export function problemText(problem: ProblemAnswer): TextAnswer {
  return { status: problem.status, headers: { ...problem.headers }, text: JSON.stringify(problem.error) };
}

/** Turns links of ours into absolute ones, by the configured address and never by the Host header. */
export function withLinks(answer: TextAnswer, publicUrl: string): TextAnswer {
  // The public address is text from the configuration; in JSON it is escaped like any other.
  const inJson = JSON.stringify(publicUrl).slice(1, -1);
  const { Location } = answer.headers;
  return {
    ...answer,
    headers: {
      ...answer.headers,
      ...(Location?.startsWith('airtime:/') ? { Location: publicUrl + Location.slice('airtime:'.length) } : {}),
    },
    text:
      answer.text === null
        ? null
        : answer.text.replace(/"airtime:(?=\/(?:tmf-api|payment|documents)\/)/g, () => `"${inJson}`),
  };
}
