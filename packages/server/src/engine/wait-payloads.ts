import type { RowVault } from '#engine/recording/sealed-parts';
import { sealContext } from '#vault/index';

/**
 * What came with a call that wakes a node. Until the node takes it up nobody can tell which of it is secret, so it is
 * stored sealed as a whole; in the log it stands masked, as any other output.
 */

export function sealWaitPayload(vault: RowVault, waitId: string, payload: unknown): Buffer {
  return vault.sealJson(payload ?? null, sealContext('wait.payload_sealed', waitId));
}

/** Null of a wait that was woken by nothing that brings a payload. */
export function openWaitPayload(
  vault: RowVault,
  wait: { readonly id: string; readonly payload_sealed: Buffer | null },
): unknown {
  if (wait.payload_sealed === null) return null;
  return vault.openJson(wait.payload_sealed, sealContext('wait.payload_sealed', wait.id));
}

/** A call that came before its node waited for it. */
export function sealArrival(
  vault: RowVault,
  at: { readonly executionId: string; readonly nodeId: string },
  payload: unknown,
): Buffer {
  return vault.sealJson(payload, sealContext('wait_arrival.payload_sealed', at.executionId, at.nodeId));
}

/** The payload of a call that came early, sealed for the wait that it is for. */
export function resealArrival(
  vault: RowVault,
  arrival: {
    readonly waitId: string;
    readonly executionId: string;
    readonly nodeId: string;
    readonly sealed: Buffer;
  },
): Buffer {
  const context = sealContext('wait_arrival.payload_sealed', arrival.executionId, arrival.nodeId);
  return sealWaitPayload(vault, arrival.waitId, vault.openJson(arrival.sealed, context));
}
