import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { openSandboxCardGateway } from './card-gateway/sandbox-card-gateway.ts';
import { openMailbox } from './mail/mailbox.ts';
import { openSandboxNetwork } from './network/sandbox-network.ts';
import { serveSandboxes } from './server.ts';

const usage = `Runs sandboxes as a process of their own, on loopback.

  main.ts [--gateway DIR] [--network DIR] [--mail DIR] [--port N] [--action-page URL]

  --gateway DIR       serve the card sandbox, its book in DIR
  --network DIR       serve the network sandbox, its book in DIR
  --mail DIR          serve the development mailbox, its messages in DIR
  --port N            listen on 127.0.0.1:N (default: a free port)
  --action-page URL   page where a customer answers a 3-D Secure request

The callers' secret is read from SANDBOX_SECRET: at least 16 characters.
The first line printed is {"url": "http://127.0.0.1:N"}.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      gateway: { type: 'string' },
      network: { type: 'string' },
      mail: { type: 'string' },
      port: { type: 'string', default: '0' },
      'action-page': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const { gateway, network, mail, port, 'action-page': actionPage, help } = values;
  if (help || (gateway === undefined && network === undefined && mail === undefined)) {
    process.stdout.write(usage);
    process.exitCode = help ? 0 : 2;
    return;
  }
  // This process is where machine time and randomness come in; the sandboxes only ever see them as arguments.
  const now = (): Date => new Date();
  const id = (): string => randomUUID();
  const page = actionPage === undefined ? {} : { actionPage };
  const cardGateway =
    gateway === undefined ? undefined : await openSandboxCardGateway({ directory: gateway, now, id, ...page });
  const networkSandbox = network === undefined ? undefined : await openSandboxNetwork({ directory: network, now, id });
  const mailbox = mail === undefined ? undefined : await openMailbox({ directory: mail, now });

  const server = await serveSandboxes(
    {
      secret: process.env.SANDBOX_SECRET ?? '',
      ...(cardGateway === undefined ? {} : { cardGateway }),
      ...(networkSandbox === undefined ? {} : { network: networkSandbox }),
      ...(mailbox === undefined ? {} : { mailbox }),
    },
    Number(port),
  );
  process.stdout.write(`${JSON.stringify({ url: server.url })}\n`);

  const stop = async (): Promise<void> => {
    await server.close();
    await Promise.all([cardGateway?.close(), networkSandbox?.close(), mailbox?.close()]);
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
  process.exit();
});
