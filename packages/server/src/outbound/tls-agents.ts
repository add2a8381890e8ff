import { createHash } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { Agent, type buildConnector } from 'undici';

/** What one request adds to TLS; PEM texts. */
export interface ClientTls {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
  /** Authorities that are believed besides those that Node comes with. */
  readonly ca?: string | undefined;
}

/** Connection pools of requests with a certificate of their own: sockets are never shared between certificates. */
export function tlsAgents(
  connectorWith: (tls: object) => buildConnector.connector,
  options: Agent.Options,
): { of(tls: ClientTls): Agent; close(): Promise<void> } {
  const agents = new Map<string, Agent>();
  return {
    of(tls) {
      const id = createHash('sha256').update(JSON.stringify(tls)).digest('hex');
      const known = agents.get(id);
      if (known !== undefined) return known;
      const { ca, ...own } = tls;
      const connect = connectorWith({
        ...own,
        ...(ca !== undefined && { ca: [...rootCertificates, ca] }),
      });
      const agent = new Agent({ ...options, connect });
      agents.set(id, agent);
      if (agents.size > mostAgents) {
        const [oldest] = agents;
        if (oldest !== undefined) {
          agents.delete(oldest[0]);
          // Requests under way end first.
          void oldest[1].close();
        }
      }
      return agent;
    },
    async close() {
      await Promise.all(Array.from(agents.values(), (agent) => agent.close()));
    },
  };
}

const mostAgents = 20;
