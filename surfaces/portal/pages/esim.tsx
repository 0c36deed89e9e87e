import { showEsim } from '../../../read/views/esim.ts';
import { type Problem, problemOf } from '../form.ts';
import { Heading } from '../layout.tsx';
import { type Page, page, type Reply, type Route, type Visit } from '../route.ts';
import { ActionButton, ProblemSummary } from '../ui/form.tsx';
import { Done } from '../ui/notices.tsx';
import { Card, Notice } from '../ui/parts.tsx';
import { Qr } from '../ui/qr.tsx';
import { phone } from '../ui/words.ts';
import { proposed } from './confirm.tsx';
import { lineOf, linePath, pathOf } from './line-parts.tsx';

async function esimPage(visit: Visit, problem?: Problem): Promise<Page> {
  const line = await lineOf(visit);
  const esim = line.esim ? await visit.read(showEsim, { subscriptionId: line.id }) : undefined;
  return page({
    title: 'Your eSIM',
    width: 'narrow',
    problem,
    body: (
      <>
        <Heading
          title="Your eSIM"
          lead={`For ${phone(line.msisdn)}. Scan the code with the phone that gets the line.`}
          back={{ to: pathOf(line), label: 'Your line' }}
        />
        <Done visit={visit} />
        {problem ? <ProblemSummary problem={problem} /> : null}
        {line.nextEsim ? (
          <Notice tone="warn" title="A new eSIM is being set up">
            <p>It takes the place of this one once the network has confirmed it. Look again in a moment.</p>
          </Notice>
        ) : null}
        {esim === undefined ? (
          <Card>
            <p class="empty">There is no eSIM for this line.</p>
          </Card>
        ) : (
          <Card class="esim">
            <Qr text={esim.activationCode} label="The code of the eSIM, for the camera of a phone" />
            <div class="activation-part">
              <h2 class="small-title">Activation code</h2>
              <code class="activation">{esim.activationCode}</code>
            </div>
          </Card>
        )}
        <Card title="How to">
          <ol class="how">
            <li>On the phone, open Settings and find “Add eSIM” under mobile or cellular.</li>
            <li>
              Point the camera at the code. On this very phone, copy the activation code and type it there instead.
            </li>
            <li>Switch the new line on. It finds the network within a minute.</li>
          </ol>
        </Card>
        {line.state === 'terminated' ? null : (
          <Card title="A new phone, or the old one lost?">
            <p>Replace the eSIM: you get a new code, and the old one stops once the new one is confirmed.</p>
            <div class="line-acts">
              <ActionButton action={pathOf(line, '/esim')} label="Replace the eSIM" />
            </div>
          </Card>
        )}
      </>
    ),
  });
}

async function replaceEsim(visit: Visit): Promise<Reply> {
  try {
    return await proposed(visit, 'subscription.replace_esim', { subscriptionId: visit.params.subscriptionId ?? '' });
  } catch (error) {
    return esimPage(visit, problemOf(error));
  }
}

const own = { audience: 'customer' } as const;

export const esimRoutes: readonly Route[] = [
  { method: 'GET', path: `${linePath}/esim`, ...own, operation: 'esim', handle: (visit) => esimPage(visit) },
  { method: 'POST', path: `${linePath}/esim`, ...own, operation: 'replaceEsim', handle: replaceEsim },
];
