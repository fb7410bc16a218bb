// What the functions that write to the cluster share.
import type { Clock } from '../../clock.ts';
import { fields, optionalFields, timeMs } from '../../sources/kubernetes/kinds/objects.ts';
import type { StoreChange } from '../model.ts';
import type { ObjectClient } from './client.ts';
import type { HeldObject } from './held-object.ts';
import type { Mirror } from './mirror.ts';
import { DELETING } from './names.ts';

export interface WriteContext {
  readonly mirror: Mirror;
  readonly client: ObjectClient;
  readonly clock: Clock;
  /** An object as the server answered it; undefined: none was there. */
  readonly take: (object: HeldObject | undefined) => void;
  /** Records that may differ from what was known. */
  readonly feed: (changes: readonly StoreChange[]) => void;
}

/** Another replica did something that this write did not know of. The client asks again and is told how things are. */
export class WriteConflict extends Error {
  override readonly name = 'WriteConflict';
}

/** A deletion that has not ended after this long never will: its replica died. */
const DELETION_MS = 60_000;

/** Whether somebody is deleting the object right now. */
export function isMarked(object: HeldObject, clock: Clock): boolean {
  const annotations = optionalFields(fields(object.raw.metadata, 'metadata').annotations, 'annotations');
  const sinceMs = timeMs(annotations[DELETING]);
  return sinceMs !== undefined && clock.now() - sinceMs < DELETION_MS;
}
