import { isRecord } from '#domain/exact-json';
import { hasHeaders } from '#engine/nodes/wait-for-webhook';
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
export function sealArrival(vault: RowVault, arrivalId: string, call: unknown): Buffer {
  return vault.sealJson(call, sealContext('wait_arrival.payload_sealed', arrivalId));
}

/**
 * A call that came early, sealed for the wait that it is for.
 *
 * @returns undefined: it does not bring the headers that the node asks for, and is refused as if it came now
 */
export function resealArrival(
  vault: RowVault,
  arrival: { readonly id: string; readonly waitId: string; readonly state: unknown; readonly sealed: Buffer },
): Buffer | undefined {
  const call = vault.openJson(arrival.sealed, sealContext('wait_arrival.payload_sealed', arrival.id));
  const wanted = isRecord(arrival.state) ? arrival.state['proofs'] : undefined;
  const given = isRecord(call) ? call['proofs'] : undefined;
  return hasHeaders(given, wanted) ? sealWaitPayload(vault, arrival.waitId, call) : undefined;
}
