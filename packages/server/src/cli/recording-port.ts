import type { Connector, HttpPort, Place, Placement } from '@inlay/connectors/kit';
import { providerHttp } from '#connections/provider-http';
import { systemClock } from '#domain/clock';
import { createOutbound } from '#outbound/index';

/** A port on the real provider, for recording. Private addresses are allowed: an author calls what an author names. */
export function recordingPort(target: {
  readonly connector: Connector;
  readonly place: Place;
  readonly placement: Placement;
}): HttpPort & { close(): Promise<void> } {
  const { connector, place, placement } = target;
  const outbound = createOutbound({ allow: ['0.0.0.0/0', '::/0'], clock: systemClock });
  const provider = { connector, place, budgetKey: 'record' };
  return { ...providerHttp(outbound, provider, placement), close: () => outbound.close() };
}
