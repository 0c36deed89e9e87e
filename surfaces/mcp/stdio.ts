import type { AgentDoor } from '../../tools/agent-door.ts';
import { agentServer } from './server.ts';

/** Model Context Protocol over standard input and output, until the input ends. Nothing else may write to the output. */
export async function serveAgent(parts: {
  door: AgentDoor;
  secret: string;
  version: string;
  onError(error: Error): void;
}): Promise<void> {
  const [sdk, { serveStdio, StdioServerTransport }] = await Promise.all([
    import('@modelcontextprotocol/server'),
    import('@modelcontextprotocol/server/stdio'),
  ]);
  const handle = serveStdio(() => agentServer(sdk, parts), {
    transport: new StdioServerTransport(),
    maxSubscriptions: 0,
    onerror: (error) => parts.onError(error),
  });
  await new Promise<void>((resolve) => {
    process.stdin.once('end', resolve);
    process.stdin.once('close', resolve);
  });
  await handle.close();
}
